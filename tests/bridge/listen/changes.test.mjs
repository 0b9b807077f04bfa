/** Changes are not heard as such: no silence, no click, and the tail rings on. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { Network } from "../../../bridge/faustwire_bridge/listen/page/engine/network.js";
import { Player } from "../../../bridge/faustwire_bridge/listen/page/engine/player.js";
import { clickDb, longestSilence, record } from "./hearing.mjs";
import { fdn, gain } from "./plans.mjs";

const FS = 48000;
const SETTLING = 1.5;

/** Changes ten times a second from 1.5 s on. */
function often(change) {
  let done = 0;
  return (player, seconds) => {
    if (seconds < SETTLING || seconds < SETTLING + done / 10) return;
    done++;
    change(player, done);
  };
}

function measured(change, seconds = 4.5) {
  const player = new Player(FS);
  player.load("A", fdn(8, 1));
  const samples = record(player, seconds, often(change)).subarray(SETTLING * FS);
  return { player, click: clickDb(samples), silence: longestSilence(samples) };
}

test("the measure sees a cut: a cold start is heard as a click", () => {
  const { click } = measured((player, n) => {
    player.slots.delete("A");
    player.load("A", fdn(8, n));
  });
  assert.ok(click > -30, `${click} dB`);
});

for (const [kind, change] of Object.entries({
  "no change": () => undefined,
  "glide, other matrix and delays": (player, n) => player.load("A", fdn(8, 1 + n)),
  "glide, large: other decay, too": (player, n) => player.load("A", fdn(8, 1 + n, { gain: n % 2 ? 0.5 : 0.97 })),
  "hand-over, same structure": (player, n) => player.load("A", fdn(8, 1 + n), { glide: false }),
  "hand-over, other structure": (player, n) => player.load("A", fdn(4 + (n % 9), n)),
  "A and B": (player, n) => {
    if (n === 1) player.load("B", fdn(6, 99));
    player.select(n % 2 ? "B" : "A");
  },
  "solo of one, of another, of both": (player, n) => {
    if (n === 1) for (const [slot, lines] of [["mix a", 6], ["mix b", 5]]) player.load(slot, fdn(lines, lines), { gain: 0.7 });
    player.select(...[["mix a"], ["mix b"], ["mix a", "mix b"], ["A"]][n % 4]);
  },
  "rt60 turned": (player, n) => player.turn({ rt60: n % 2 ? 0.4 : 4, dry_wet: null, pre_delay: null }),
  "dry/wet and pre-delay turned": (player, n) =>
    player.turn({ rt60: null, dry_wet: n % 2 ? 0.3 : 1, pre_delay: n % 2 ? 40 : 0 }),
})) {
  test(`${kind}, ten a second: no silence, no click`, (t) => {
    const { click, silence } = measured(change);
    t.diagnostic(`click ${click.toFixed(1)} dB, longest silence ${(1000 * silence).toFixed(2)} ms`);
    assert.ok(click < -60, `${click} dB`);
    assert.ok(silence < 0.001, `${1000 * silence} ms`);
  });
}

test("delays that grow: those whose past is kept glide, others are handed over, without a click", (t) => {
  for (const [shortest, longest, glides] of [[1500, 1990, true], [9000, 9900, false]]) {
    const player = new Player(FS);
    player.load("A", fdn(4, 1, { shortest: 200, longest: 900 }));
    let done = false;
    const samples = record(player, 3, (p, seconds) => {
      if (seconds < SETTLING || done) return;
      done = true;
      p.load("A", fdn(4, 2, { shortest, longest }));
    }).subarray(SETTLING * FS);
    assert.equal(player.counts.glides === 1, glides);
    const click = clickDb(samples);
    t.diagnostic(`click ${click.toFixed(1)} dB`);
    assert.ok(click < -60, `${click} dB`);
  }
});

test("what is selected together is the sum of what each is alone", () => {
  const alone = (...slots) => {
    const player = new Player(FS);
    for (const [slot, seed] of [["A", 1], ["mix a", 2], ["mix b", 3]]) player.load(slot, fdn(4, seed), { gain: 0.1 });
    player.select(...slots);
    return record(player, 0.5, () => undefined);
  };
  const [one, other, both] = [alone("mix a"), alone("mix b"), alone("mix a", "mix b")];
  assert.ok(Math.max(...one.map(Math.abs)) > 1e-3);
  both.forEach((sample, t) => assert.ok(Math.abs(sample - one[t] - other[t]) < 1e-12));
});

