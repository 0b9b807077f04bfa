/** What is read off an impulse response: pure functions, used by the analysis worker and by tests. */
import { FFT } from "../engine/fft.js";

export const OCTAVES = [125, 250, 500, 1000, 2000, 4000, 8000];
const POINTS = 480;
/** Octaves to each side over which a response's power is averaged: a sixth of one in all. */
const SMOOTHING = 1 / 12;

/** @param {number} power */
export function decibels(power) {
  return 10 * Math.log10(Math.max(power, 1e-20));
}

/**
 * Energy decay curve by backward integration: M. R. Schroeder, "New method of measuring
 * reverberation time", JASA 37, 1965.
 *
 * @param {Float64Array} samples
 * @returns {Float64Array} energy that is still to come, the whole being 1
 */
export function energyDecay(samples) {
  const curve = new Float64Array(samples.length);
  let sum = 0;
  for (let t = samples.length - 1; t >= 0; t--) curve[t] = sum += samples[t] * samples[t];
  if (sum > 0) for (let t = 0; t < curve.length; t++) curve[t] /= sum;
  return curve;
}

/**
 * The time to decay by 60 dB, extrapolated from a straight line between -5 and -25 dB (T20).
 *
 * @param {Float64Array} curve an energy decay
 * @param {number} fs
 * @returns {number | null} seconds; null: it does not decay that far
 */
export function decayTime(curve, fs) {
  let begin = 0;
  while (begin < curve.length && decibels(curve[begin]) > -5) begin++;
  let end = begin;
  while (end < curve.length && decibels(curve[end]) > -25) end++;
  // Near the end of what was rendered the curve dives whatever the decay is.
  if (end >= 0.9 * curve.length || end - begin < 8) return null;
  const count = end - begin;
  const middle = (count - 1) / 2;
  let [slope, spread, mean] = [0, 0, 0];
  for (let k = 0; k < count; k++) mean += decibels(curve[begin + k]) / count;
  for (let k = 0; k < count; k++) {
    slope += (k - middle) * (decibels(curve[begin + k]) - mean);
    spread += (k - middle) ** 2;
  }
  return slope < 0 ? (-60 * spread) / slope / fs : null;
}

/** @param {number} least */
function powerOfTwo(least) {
  return 2 ** Math.ceil(Math.log2(least));
}

/**
 * @param {Float64Array} samples
 * @returns {{re: Float64Array, im: Float64Array, fft: FFT}} padded to a power of two
 */
export function spectrum(samples) {
  const fft = new FFT(powerOfTwo(samples.length));
  const re = new Float64Array(fft.size);
  const im = new Float64Array(fft.size);
  re.set(samples);
  fft.forward(re, im);
  return { re, im, fft };
}

/**
 * The decay time in each octave.
 *
 * @param {ReturnType<typeof spectrum>} whole
 * @param {number} length samples of the response
 * @param {number} fs
 * @returns {(number | null)[]} seconds, for each of OCTAVES
 */
export function octaveDecays({ re, im, fft }, length, fs) {
  return OCTAVES.map((centre) => {
    if (centre * Math.SQRT2 > fs / 2) return null;
    const real = new Float64Array(fft.size);
    const imaginary = new Float64Array(fft.size);
    for (let k = 1; k <= fft.size / 2; k++) {
      const gain = band((k * fs) / fft.size / centre);
      for (const bin of [k, fft.size - k]) {
        real[bin] = gain * re[bin];
        imaginary[bin] = gain * im[bin];
      }
    }
    fft.inverse(real, imaginary);
    return decayTime(energyDecay(real.subarray(0, length)), fs);
  });
}

/**
 * An octave band with slopes of half an octave: a filter with steep ones would ring itself.
 *
 * @param {number} ratio to the centre frequency
 */
function band(ratio) {
  const away = Math.abs(Math.log2(ratio));
  if (away <= 0.25) return 1;
  return away >= 0.75 ? 0 : Math.cos(Math.PI * (away - 0.25)) ** 2;
}

