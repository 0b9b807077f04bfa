/**
 * Computes impulse responses and what is read off them, away from the page and its sound.
 * In: {id, plan, knobs, seconds}. Out: {id, analysis} or {id, problem}.
 */
import { BLOCK } from "../engine/block.js";
import { Voice } from "../engine/voice.js";
import { weightedEnergy } from "./loudness.js";
import { energyDecay, decayTime, envelope, magnitude, octaveDecays, spectrogram, spectrum, thinned } from "./measures.js";

/** @import { Knobs } from "../engine/knobs.js" */
/** @import { Plan } from "../engine/plan.js" */

/**
 * @param {Plan} plan
 * @param {Knobs} knobs
 * @param {number} seconds
 */
function render(plan, knobs, seconds) {
  const voice = new Voice(plan, knobs);
  voice.input.value = voice.input.target = 1;
  const blocks = Math.ceil((seconds * voice.fs) / BLOCK);
  const left = new Float64Array(blocks * BLOCK);
  const right = new Float64Array(blocks * BLOCK);
  const source = [new Float64Array(BLOCK), new Float64Array(BLOCK)];
  source[0][0] = source[1][0] = 1;
  for (let b = 0; b < blocks; b++) {
    voice.process(source);
    left.set(voice.out[0], b * BLOCK);
    right.set(voice.out[1], b * BLOCK);
    if (b === 0) source[0][0] = source[1][0] = 0;
    if (voice.broken) throw new Error("the response is not finite");
  }
  return { left, right, fs: voice.fs };
}

/**
 * @param {Plan} plan
 * @param {Knobs} knobs
 * @param {number} seconds
 */
function analyse(plan, knobs, seconds) {
  const { left, right, fs } = render(plan, knobs, seconds);
  const whole = spectrum(left);
  const decay = energyDecay(left);
  return {
    seconds: left.length / fs,
    energy: weightedEnergy([left, right], fs),
    decay: thinned(decay, fs),
    rt60: decayTime(decay, fs),
    octaves: octaveDecays(whole, left.length, fs),
    magnitude: magnitude(whole, fs),
    envelope: envelope(left, fs),
    spectrogram: spectrogram(left, fs),
  };
}

/** @typedef {ReturnType<typeof analyse>} Analysis */

self.onmessage = ({ data }) => {
  try {
    self.postMessage({ id: data.id, analysis: analyse(data.plan, data.knobs, data.seconds) });
  } catch (error) {
    self.postMessage({ id: data.id, problem: error instanceof Error ? error.message : String(error) });
  }
};
