/** What is measured on a recorded output. */
import { BLOCK } from "../../../bridge/faustwire_bridge/listen/page/engine/block.js";
import { FFT } from "../../../bridge/faustwire_bridge/listen/page/engine/fft.js";

const FS = 48000;

/** Plays a sine into a player for so many seconds; `act(player, seconds)` comes before each block. */
export function record(player, seconds, act, { hz = 250, level = 0.1 } = {}) {
  const blocks = Math.round((seconds * FS) / BLOCK);
  const recorded = new Float64Array(blocks * BLOCK);
  const source = [new Float32Array(BLOCK)];
  player.source.settings = { kind: "microphone", seconds: 1, level: 1 };
  for (let b = 0; b < blocks; b++) {
    act(player, (b * BLOCK) / FS);
    for (let t = 0; t < BLOCK; t++) source[0][t] = level * Math.sin((2 * Math.PI * hz * (b * BLOCK + t)) / FS);
    recorded.set(player.process(source)[0], b * BLOCK);
  }
  return recorded;
}

/** The longest run of samples below -100 dB of the peak, in seconds. */
export function longestSilence(samples) {
  const floor = 1e-5 * samples.reduce((peak, x) => Math.max(peak, Math.abs(x)), 0);
  let [run, longest] = [0, 0];
  for (const x of samples) {
    run = Math.abs(x) < floor ? run + 1 : 0;
    longest = Math.max(longest, run);
  }
  return longest / FS;
}

/** The loudest 43 ms above 2 kHz beside the RMS of the whole, dB. */
export function clickDb(samples) {
  const size = 2048;
  const fft = new FFT(size);
  const rms = Math.sqrt(samples.reduce((sum, x) => sum + x * x, 0) / samples.length);
  const lowest = Math.ceil((2000 * size) / FS);
  let worst = 0;
  for (let start = 0; start + size <= samples.length; start += size / 2) {
    const re = new Float64Array(size);
    const im = new Float64Array(size);
    // Blackman-Harris: what leaks from the sine is below -92 dB.
    for (let t = 0; t < size; t++) re[t] = samples[start + t] * window(t / size);
    fft.forward(re, im);
    let energy = 0;
    for (let k = lowest; k < size / 2; k++) energy += 2 * (re[k] ** 2 + im[k] ** 2);
    worst = Math.max(worst, energy);
  }
  // The window's mean square is 0.258.
  return 20 * Math.log10(Math.sqrt(worst / (size * size * 0.258)) / rms);
}

function window(part) {
  const angle = 2 * Math.PI * part;
  return 0.35875 - 0.48829 * Math.cos(angle) + 0.14128 * Math.cos(2 * angle) - 0.01168 * Math.cos(3 * angle);
}
