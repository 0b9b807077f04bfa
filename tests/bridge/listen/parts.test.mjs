/** What the page computes for its pictures, without a browser. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { OCTAVES, decayTime, energyDecay, magnitude, octaveDecays, spectrum } from "../../../bridge/faustwire_bridge/listen/page/analysis/measures.js";
import { weightedEnergy, weighting } from "../../../bridge/faustwire_bridge/listen/page/analysis/loudness.js";
import { FFT } from "../../../bridge/faustwire_bridge/listen/page/engine/fft.js";
import { fitInputs, fitOutputs } from "../../../bridge/faustwire_bridge/listen/page/engine/fitting.js";
import { rt60At } from "../../../bridge/faustwire_bridge/listen/page/engine/knobs.js";
import { part, short, ticks } from "../../../bridge/faustwire_bridge/listen/page/plots/canvas.js";
import { axesOf, extend, noHistory, snapshotAt } from "../../../bridge/faustwire_bridge/listen/page/plots/training.js";
import { dice } from "./plans.mjs";

const FS = 48000;

/** Noise that decays by 60 dB in so many seconds. */
function decaying(seconds, length = 2) {
  const roll = dice(7);
  return Float64Array.from({ length: length * FS }, (_, t) => roll() * 10 ** ((-3 * t) / FS / seconds));
}

test("the decay time of decaying noise is the one it was made with", () => {
  for (const seconds of [0.3, 1, 1.8]) {
    const found = decayTime(energyDecay(decaying(seconds, 2 * Math.ceil(seconds))), FS);
    assert.ok(Math.abs(found / seconds - 1) < 0.03, `${found}, not ${seconds}`);
  }
});

test("a decay that goes on beyond what was rendered has no time", () => {
  assert.equal(decayTime(energyDecay(decaying(20)), FS), null);
});

test("each octave's decay time is its own", () => {
  const samples = decaying(0.8);
  const found = octaveDecays(spectrum(samples), samples.length, FS);
  assert.equal(found.length, OCTAVES.length);
  for (const [k, seconds] of found.entries()) assert.ok(Math.abs(seconds / 0.8 - 1) < 0.15, `${OCTAVES[k]} Hz: ${seconds}`);
});

test("the magnitude of an impulse is 0 dB at every frequency", () => {
  const impulse = new Float64Array(4096);
  impulse[3] = 1;
  assert.ok(magnitude(spectrum(impulse), FS).y.every((db) => Math.abs(db) < 1e-9));
});

test("the weighting is that of ITU-R BS.1770, whose coefficients are for 48 kHz", () => {
  const [shelf, pass] = weighting(48000);
  const close = (found, wanted) => found.forEach((x, k) => assert.ok(Math.abs(x - wanted[k]) < 1e-10, `${found}, not ${wanted}`));
  close(shelf.b, [1.53512485958697, -2.69169618940638, 1.19839281085285]);
  close(shelf.a, [-1.69065929318241, 0.73248077421585]);
  close(pass.b, [1, -2, 1]);
  close(pass.a, [-1.99004745483398, 0.99007225036621]);
});

test("what ears hear less weighs less, at any rate", () => {
  const tone = (hz, fs) => Float64Array.from({ length: fs }, (_, t) => Math.sin((2 * Math.PI * hz * t) / fs));
  const db = (hz, fs) => 10 * Math.log10((2 * weightedEnergy([tone(hz, fs)], fs)) / fs);
  for (const fs of [44100, 48000, 96000]) {
    // 997 Hz has 0.691 dB by the recommendation, which takes that off.
    assert.ok(Math.abs(db(997, fs) - 0.691) < 0.05, `${db(997, fs)} dB at ${fs} Hz`);
    assert.ok(db(30, fs) < -3 && db(8000, fs) > 3);
  }
});

test("the transform agrees with its definition, and back again", () => {
  const roll = dice(3);
  const fft = new FFT(16);
  const [re, im] = [Float64Array.from({ length: 16 }, roll), Float64Array.from({ length: 16 }, roll)];
  const [real, imaginary] = [re.slice(), im.slice()];
  fft.forward(re, im);
  for (let k = 0; k < 16; k++) {
    let sum = 0;
    for (let t = 0; t < 16; t++) {
      const angle = (2 * Math.PI * k * t) / 16;
      sum += real[t] * Math.cos(angle) + imaginary[t] * Math.sin(angle);
    }
    assert.ok(Math.abs(sum - re[k]) < 1e-12);
  }
  fft.inverse(re, im);
  for (let t = 0; t < 16; t++) assert.ok(Math.abs(re[t] / 16 - real[t]) + Math.abs(im[t] / 16 - imaginary[t]) < 1e-14);
});

