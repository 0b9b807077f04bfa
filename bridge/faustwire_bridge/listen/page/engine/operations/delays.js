import { BLOCK, SILENT } from "../block.js";
import { ParameterOperation } from "./operation.js";

/** @import { Clock, Sheets } from "../block.js" */
/** @import { DelayLine } from "../line.js" */

/** Taps of an interpolator, order of an allpass: those of codegen/fractional.py. */
export const TAPS = 24;
export const ORDER = 16;

/** Writes a signal into the line that other operations read. */
export class LineWrite extends ParameterOperation {
  /**
   * @param {number} input
   * @param {DelayLine} line
   */
  constructor(input, line) {
    super(0, []);
    this.input = input;
    this.fills = this.line = line;
  }

  reset() {
    this.line.reset();
  }

  needs() {
    return { signals: [this.input], memories: [] };
  }

  /**
   * @param {number} at
   * @param {number} count
   * @param {Clock} clock
   */
  run(at, count, clock) {
    this.line.put(this.bus, this.input + at, count, clock.time + at);
  }
}

/**
 * One of the two places in a line that a path is read from while it glides.
 *
 * @typedef {object} Head
 * @property {number} steps whole samples of delay
 * @property {number} order of the allpass; 0: none
 * @property {Float64Array} coefficients of the allpass or the interpolator
 * @property {Float64Array} past outputs of the allpass, the newest first
 */

/**
 * How a delay is described in a plan's values.
 *
 * @typedef {object} DelayPath
 * @property {DelayLine} line
 * @property {number} samples index of the delay
 * @property {number} gain index of its gain; -1: 1
 * @property {number} filter index of its filter; -1: the delay is whole
 */

/** y = Σ gain · x delayed, over one path or more. */
export class DelayRead extends ParameterOperation {
  /**
   * @param {DelayPath[]} paths
   * @param {number} output
   * @param {boolean} inLoop where filters are allpasses and the decay knob acts
   */
  constructor(paths, output, inLoop) {
    super(paths.length, [output]);
    this.paths = paths;
    this.output = output;
    this.inLoop = inLoop;
    const size = inLoop ? ORDER : TAPS;
    const head = () => ({ steps: 0, order: 0, coefficients: new Float64Array(size), past: new Float64Array(ORDER) });
    /** @type {Head[]} */
    this.older = paths.map(head);
    /** @type {Head[]} */
    this.newer = paths.map(head);
    this.moves = new Uint8Array(paths.length);
    // The shortest delay of each path, as the schedule knows it; Infinity: silent.
    this.shortest = new Float64Array(paths.length).fill(Infinity);
    this.known = new Float64Array(paths.length).fill(Infinity);
    this.scratch = new Float64Array(BLOCK);
  }

  /**
   * @param {Float64Array} values
   * @param {Float64Array} sheet
   * @param {number} rt60
   */
  load(values, sheet, rt60) {
    this.paths.forEach((path, p) => {
      const samples = values[path.samples];
      const gain = path.gain < 0 ? 1 : values[path.gain];
      const attenuation = this.inLoop && rt60 !== Infinity ? Math.exp((-3 * Math.LN10 * samples) / rt60) : 1;
      sheet[this.cell + p] = gain * attenuation;
      this.#place(this.newer[p], path, values, samples);
    });
  }

