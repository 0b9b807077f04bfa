import { BLOCK, SILENT } from "./block.js";

/** Lines have room for at least so many samples, and for twice their delay up to this length. */
const LEAST = 4096;
const LONG = 2 ** 16;

/**
 * The past of one signal. Its first BLOCK samples are stored once more behind the last, so that
 * any BLOCK samples can be read without wrapping around.
 */
export class DelayLine {
  constructor() {
    this.length = 2 * BLOCK;
    this.data = new Float64Array(this.length + BLOCK);
  }

  /**
   * Makes room for a delay; what was heard stays.
   *
   * @param {number} delay samples
   * @param {number} time samples since the line began
   * @returns {boolean} false: the past that such a delay reads was not kept
   */
  ensure(delay, time) {
    const wanted = delay + 2 * BLOCK;
    if (wanted <= this.length) return true;
    const old = this.data;
    const oldLength = this.length;
    // Delays in training change: with room from the start their past is there when they grow.
    this.length = Math.max(Math.ceil(wanted * (wanted < LONG ? 2 : 1.25)), time === 0 ? LEAST : 0);
    this.data = new Float64Array(this.length + BLOCK);
    for (let t = Math.max(0, time - oldLength); t < time; t++) {
      const at = t % this.length;
      this.data[at] = old[t % oldLength];
      if (at < BLOCK) this.data[at + this.length] = this.data[at];
    }
    return time <= oldLength;
  }

  reset() {
    this.data.fill(0);
  }

  /**
   * Where the sample stands that was written some samples before a time.
   *
   * @param {number} time
   * @param {number} delay at most what `ensure` was told
   * @returns {number} index into `data`, good for BLOCK samples on
   */
  index(time, delay) {
    const at = (time - delay) % this.length;
    return at < 0 ? at + this.length : at;
  }

  /**
   * @param {Float64Array} bus
   * @param {number} start of the samples on the bus
   * @param {number} count at most BLOCK
   * @param {number} time of the first of them
   */
  put(bus, start, count, time) {
    const { data, length } = this;
    let at = time % length;
    for (let t = 0; t < count; t++) {
      const value = bus[start + t];
      const kept = value < SILENT && value > -SILENT ? 0 : value;
      data[at] = kept;
      if (at < BLOCK) data[at + length] = kept;
      if (++at === length) at = 0;
    }
  }
}
