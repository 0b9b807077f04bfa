/** A gain that moves in a straight line, sample by sample. */
export class Ramp {
  /** @param {number} value */
  constructor(value) {
    this.value = value;
    this.target = value;
    this.left = 0;
    this.slope = 0;
  }

  /**
   * @param {number} target
   * @param {number} samples
   */
  go(target, samples) {
    this.target = target;
    this.left = Math.max(1, Math.round(samples));
    this.slope = (target - this.value) / this.left;
  }

  /** @returns {number} the gain of the next sample */
  next() {
    if (this.left === 0) return this.value;
    this.left--;
    this.value = this.left === 0 ? this.target : this.value + this.slope;
    return this.value;
  }

  get still() {
    return this.left === 0;
  }
}
