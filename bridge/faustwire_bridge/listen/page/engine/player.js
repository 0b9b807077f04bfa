import { BLOCK } from "./block.js";
import { NO_KNOBS } from "./knobs.js";
import { Limiter } from "./limiter.js";
import { Ramp } from "./ramp.js";
import { Source } from "./source.js";
import { Voice } from "./voice.js";

/** @import { Knobs } from "./knobs.js" */
/** @import { Plan } from "./plan.js" */

/** So many voices ring out at a time; the oldest is faded when another one comes. */
const RINGING = 5;
const GOODBYE_SECONDS = 0.05;
const PANIC_SECONDS = 0.005;

/**
 * What is heard: a source, played into one of several voices (A, B, a worker …), while those that
 * had it before ring out.
 */
export class Player {
  /**
   * @param {number} fs
   * @param {(text: string) => void} [onTrouble]
   */
  constructor(fs, onTrouble = () => undefined) {
    this.fs = fs;
    this.onTrouble = onTrouble;
    this.source = new Source(fs);
    this.limiter = new Limiter(fs);
    /** @type {Knobs} */
    this.knobs = NO_KNOBS;
    /** @type {Map<string, Voice>} */
    this.slots = new Map();
    /** @type {[string, Voice][]} the same: walking over a map allocates */
    this.listed = [];
    /** The slots that get the input. */
    this.selected = new Set(["A"]);
    /** @type {Voice[]} the oldest first */
    this.ringing = [];
    this.volume = new Ramp(1);
    this.mute = new Ramp(1);
    this.panicking = false;
    this.input = [new Float64Array(BLOCK), new Float64Array(BLOCK)];
    this.out = [new Float64Array(BLOCK), new Float64Array(BLOCK)];
    this.glideSeconds = 0.1;
    /** How many glides and hand-overs there were. */
    this.counts = { glides: 0, handOvers: 0 };
    this.peaks = new Float64Array(2);
    this.squares = new Float64Array(2);
    this.measured = 0;
  }

  /**
   * Gives a slot another plan: it glides there when that is possible, else a new voice gets the
   * input and the old one rings out.
   *
   * @param {string} slot
   * @param {Plan} plan
   * @param {{glide?: boolean, gain?: number}} [options] glide: whether the way between the two is
   *     known to be stable; gain: linear, to match levels
   */
  load(slot, plan, { glide = true, gain = 1 } = {}) {
    const voice = this.slots.get(slot);
    if (voice && glide && voice.suits(plan) && voice.glide(plan, this.glideSeconds)) {
      this.counts.glides++;
      voice.output.go(gain, this.glideSeconds * this.fs);
      return;
    }
    this.#replace(slot, plan, gain);
  }

