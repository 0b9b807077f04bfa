import { BLOCK } from "../block.js";
import { InputSpectra, ResponseSpectra, toSamples } from "../convolution.js";
import { DelayLine } from "../line.js";
import { ParameterOperation } from "./operation.js";

/** @import { Clock, Sheets } from "../block.js" */

/** From so many taps on that are not zero, the fast convolution is faster. */
const MANY = 3 * BLOCK;

/**
 * The past of a FIR filter's input, with its spectra when somebody needs them.
 */
export class FirLine extends DelayLine {
  constructor() {
    super();
    /** @type {InputSpectra | null} */
    this.spectra = null;
  }

  reset() {
    super.reset();
    this.spectra?.reset();
  }

  /**
   * @param {number} taps
   * @returns {InputSpectra}
   */
  shared(taps) {
    const part = taps > 64 * BLOCK ? 4 * BLOCK : BLOCK;
    this.spectra ??= new InputSpectra(this, part, Math.ceil(taps / part) - 1);
    return this.spectra;
  }
}

/**
 * How a path's response stands in a plan's values.
 *
 * @typedef {object} FirPath
 * @property {FirLine} line
 * @property {number} first index of its first tap
 * @property {number} stride from tap to tap
 */

/** y = Σ taps ∗ x, over one path or more. */
export class Fir extends ParameterOperation {
  /**
   * @param {FirPath[]} paths
   * @param {number} taps
   * @param {number} output
   */
  constructor(paths, taps, output) {
    super(paths.length * taps, [output]);
    this.paths = paths;
    this.taps = taps;
    this.output = output;
    this.active = paths.map(() => new Int32Array(taps));
    this.counts = new Int32Array(paths.length);
    this.shortest = new Float64Array(paths.length).fill(Infinity);
    this.known = new Float64Array(paths.length).fill(Infinity);
    /** @type {Tail | null} */
    this.tail = null;
  }

  /**
   * @param {Float64Array} values
   * @param {Float64Array} sheet
   */
  load(values, sheet) {
    this.paths.forEach(({ first, stride }, p) => {
      const start = this.cell + p * this.taps;
      for (let k = 0; k < this.taps; k++) sheet[start + k] = values[first + k * stride];
    });
  }

  /** @param {Sheets} sheets */
  prepare(sheets) {
    super.prepare(sheets);
    this.paths.forEach((_, p) => {
      this.counts[p] = this.#activate(p, this.taps);
      this.shortest[p] = this.counts[p] > 0 ? this.active[p][0] : Infinity;
    });
    // Only at the beginning: a tail that joins later would not have heard what came before.
    if (sheets.clock.time === 0 && !this.tail && this.counts.some((count) => count > MANY)) {
      this.tail = new Tail(this.paths, this.taps);
    }
    const longest = this.tail ? 2 * this.tail.part : this.taps;
    for (const { line } of this.paths) line.ensure(longest, sheets.clock.time);
    if (this.tail) {
      this.tail.load(this.to, this.cell);
      this.paths.forEach((_, p) => (this.counts[p] = this.#activate(p, this.tail?.part ?? 0)));
    }
    const sooner = this.shortest.some((delay, p) => delay < Math.min(this.known[p], BLOCK));
    if (sooner) this.known.set(this.shortest);
    return sooner;
  }

  /**
   * Notes which of a path's first taps are not zero; returns how many.
   *
   * @param {number} p
   * @param {number} limit
   */
  #activate(p, limit) {
    const start = this.cell + p * this.taps;
    let count = 0;
    for (let k = 0; k < Math.min(limit, this.taps); k++) {
      if (this.from[start + k] !== 0 || this.to[start + k] !== 0) this.active[p][count++] = k;
    }
    return count;
  }

  settle() {
    this.tail?.settle();
  }

  reset() {
    this.tail?.reset();
  }

  needs() {
    this.known.set(this.shortest);
    const memories = this.paths.map(({ line }, p) => ({ memory: line, delay: this.shortest[p] }));
    return { signals: [], memories: memories.filter(({ delay }) => delay !== Infinity) };
  }

  /**
   * @param {number} at
   * @param {number} count
   * @param {Clock} clock
   */
  run(at, count, clock) {
    const { bus } = this;
    const y = this.output + at;
    bus.fill(0, y, y + count);
    this.tail?.addTo(bus, y, clock.time + at, count, clock.weight + at * clock.step, clock.step);
    for (let p = 0; p < this.paths.length; p++) this.#head(p, y, at, count, clock);
  }

  /**
   * @param {number} p
   * @param {number} y
   * @param {number} at
   * @param {number} count
   * @param {Clock} clock
   */
  #head(p, y, at, count, clock) {
    const { bus, from, to, taps } = this;
    const { line } = this.paths[p];
    const { data } = line;
    const start = this.cell + p * taps;
    const active = this.active[p];
    const weight = clock.weight + at * clock.step;
    for (let k = 0; k < this.counts[p]; k++) {
      const x = line.index(clock.time + at, active[k]);
      const older = from[start + active[k]];
      if (clock.step === 0) {
        for (let t = 0; t < count; t++) bus[y + t] += older * data[x + t];
      } else {
        const change = to[start + active[k]] - older;
        const tap = older + weight * change;
        const slope = clock.step * change;
        for (let t = 0; t < count; t++) bus[y + t] += (tap + t * slope) * data[x + t];
      }
    }
  }
}