test("a glide ends on the newer values exactly", () => {
  const [older, newer] = [fdn(4, 1), fdn(4, 2)];
  const network = new Network(older);
  assert.ok(network.glide(newer.values, Infinity, 4800));
  for (let b = 0; b < 40; b++) network.process();
  assert.equal(network.gliding, false);
  assert.deepEqual(network.from, new Network(newer).from);
});

test("snapshots that come during a glide: the newest one is arrived at", () => {
  const player = new Player(FS);
  player.glideSeconds = 0.5;
  player.load("A", fdn(4, 1));
  for (let n = 2; n < 9; n++) player.load("A", fdn(4, n));
  record(player, 1.2, () => undefined);
  assert.deepEqual(player.slots.get("A").network.from, new Network(fdn(4, 8)).from);
});

test("the tail rings on when the structure changes", () => {
  const player = new Player(FS);
  player.load("A", fdn(8, 1, { gain: 0.999, pole: 0 }));
  record(player, 1, () => undefined);
  player.load("A", gain(0));
  const tail = record(player, 0.5, () => undefined, { level: 0 }).subarray(FS / 4);
  assert.ok(Math.max(...tail.map(Math.abs)) > 0.001);
});

test("ringing voices are bounded, and gone when they have rung out", () => {
  const player = new Player(FS);
  player.load("A", fdn(8, 1));
  let most = 0;
  const rush = often((p, n) => p.load("A", fdn(4 + (n % 5), n, { gain: 0.9 })));
  record(player, 4, (p, seconds) => {
    rush(p, seconds);
    most = Math.max(most, p.ringing.length);
  });
  assert.ok(most >= 5 && most <= 7, `${most} ring`);
  player.load("A", fdn(4, 3, { gain: 0.5 }));
  player.load("A", gain(0));
  record(player, 20, () => undefined, { level: 0 });
  assert.equal(player.ringing.length, 0);
});

test("a voice that is not finite is muted, said, and replaced by the next snapshot", () => {
  const said = [];
  const player = new Player(FS, (text) => said.push(text));
  player.load("A", fdn(4, 1, { gain: 3, pole: 0 }));
  const samples = record(player, 3, () => undefined);
  assert.equal(said.length, 1);
  assert.ok(samples.every((x) => Math.abs(x) <= 0.89));
  assert.equal(samples.at(-1), 0);
  player.load("A", fdn(4, 1));
  assert.ok(record(player, 0.5, () => undefined).some((x) => Math.abs(x) > 1e-3));
});

test("the limiter keeps its ceiling and leaves quiet sound alone", () => {
  const player = new Player(FS);
  player.load("A", gain(40));
  const loud = record(player, 1, () => undefined);
  assert.ok(loud.every((x) => Math.abs(x) <= 0.89));
  assert.ok(loud.some((x) => Math.abs(x) > 0.8));
  const other = new Player(FS);
  other.load("A", gain(1));
  const quiet = record(other, 1, () => undefined).subarray(4800);
  const ahead = other.limiter.ahead;
  const worst = quiet.reduce((most, x, t) => {
    const sine = Math.fround(0.1 * Math.sin((2 * Math.PI * 250 * (t + 4800 - ahead)) / FS));
    return Math.max(most, Math.abs(x - sine));
  }, 0);
  assert.equal(worst, 0);
});

test("panic: silence within 10 ms, and nothing rings on", () => {
  const player = new Player(FS);
  player.load("A", fdn(8, 1, { gain: 0.9999, pole: 0 }));
  record(player, 1, () => undefined);
  player.panic();
  const after = [];
  for (let b = 0; b < 40; b++) after.push(...player.process([])[0]);
  assert.ok(after.slice(0.01 * FS).every((x) => x === 0));
});

// A single array would be 100 bytes; what there is are numbers that V8 boxes now and then.
test("process allocates no arrays and no objects", { skip: !globalThis.gc && "needs node --expose-gc" }, () => {
  const player = new Player(FS);
  player.load("A", fdn(16, 1));
  record(player, 0.5, () => undefined);
  // The least of some windows: code that is not compiled yet boxes its numbers.
  let least = Infinity;
  for (let window = 0; window < 10 && least >= 100; window++) {
    globalThis.gc();
    const before = process.memoryUsage().heapUsed;
    for (let b = 0; b < 4000; b++) player.process([]);
    least = Math.min(least, (process.memoryUsage().heapUsed - before) / 4000);
  }
  assert.ok(least < 100, `${least} bytes a block`);
});