  /**
   * @param {Head} head
   * @param {DelayPath} path
   * @param {Float64Array} values
   * @param {number} samples
   */
  #place(head, path, values, samples) {
    head.order = 0;
    head.steps = Math.floor(samples + 0.5);
    if (path.filter < 0) return;
    head.steps = values[path.filter];
    const start = path.filter + (this.inLoop ? 2 : 1);
    if (this.inLoop) head.order = values[path.filter + 1];
    for (let k = 0; k < head.coefficients.length; k++) head.coefficients[k] = values[start + k];
  }

  /** @param {Sheets} sheets */
  prepare(sheets) {
    super.prepare(sheets);
    const { time } = sheets.clock;
    let sooner = false;
    this.lacksPast = false;
    this.paths.forEach((path, p) => {
      const [older, newer] = [this.older[p], this.newer[p]];
      this.moves[p] = same(older, newer) ? 0 : 1;
      if (this.moves[p]) newer.past.set(older.past);
      const silent = this.from[this.cell + p] === 0 && this.to[this.cell + p] === 0;
      this.shortest[p] = silent ? Infinity : Math.min(older.steps, newer.steps);
      if (this.shortest[p] < Math.min(this.known[p], BLOCK)) sooner = true;
      const longest = Math.max(older.steps, newer.steps) + (path.filter < 0 ? 0 : TAPS);
      if (!path.line.ensure(longest, time)) this.lacksPast = true;
    });
    if (sooner) this.known.set(this.shortest);
    return sooner;
  }

  settle() {
    for (let p = 0; p < this.moves.length; p++) {
      const older = this.older[p];
      const newer = this.newer[p];
      older.steps = newer.steps;
      older.order = newer.order;
      older.coefficients.set(newer.coefficients);
      if (this.moves[p] === 1) older.past.set(newer.past);
      this.moves[p] = 0;
    }
  }

  reset() {
    for (const head of this.older) head.past.fill(0);
    for (const head of this.newer) head.past.fill(0);
  }

  needs() {
    this.known.set(this.shortest);
    const memories = this.paths.map((path, p) => ({ memory: path.line, delay: this.shortest[p] }));
    return { signals: [], memories: memories.filter(({ delay }) => delay !== Infinity) };
  }

  /**
   * @param {number} at
   * @param {number} count
   * @param {Clock} clock
   */
  run(at, count, clock) {
    const { bus, from, to, cell } = this;
    const y = this.output + at;
    const weight = clock.weight + at * clock.step;
    bus.fill(0, y, y + count);
    for (let p = 0; p < this.paths.length; p++) {
      const a = from[cell + p];
      const b = to[cell + p];
      if (a === 0 && b === 0) continue;
      if (clock.step === 0) {
        this.#read(p, this.older[p], at, count, clock, a, 0);
        continue;
      }
      const gain = a + weight * (b - a);
      const slope = clock.step * (b - a);
      if (this.moves[p] === 0) {
        this.#read(p, this.older[p], at, count, clock, gain, slope);
      } else {
        this.#read(p, this.older[p], at, count, clock, a * (1 - weight), -a * clock.step);
        this.#read(p, this.newer[p], at, count, clock, b * weight, b * clock.step);
      }
    }
  }

  /**
   * Adds what a head hears, times a gain that changes by a slope each sample.
   *
   * @param {number} p
   * @param {Head} head
   * @param {number} at
   * @param {number} count
   * @param {Clock} clock
   * @param {number} gain
   * @param {number} slope
   */
  #read(p, head, at, count, clock, gain, slope) {
    const { line, filter } = this.paths[p];
    const { bus, scratch } = this;
    const y = this.output + at;
    const time = clock.time + at;
    if (filter >= 0 && (!this.inLoop || head.order > 0)) {
      if (this.inLoop) allpass(head, line, time, count, scratch);
      else interpolate(head, line, time, count, scratch);
      for (let t = 0; t < count; t++) bus[y + t] += (gain + t * slope) * scratch[t];
      return;
    }
    const { data } = line;
    const x = line.index(time, head.steps);
    if (slope === 0) for (let t = 0; t < count; t++) bus[y + t] += gain * data[x + t];
    else for (let t = 0; t < count; t++) bus[y + t] += (gain + t * slope) * data[x + t];
  }
}

/**
 * @param {Head} one
 * @param {Head} other
 */
function same(one, other) {
  if (one.steps !== other.steps || one.order !== other.order) return false;
  for (let k = 0; k < one.coefficients.length; k++) {
    if (one.coefficients[k] !== other.coefficients[k]) return false;
  }
  return true;
}

/**
 * @param {Head} head
 * @param {DelayLine} line
 * @param {number} time
 * @param {number} count
 * @param {Float64Array} out
 */
function interpolate(head, line, time, count, out) {
  const { data } = line;
  out.fill(0, 0, count);
  for (let k = 0; k < TAPS; k++) {
    const tap = head.coefficients[k];
    if (tap === 0) continue;
    const x = line.index(time, head.steps + k);
    for (let t = 0; t < count; t++) out[t] += tap * data[x + t];
  }
}

/**
 * y = x@(M+N) + Σ a_k (x@(M+N−k) − y@k)
 *
 * @param {Head} head
 * @param {DelayLine} line
 * @param {number} time
 * @param {number} count
 * @param {Float64Array} out
 */
function allpass(head, line, time, count, out) {
  const { data } = line;
  const { order, past, coefficients } = head;
  const longest = head.steps + order;
  for (let t = 0; t < count; t++) {
    let y = data[line.index(time + t, longest)];
    for (let k = 1; k <= order; k++) {
      y += coefficients[k - 1] * (data[line.index(time + t, longest - k)] - past[k - 1]);
    }
    if (y < SILENT && y > -SILENT) y = 0;
    for (let k = order - 1; k > 0; k--) past[k] = past[k - 1];
    past[0] = y;
    out[t] = y;
  }
}
