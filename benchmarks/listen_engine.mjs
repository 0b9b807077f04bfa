/**
 * What the page's engine costs: `node benchmarks/listen_engine.mjs`.
 *
 * Prints, for networks of 4 … 64 lines with a dense matrix and a filter a line, the share of one
 * core at 48 kHz, and what it takes to begin one and to arrive at other values.
 */
import { BLOCK } from "../bridge/faustwire_bridge/listen/page/engine/block.js";
import { Network } from "../bridge/faustwire_bridge/listen/page/engine/network.js";
import { fdn } from "../tests/bridge/listen/plans.mjs";

const FS = 48000;
const BLOCKS = 4 * (FS / BLOCK);
const ROUNDS = 5;

/** Processor time, the least of some runs: others share the machine. */
function milliseconds(run) {
  let best = Infinity;
  for (let round = 0; round < ROUNDS; round++) {
    const began = process.cpuUsage();
    run();
    const { user, system } = process.cpuUsage(began);
    best = Math.min(best, (user + system) / 1000);
  }
  return best;
}

function share(network, each = () => undefined) {
  network.bus[network.inputs[0]] = 1;
  const spent = milliseconds(() => {
    for (let b = 0; b < BLOCKS; b++) {
      each(b);
      network.process();
    }
  });
  return (100 * spent) / ((1000 * BLOCKS * BLOCK) / FS);
}

console.log("lines  core, %  gliding, %  one sample's loop, %  begin, ms  other values, ms");
for (const lines of [4, 8, 16, 32, 64]) {
  const network = new Network(fdn(lines, 1));
  const other = fdn(lines, 2);
  const still = share(network);
  const gliding = share(network, () => network.gliding || network.glide(other.values, Infinity, 39 * BLOCK));
  const short = share(new Network(fdn(lines, 1, { shortest: 1, longest: 2 })));
  const begin = milliseconds(() => new Network(fdn(lines, 1)));
  const arrive = milliseconds(() => {
    while (network.gliding) network.process();
    network.glide(other.values, Infinity, 0);
  });
  const figures = [still.toFixed(2), gliding.toFixed(2), short.toFixed(1), begin.toFixed(2), arrive.toFixed(2)];
  const widths = [9, 12, 22, 11, 18];
  console.log(String(lines).padStart(5) + figures.map((figure, k) => figure.padStart(widths[k])).join(""));
}
