import { BLOCK } from "./block.js";
import { DelayLine } from "./line.js";
import { Ramp } from "./ramp.js";

/**
 * The macro controls. null: the control is not there.
 *
 * @typedef {object} Knobs
 * @property {number | null} rt60 seconds
 * @property {number | null} dry_wet 0 … 1
 * @property {number | null} pre_delay ms
 */

/** @type {Knobs} */
export const NO_KNOBS = { rt60: null, dry_wet: null, pre_delay: null };

/**
 * What an rt60 knob asks for at a position: nothing at its right end, where that is neutral.
 *
 * @param {{min: number, max: number, step: number, neutral_end?: boolean}} slider
 * @param {number} position seconds
 * @returns {number | null} seconds
 */
export function rt60At({ min, max, step, neutral_end }, position) {
  return !neutral_end || position < max - Math.min(step, max - min) / 2 ? position : null;
}

const FADE_SECONDS = 0.03;
const MOST_SAMPLES = 2 ** 21;

/** Delays two channels; another length is faded to. */
export class PreDelay {
  /** @param {number} fs */
  constructor(fs) {
    this.fs = fs;
    this.lines = [new DelayLine(), new DelayLine()];
    this.steps = 0;
    this.next = 0;
    this.wanted = 0;
    this.fade = new Ramp(1);
    this.time = 0;
  }

  /** @param {number} milliseconds */
  set(milliseconds) {
    this.wanted = Math.min(Math.floor((milliseconds * this.fs) / 1000 + 0.5), MOST_SAMPLES);
    for (const line of this.lines) line.ensure(this.wanted, this.time);
    if (this.time === 0) this.steps = this.next = this.wanted;
  }

  reset() {
    for (const line of this.lines) line.reset();
  }

  /** @param {Float64Array[]} channels [2][BLOCK], in place */
  process(channels) {
    const { lines, fade, time } = this;
    for (let c = 0; c < 2; c++) lines[c].put(channels[c], 0, BLOCK, time);
    if (fade.still && this.steps !== this.wanted) {
      this.next = this.wanted;
      fade.value = 0;
      fade.go(1, FADE_SECONDS * this.fs);
    }
    for (let t = 0; t < BLOCK; t++) {
      const weight = fade.next();
      for (let c = 0; c < 2; c++) {
        const { data } = lines[c];
        const old = data[lines[c].index(time + t, this.steps)];
        const other = data[lines[c].index(time + t, this.next)];
        channels[c][t] = this.steps === this.next ? old : old + weight * (other - old);
      }
      if (fade.still) this.steps = this.next;
    }
    this.time += BLOCK;
  }
}
