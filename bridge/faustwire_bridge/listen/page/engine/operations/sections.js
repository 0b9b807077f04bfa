import { BLOCK, SILENT } from "../block.js";
import { ParameterOperation } from "./operation.js";

/** @import { Clock, DelayMemory, Sheets } from "../block.js" */

/** b0 b1 b2 a1 a2: a0 is 1. */
const COEFFICIENTS = 5;
/** Where they stand among a plan's six. */
const PLACES = [0, 1, 2, 4, 5];

/**
 * How a path's cascade stands in a plan's values: coefficient c of section s at
 * first + (6 s + c) · stride.
 *
 * @typedef {object} Cascade
 * @property {number} first
 * @property {number} stride
 */

/**
 * Sections in transposed direct form II, which bears coefficients that change.
 */
export class Sections extends ParameterOperation {
  /**
   * @param {number} input
   * @param {number} output
   * @param {Cascade} cascade
   * @param {number} begin the first section of the cascade that this operation computes
   * @param {number} end behind the last
   */
  constructor(input, output, cascade, begin, end) {
    super((end - begin) * COEFFICIENTS, [output]);
    this.input = input;
    this.output = output;
    this.cascade = cascade;
    this.begin = begin;
    this.count = end - begin;
    this.states = new Float64Array(2 * this.count);
  }

  /**
   * @param {Float64Array} values
   * @param {Float64Array} sheet
   */
  load(values, sheet) {
    const { first, stride } = this.cascade;
    for (let s = 0; s < this.count; s++) {
      for (let c = 0; c < COEFFICIENTS; c++) {
        const place = first + (6 * (this.begin + s) + PLACES[c]) * stride;
        sheet[this.cell + s * COEFFICIENTS + c] = values[place];
      }
    }
  }

  reset() {
    this.states.fill(0);
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
    let x = this.input + at;
    const y = this.output + at;
    for (let s = 0; s < this.count; s++) {
      if (clock.step === 0) this.#section(s, x, y, count);
      else this.#gliding(s, x, y, count, clock.weight + at * clock.step, clock.step);
      x = y;
    }
    // A cascade of no sections is a wire.
    if (this.count === 0) this.bus.copyWithin(y, x, x + count);
  }

  /**
   * @param {number} s
   * @param {number} x
   * @param {number} y
   * @param {number} count
   */
  #section(s, x, y, count) {
    const { bus, from, states } = this;
    const c = this.cell + s * COEFFICIENTS;
    const b0 = from[c];
    const b1 = from[c + 1];
    const b2 = from[c + 2];
    const a1 = from[c + 3];
    const a2 = from[c + 4];
    let one = states[2 * s];
    let two = states[2 * s + 1];
    for (let t = 0; t < count; t++) {
      const input = bus[x + t];
      const output = b0 * input + one;
      one = b1 * input - a1 * output + two;
      two = b2 * input - a2 * output;
      bus[y + t] = output;
    }
    states[2 * s] = heard(one);
    states[2 * s + 1] = heard(two);
  }

  /**
   * @param {number} s
   * @param {number} x
   * @param {number} y
   * @param {number} count
   * @param {number} weight
   * @param {number} step
   */
  #gliding(s, x, y, count, weight, step) {
    const { bus, from, to, states } = this;
    const c = this.cell + s * COEFFICIENTS;
    const d0 = to[c] - from[c];
    const d1 = to[c + 1] - from[c + 1];
    const d2 = to[c + 2] - from[c + 2];
    const e1 = to[c + 3] - from[c + 3];
    const e2 = to[c + 4] - from[c + 4];
    let one = states[2 * s];
    let two = states[2 * s + 1];
    for (let t = 0; t < count; t++) {
      const w = weight + t * step;
      const input = bus[x + t];
      const output = (from[c] + w * d0) * input + one;
      one = (from[c + 1] + w * d1) * input - (from[c + 3] + w * e1) * output + two;
      two = (from[c + 2] + w * d2) * input - (from[c + 4] + w * e2) * output;
      bus[y + t] = output;
    }
    states[2 * s] = heard(one);
    states[2 * s + 1] = heard(two);
  }

  /** Whether the last section's output needs none of this sample's input. */
  get lastIsDelayed() {
    const c = this.cell + (this.count - 1) * COEFFICIENTS;
    return this.from[c] === 0 && this.to[c] === 0;
  }

  /** The last section's next output, when it needs none of its input. */
  get next() {
    return this.states[2 * this.count - 2];
  }
}

/** @param {number} state */
function heard(state) {
  return state < SILENT && state > -SILENT ? 0 : state;
}

/**
 * Says the output of a cascade whose last section has b0 = 0 before the cascade has its input,
 * which is what some loops live on. Only one sample ahead: the schedule sees a delay of 1.
 */
export class Ahead extends ParameterOperation {
  /**
   * @param {Sections} sections what it speaks for
   * @param {DelayMemory} memory that the sections fill
   * @param {number} input the sections' output
   * @param {number} output
   */
  constructor(sections, memory, input, output) {
    super(0, [output]);
    this.sections = sections;
    this.memory = memory;
    sections.fills = memory;
    this.input = input;
    this.output = output;
    this.delayed = true;
    // Whether it runs before the sections; the schedule says so.
    this.first = false;
  }

  /** @param {Sheets} sheets */
  prepare(sheets) {
    super.prepare(sheets);
    const before = this.delayed;
    this.delayed = this.sections.lastIsDelayed;
    return before && !this.delayed;
  }

  needs() {
    return { signals: [], memories: [{ memory: this.memory, delay: this.delayed ? 1 : 0 }] };
  }

  /**
   * @param {number} at
   * @param {number} count
   * @param {Clock} clock
   */
  run(at, count, clock) {
    void clock;
    const y = this.output + at;
    if (this.first) {
      this.bus[y] = this.sections.next;
      return;
    }
    this.bus.copyWithin(y, this.input + at, this.input + at + Math.min(count, BLOCK));
  }
}