test("channels are fitted as the plugin's are", () => {
  assert.deepEqual(fitInputs(1), { count: 1, feeds: [0] });
  assert.deepEqual(fitInputs(5), { count: 2, feeds: [0, 1, 0, 1, 0] });
  assert.deepEqual(fitOutputs(1), [{ channels: [0], gain: 1 }, { channels: [0], gain: 1 }]);
  assert.deepEqual(fitOutputs(2), [{ channels: [0], gain: 1 }, { channels: [1], gain: 1 }]);
  assert.deepEqual(fitOutputs(3), [{ channels: [0, 2], gain: 1 / Math.sqrt(2) }, { channels: [1], gain: 1 }]);
});

test("a history grows, and begins anew", () => {
  let history = extend(noHistory(), { from: 0, calls: [1, 2], metrics: { loss: [3, 2] }, snapshots: [1], published: [1] });
  history = extend(history, { from: 2, calls: [3], metrics: { loss: [1], edr: [5] }, snapshots: [3], published: [3] });
  assert.deepEqual({ ...history, metrics: { ...history.metrics } }, { calls: [1, 2, 3], metrics: { loss: [3, 2, 1], edr: [null, null, 5] }, snapshots: [1, 3], published: [1, 3] });
  const anew = extend(history, { from: 0, calls: [1], metrics: { loss: [9] }, snapshots: [] });
  assert.deepEqual(anew.calls, [1]);
  assert.deepEqual([anew.snapshots, anew.published], [[], []]);
});

test("a metric may have a name that all objects have", () => {
  const metrics = JSON.parse('{"__proto__": [1], "constructor": [2], "loss": [3]}');
  const first = extend(noHistory(), { from: 0, calls: [1], metrics, snapshots: [] });
  const then = extend(first, { from: 1, calls: [2], metrics: { loss: [4] }, snapshots: [] });
  assert.deepEqual(Object.entries(then.metrics), [
    ["__proto__", [1, null]],
    ["constructor", [2, null]],
    ["loss", [3, 4]],
  ]);
});

test("a curve of any numbers has axes that it is drawn within", () => {
  const most = Number.MAX_VALUE;
  for (const values of [[-1e308, 1e308], [-most, most], [0, most], [most, most], [5e-324, most], [1e-30, 1], [5e-324, 5e-324], [1e20, 1e20], [-most, -most], [0, 0]]) {
    const history = extend(noHistory(), { from: 0, calls: [1, 2], metrics: { loss: values }, snapshots: [] });
    const { y } = axesOf(history, "loss");
    const marks = ticks(y, 4);
    assert.ok(marks.length >= 1 && marks.length <= 6, `${values}: ${marks}`);
    for (const value of [...values, ...marks]) assert.ok(part(value, y) >= 0 && part(value, y) <= 1, `${value} of ${values}`);
  }
});

test("a number of any size is written in a few characters", () => {
  const said = [0, 7, 0.5, -12.5, 0.2678, 48000, 1234567, 1e20, -1e20, 1e308, 1.2344e-7, 5e-324].map((value) => short(value, 4));
  assert.deepEqual(said, ["0", "7", "0.5", "-12.5", "0.2678", "48000", "1235000", "1e20", "-1e20", "1e308", "1.234e-7", "5e-324"]);
  for (const value of [-Number.MAX_VALUE, Number.MIN_VALUE, -1.23456e-100, 123456789]) assert.ok(short(value, 4).length <= 11, short(value, 4));
});

test("the snapshot at a call is the newest not after it", () => {
  assert.equal(snapshotAt([4, 8, 12], 9), 8);
  assert.equal(snapshotAt([4, 8, 12], 12), 12);
  assert.equal(snapshotAt([4, 8, 12], 1), 4);
  assert.equal(snapshotAt([], 1), null);
});

test("ticks are round numbers within the axis", () => {
  assert.deepEqual(ticks({ low: 0, high: 10 }, 5), [0, 2, 4, 6, 8, 10]);
  assert.deepEqual(ticks({ low: 30, high: 24000, logarithmic: true }, 4), [100, 1000, 10000]);
});

test("an rt60 knob with a neutral end does nothing there, and is as set below", () => {
  const slider = { min: 0.1, max: 10, step: 0.01, neutral_end: true };
  assert.deepEqual([0.1, 2, 9.99, 9.996, 10].map((s) => rt60At(slider, s)), [0.1, 2, 9.99, null, null]);
  assert.equal(rt60At({ ...slider, neutral_end: false }, 10), 10);
  assert.equal(rt60At({ min: 1, max: 2, step: 5, neutral_end: true }, 1), 1);
});
