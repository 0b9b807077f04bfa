import { BLOCK } from "./block.js";

/**
 * Keeps peaks below a ceiling: the output comes a little later, so that the gain is down before the
 * peak is there. Below the ceiling nothing is changed but the time.
 */
export class Limiter {
  /**
   * @param {number} fs
   * @param {number} [ceiling] linear
   */
  constructor(fs, ceiling = 0.89) {
    this.ceiling = ceiling;
    this.ahead = Math.round(0.002 * fs);
    this.release = 1 - Math.exp(-1 / (0.15 * fs));
    this.past = [new Float64Array(this.ahead), new Float64Array(this.ahead)];
    this.gains = new Float64Array(this.ahead).fill(1);
    this.sum = this.ahead;
    this.held = 1;
    this.hold = 0;
    this.at = 0;
    /** The lowest gain since somebody looked. */
    this.lowest = 1;
  }

  /** @param {Float64Array[]} channels [2][BLOCK], in place */
  process(channels) {
    const left = channels[0];
    const right = channels[1];
    const { past, gains, ceiling, ahead } = this;
    for (let t = 0; t < BLOCK; t++) {
      const peak = Math.max(Math.abs(left[t]), Math.abs(right[t]));
      const wanted = peak > ceiling ? ceiling / peak : 1;
      if (wanted <= this.held) {
        this.held = wanted;
        this.hold = ahead + 1;
      } else if (this.hold > 0) this.hold--;
      else this.held = Math.min(wanted, this.held > 0.9999 ? 1 : this.held + this.release * (1 - this.held));
      // The mean of the gains that were held since: down in a straight line, in time.
      this.sum += this.held - gains[this.at];
      gains[this.at] = this.held;
      const gain = this.sum / ahead;
      for (let c = 0; c < 2; c++) {
        const now = past[c][this.at];
        past[c][this.at] = channels[c][t];
        channels[c][t] = Math.max(-ceiling, Math.min(ceiling, gain * now));
      }
      if (gain < this.lowest) this.lowest = gain;
      if (++this.at === ahead) this.#wrap();
    }
  }

  /** A running sum drifts; here it begins anew. */
  #wrap() {
    this.at = 0;
    this.sum = 0;
    for (let k = 0; k < this.gains.length; k++) this.sum += this.gains[k];
  }
}