  /**
   * @param {string} slot
   * @param {Plan} plan
   * @param {number} gain
   */
  #replace(slot, plan, gain) {
    const before = this.slots.get(slot);
    const voice = new Voice(plan, this.knobs);
    this.slots.set(slot, voice);
    this.listed = [...this.slots];
    if (this.selected.has(slot)) voice.hand(true);
    voice.output = new Ramp(gain);
    if (before) {
      this.counts.handOvers++;
      this.#letRing(before);
    }
  }

  /** @param {Voice} voice */
  #letRing(voice) {
    voice.hand(false);
    voice.waiting = null;
    if (voice.broken) return;
    this.ringing.push(voice);
    const excess = this.ringing.length - RINGING;
    for (let k = 0; k < excess; k++) {
      const old = this.ringing[k];
      if (old.output.target !== 0) old.output.go(0, GOODBYE_SECONDS * this.fs);
    }
  }

  /**
   * @param {string} slot
   * @param {number} gain linear
   */
  setGain(slot, gain) {
    this.slots.get(slot)?.output.go(gain, GOODBYE_SECONDS * this.fs);
  }

  /** @param {...string} slots those that get the input */
  select(...slots) {
    const before = this.selected;
    this.selected = new Set(slots);
    for (const slot of before) if (!this.selected.has(slot)) this.slots.get(slot)?.hand(false);
    for (const slot of slots) if (!before.has(slot)) this.#handTo(this.slots.get(slot));
  }

  /** @param {Voice | undefined} voice */
  #handTo(voice) {
    const gain = voice?.output.target ?? 1;
    voice?.hand(true);
    voice?.output.go(gain, 1);
  }

  /** @param {string} slot */
  remove(slot) {
    const voice = this.slots.get(slot);
    this.slots.delete(slot);
    this.listed = [...this.slots];
    if (voice) this.#letRing(voice);
  }

  /** @param {Knobs} knobs */
  turn(knobs) {
    this.knobs = { ...knobs };
    for (const voice of this.slots.values()) voice.turn(knobs);
  }

  /** @param {number} gain linear */
  setVolume(gain) {
    this.volume.go(gain, 0.02 * this.fs);
  }

  /** Silence, at once: every tail is cut and the source stopped. */
  panic() {
    this.panicking = true;
    this.mute.go(0, PANIC_SECONDS * this.fs);
  }

  /**
   * @param {Float32Array[]} microphone its channels, or none
   * @returns {Float64Array[]} [2][BLOCK], valid until the next call
   */
  process(microphone) {
    const { out, input } = this;
    this.source.process(input, microphone);
    out[0].fill(0);
    out[1].fill(0);
    const { listed } = this;
    for (let k = 0; k < listed.length; k++) {
      const slot = listed[k][0];
      const voice = listed[k][1];
      if (this.selected.has(slot) || !voice.over) this.#add(voice);
      if (voice.stranded) this.#rescue(slot, voice);
    }
    for (let k = 0; k < this.ringing.length; k++) this.#add(this.ringing[k]);
    this.#forget();
    for (let t = 0; t < BLOCK; t++) {
      const gain = this.volume.next() * this.mute.next();
      out[0][t] *= gain;
      out[1][t] *= gain;
    }
    this.limiter.process(out);
    this.#measure();
    if (this.panicking && this.mute.still) this.#calm();
    return out;
  }

  /** @param {Voice} voice */
  #add(voice) {
    if (voice.broken) return;
    voice.process(this.input);
    if (voice.broken) {
      this.onTrouble("the model's output is not finite, or louder than any sound: it is muted until the next snapshot");
      return;
    }
    const { out } = this;
    const left = voice.out[0];
    const right = voice.out[1];
    for (let t = 0; t < BLOCK; t++) {
      const gain = voice.output.next();
      out[0][t] += gain * left[t];
      out[1][t] += gain * right[t];
    }
  }

  /**
   * @param {string} slot
   * @param {Voice} voice
   */
  #rescue(slot, voice) {
    const plan = voice.stranded;
    voice.stranded = null;
    if (plan) this.#replace(slot, plan, voice.output.target);
  }

  #forget() {
    let kept = 0;
    for (let k = 0; k < this.ringing.length; k++) {
      const voice = this.ringing[k];
      const gone = voice.broken || voice.over || (voice.output.still && voice.output.value === 0);
      if (!gone) this.ringing[kept++] = voice;
    }
    this.ringing.length = kept;
  }

  #calm() {
    this.panicking = false;
    this.ringing.length = 0;
    for (const voice of this.slots.values()) voice.reset();
    this.source.stop();
    this.mute.go(1, PANIC_SECONDS * this.fs);
  }

  #measure() {
    for (let c = 0; c < 2; c++) {
      const samples = this.out[c];
      for (let t = 0; t < BLOCK; t++) {
        const level = Math.abs(samples[t]);
        if (level > this.peaks[c]) this.peaks[c] = level;
        this.squares[c] += level * level;
      }
    }
    this.measured += BLOCK;
  }

  /** @returns {{peaks: number[], rms: number[], gain: number}} since it was asked last */
  levels() {
    const count = Math.max(1, this.measured);
    const levels = {
      peaks: [...this.peaks],
      rms: [...this.squares].map((sum) => Math.sqrt(sum / count)),
      gain: this.limiter.lowest,
    };
    this.peaks.fill(0);
    this.squares.fill(0);
    this.measured = 0;
    this.limiter.lowest = 1;
    return levels;
  }
}