/**
 * @param {ReturnType<typeof spectrum>} whole
 * @param {number} fs
 * @returns {{x: Float64Array, y: Float64Array}} Hz, on a logarithmic axis, and dB
 */
export function magnitude({ re, im, fft }, fs) {
  const x = new Float64Array(POINTS);
  const y = new Float64Array(POINTS);
  const [low, high] = [20, fs / 2];
  for (let p = 0; p < POINTS; p++) {
    const centre = low * (high / low) ** (p / (POINTS - 1));
    const begin = centre * 2 ** -SMOOTHING;
    const end = centre * 2 ** SMOOTHING;
    const first = Math.max(1, Math.floor((begin * fft.size) / fs));
    const last = Math.min(fft.size / 2 + 1, Math.max(first + 1, Math.ceil((end * fft.size) / fs)));
    let power = 0;
    for (let k = first; k < last; k++) power += re[k] ** 2 + im[k] ** 2;
    x[p] = centre;
    y[p] = decibels(power / (last - first));
  }
  return { x, y };
}

/**
 * @param {Float64Array} curve
 * @param {number} fs
 * @returns {{x: Float64Array, y: Float64Array}} seconds, dB
 */
export function thinned(curve, fs) {
  const x = new Float64Array(POINTS);
  const y = new Float64Array(POINTS);
  for (let p = 0; p < POINTS; p++) {
    const at = Math.floor((p * (curve.length - 1)) / (POINTS - 1));
    x[p] = at / fs;
    y[p] = decibels(curve[at]);
  }
  return { x, y };
}

/**
 * @param {Float64Array} samples
 * @param {number} fs
 * @returns {{x: Float64Array, low: Float64Array, high: Float64Array}} seconds, least and greatest
 */
export function envelope(samples, fs) {
  const x = new Float64Array(POINTS);
  const low = new Float64Array(POINTS);
  const high = new Float64Array(POINTS);
  for (let p = 0; p < POINTS; p++) {
    const begin = Math.floor((p * samples.length) / POINTS);
    const end = Math.max(begin + 1, Math.floor(((p + 1) * samples.length) / POINTS));
    x[p] = begin / fs;
    for (let t = begin; t < end; t++) {
      low[p] = Math.min(low[p], samples[t]);
      high[p] = Math.max(high[p], samples[t]);
    }
  }
  return { x, low, high };
}

/**
 * @param {Float64Array} samples
 * @param {number} fs
 * @returns {{frames: number, bands: number, seconds: number, lowest: number, highest: number, levels: Float32Array}}
 *     levels [frames][bands] in dB below the loudest, bands on a logarithmic axis
 */
export function spectrogram(samples, fs) {
  const size = 1024;
  const frames = 160;
  const bands = 72;
  const [lowest, highest] = [60, fs / 2];
  const fft = new FFT(size);
  const levels = new Float32Array(frames * bands);
  let loudest = 1e-20;
  for (let f = 0; f < frames; f++) {
    const start = Math.floor((f * samples.length) / frames) - size / 4;
    const re = new Float64Array(size);
    const im = new Float64Array(size);
    for (let t = 0; t < size; t++) re[t] = (samples[start + t] ?? 0) * (0.5 - 0.5 * Math.cos((2 * Math.PI * t) / size));
    fft.forward(re, im);
    for (let b = 0; b < bands; b++) {
      const at = (lowest * (highest / lowest) ** ((b + 0.5) / bands) * size) / fs;
      const k = Math.min(Math.floor(at), size / 2 - 1);
      const power = (1 - (at - k)) * (re[k] ** 2 + im[k] ** 2) + (at - k) * (re[k + 1] ** 2 + im[k + 1] ** 2);
      loudest = Math.max(loudest, power);
      levels[f * bands + b] = power;
    }
  }
  for (let k = 0; k < levels.length; k++) levels[k] = decibels(levels[k] / loudest);
  return { frames, bands, seconds: samples.length / fs, lowest, highest, levels };
}
