import { ParameterOperation } from "./operation.js";

/** @import { Clock, Sheets } from "../block.js" */

/** y = Σ gains[i] · x[i]: a row of a matrix. */
export class Row extends ParameterOperation {
  /**
   * @param {number[]} inputs signals
   * @param {number} output
   * @param {(values: Float64Array, i: number) => number} gain reads a plan's values
   */
  constructor(inputs, output, gain) {
    super(inputs.length, [output]);
    this.inputs = Int32Array.from(inputs);
    this.output = output;
    this.gain = gain;
    // The gains that are not zero, in both sheets: all others cost nothing.
    this.active = new Int32Array(inputs.length);
    this.count = -1;
  }

  /**
   * @param {Float64Array} values
   * @param {Float64Array} sheet
   */
  load(values, sheet) {
    for (let i = 0; i < this.cells; i++) sheet[this.cell + i] = this.gain(values, i);
  }

  /** @param {Sheets} sheets */
  prepare(sheets) {
    super.prepare(sheets);
    const { from, to, cell, active } = this;
    let count = 0;
    let more = this.count < 0;
    for (let i = 0; i < this.cells; i++) {
      if (from[cell + i] === 0 && to[cell + i] === 0) continue;
      more ||= active[count] !== i || count >= this.count;
      active[count++] = i;
    }
    this.count = count;
    return more;
  }

  needs() {
    return { signals: Array.from(this.active.subarray(0, this.count), (i) => this.inputs[i]), memories: [] };
  }

  /**
   * @param {number} at
   * @param {number} count
   * @param {Clock} clock
   */
  run(at, count, clock) {
    const { bus } = this;
    const y = this.output + at;
    if (clock.step !== 0) {
      bus.fill(0, y, y + count);
      return this.glide(y, at, count, clock);
    }
    if (count === 1) return this.#one(y, at);
    this.#still(y, at, count);
  }

  /**
   * @param {number} y
   * @param {number} at
   * @param {number} count
   */
  #still(y, at, count) {
    const { bus, from, active, inputs, cell } = this;
    let k = 0;
    // Four at a time: one pass over y for four passes over x.
    for (; k + 4 <= this.count; k += 4) {
      const i = active[k];
      const j = active[k + 1];
      const l = active[k + 2];
      const m = active[k + 3];
      const a = from[cell + i];
      const b = from[cell + j];
      const c = from[cell + l];
      const d = from[cell + m];
      const p = inputs[i] + at;
      const q = inputs[j] + at;
      const r = inputs[l] + at;
      const s = inputs[m] + at;
      if (k === 0) {
        for (let t = 0; t < count; t++) {
          bus[y + t] = a * bus[p + t] + b * bus[q + t] + c * bus[r + t] + d * bus[s + t];
        }
      } else {
        for (let t = 0; t < count; t++) {
          bus[y + t] += a * bus[p + t] + b * bus[q + t] + c * bus[r + t] + d * bus[s + t];
        }
      }
    }
    if (k === 0) bus.fill(0, y, y + count);
    for (; k < this.count; k++) {
      const a = from[cell + active[k]];
      const x = inputs[active[k]] + at;
      for (let t = 0; t < count; t++) bus[y + t] += a * bus[x + t];
    }
  }

  /**
   * @param {number} y
   * @param {number} at
   */
  #one(y, at) {
    const { bus, from, active, inputs, cell } = this;
    let sum = 0;
    for (let k = 0; k < this.count; k++) sum += from[cell + active[k]] * bus[inputs[active[k]] + at];
    bus[y] = sum;
  }

  /**
   * @param {number} y
   * @param {number} at
   * @param {number} count
   * @param {Clock} clock
   */
  glide(y, at, count, clock) {
    const { bus, from, to, active, inputs, cell } = this;
    const weight = clock.weight + at * clock.step;
    let k = 0;
    for (; k + 2 <= this.count; k += 2) {
      const c = cell + active[k];
      const d = cell + active[k + 1];
      const slope = clock.step * (to[c] - from[c]);
      const other = clock.step * (to[d] - from[d]);
      const gain = from[c] + weight * (to[c] - from[c]);
      const second = from[d] + weight * (to[d] - from[d]);
      const x = inputs[active[k]] + at;
      const z = inputs[active[k + 1]] + at;
      for (let t = 0; t < count; t++) {
        bus[y + t] += (gain + t * slope) * bus[x + t] + (second + t * other) * bus[z + t];
      }
    }
    for (; k < this.count; k++) {
      const c = cell + active[k];
      const change = to[c] - from[c];
      const gain = from[c] + weight * change;
      const slope = clock.step * change;
      const x = inputs[active[k]] + at;
      for (let t = 0; t < count; t++) bus[y + t] += (gain + t * slope) * bus[x + t];
    }
  }
}

/** y = Σ x[i]. */
export class Sum extends ParameterOperation {
  /**
   * @param {number[]} inputs signals
   * @param {number} output
   */
  constructor(inputs, output) {
    super(0, [output]);
    this.inputs = inputs;
    this.output = output;
  }

  needs() {
    return { signals: this.inputs, memories: [] };
  }

  /**
   * @param {number} at
   * @param {number} count
   */
  run(at, count) {
    const { bus, inputs } = this;
    const y = this.output + at;
    const first = inputs[0] + at;
    for (let t = 0; t < count; t++) bus[y + t] = bus[first + t];
    for (let i = 1; i < inputs.length; i++) {
      const x = inputs[i] + at;
      for (let t = 0; t < count; t++) bus[y + t] += bus[x + t];
    }
  }
}

/** y[i] = x[i] − 2 u[i] · p, where p = Σ u[j] · x[j]: a reflection in two steps of O(n). */
export class Reflection extends ParameterOperation {
  /**
   * @param {number} input
   * @param {number} projection the signal p
   * @param {number} output
   * @param {(values: Float64Array) => number} entry u[i] of a plan's values
   */
  constructor(input, projection, output, entry) {
    super(1, [output]);
    this.input = input;
    this.projection = projection;
    this.output = output;
    this.entry = entry;
  }

  /**
   * @param {Float64Array} values
   * @param {Float64Array} sheet
   */
  load(values, sheet) {
    sheet[this.cell] = -2 * this.entry(values);
  }

  needs() {
    return { signals: [this.input, this.projection], memories: [] };
  }

  /**
   * @param {number} at
   * @param {number} count
   * @param {Clock} clock
   */
  run(at, count, clock) {
    const { bus, cell } = this;
    const change = this.to[cell] - this.from[cell];
    const slope = clock.step * change;
    const gain = clock.step === 0 ? this.from[cell] : this.from[cell] + (clock.weight + at * clock.step) * change;
    const x = this.input + at;
    const p = this.projection + at;
    const y = this.output + at;
    for (let t = 0; t < count; t++) bus[y + t] = bus[x + t] + (gain + t * slope) * bus[p + t];
  }
}