/** What all taps but the first few add to an output. */
class Tail {
  /**
   * @param {FirPath[]} paths
   * @param {number} taps
   */
  constructor(paths, taps) {
    this.taps = taps;
    this.inputs = paths.map(({ line }) => line.shared(taps));
    this.part = this.inputs[0].part;
    this.older = this.inputs.map((input) => new ResponseSpectra(input));
    this.newer = this.inputs.map((input) => new ResponseSpectra(input));
    this.re = new Float64Array(2 * this.part);
    this.im = new Float64Array(2 * this.part);
    this.out = new Float64Array(this.part);
    this.newerOut = new Float64Array(this.part);
    this.computed = -1;
    this.fresh = true;
    this.moving = false;
  }

  /**
   * @param {Float64Array} sheet
   * @param {number} cell
   */
  load(sheet, cell) {
    this.newer.forEach((response, p) => response.set(sheet, cell + p * this.taps, this.taps));
    this.moving = true;
    // The partition that has begun needs what the newer response adds to it.
    this.computed = -1;
    // The first response there is has nothing to glide from.
    if (this.fresh) this.settle();
    this.fresh = false;
  }

  settle() {
    if (!this.moving) return;
    this.moving = false;
    for (let p = 0; p < this.older.length; p++) this.older[p].copy(this.newer[p]);
    this.out.set(this.newerOut);
  }

  reset() {
    this.out.fill(0);
    this.newerOut.fill(0);
    this.computed = -1;
  }

  /**
   * @param {Float64Array} bus
   * @param {number} y
   * @param {number} time
   * @param {number} count
   * @param {number} weight
   * @param {number} step
   */
  addTo(bus, y, time, count, weight, step) {
    const { part } = this;
    const begin = time - (time % part);
    if (begin !== this.computed) this.#compute(begin);
    const x = time - begin;
    if (step === 0) {
      for (let t = 0; t < count; t++) bus[y + t] += this.out[x + t];
      return;
    }
    for (let t = 0; t < count; t++) {
      const w = weight + t * step;
      bus[y + t] += (1 - w) * this.out[x + t] + w * this.newerOut[x + t];
    }
  }

  /** @param {number} time of the partition's first sample */
  #compute(time) {
    this.computed = time;
    for (const input of this.inputs) input.update(time);
    this.#convolve(this.older, this.out);
    if (this.moving) this.#convolve(this.newer, this.newerOut);
  }

  /**
   * @param {ResponseSpectra[]} responses
   * @param {Float64Array} out
   */
  #convolve(responses, out) {
    this.re.fill(0);
    this.im.fill(0);
    for (const response of responses) response.addTo(this.re, this.im);
    toSamples(this.inputs[0].fft, this.re, this.im, out);
  }
}
