/**
 * What is heard of a change: `node benchmarks/listen_changes.mjs`.
 *
 * A 250 Hz sine through networks of 8 lines, ten changes a second for 3 s: the longest silence, and
 * the energy above 2 kHz beside the sine's RMS. A JSON object a line: {kind, silence_ms, click_db}.
 */
import { Player } from "../bridge/faustwire_bridge/listen/page/engine/player.js";
import { clickDb, longestSilence, record } from "../tests/bridge/listen/hearing.mjs";
import { fdn } from "../tests/bridge/listen/plans.mjs";

const FS = 48000;
const SETTLING = 1.5;

const CHANGES = {
  "no change": () => undefined,
  "the same structure: glide": (player, n) => player.load("A", fdn(8, 1 + n)),
  "the same structure, large: glide": (player, n) => player.load("A", fdn(8, 1 + n, { gain: n % 2 ? 0.5 : 0.97 })),
  "another structure: hand-over": (player, n) => player.load("A", fdn(4 + (n % 9), n)),
  "A and B": (player, n) => {
    if (n === 1) player.load("B", fdn(6, 99));
    player.select(n % 2 ? "B" : "A");
  },
  "solo of one, of another, of both": (player, n) => {
    if (n === 1) for (const [slot, lines] of [["one", 6], ["other", 5]]) player.load(slot, fdn(lines, lines), { gain: 0.7 });
    player.select(...[["one"], ["other"], ["one", "other"], ["A"]][n % 4]);
  },
  "as a plugin does: cut, and a cold start": (player, n) => {
    player.slots.delete("A");
    player.load("A", fdn(8, n));
  },
};

for (const [kind, change] of Object.entries(CHANGES)) {
  const player = new Player(FS);
  player.load("A", fdn(8, 1));
  let done = 0;
  const samples = record(player, 4.5, (playing, seconds) => {
    if (seconds < SETTLING + done / 10) return;
    change(playing, ++done);
  }).subarray(SETTLING * FS);
  console.log(JSON.stringify({ kind, silence_ms: 1000 * longestSilence(samples), click_db: clickDb(samples) }));
}
