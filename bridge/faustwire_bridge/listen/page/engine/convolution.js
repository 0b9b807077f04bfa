import { FFT } from "./fft.js";

/** @import { DelayLine } from "./line.js" */

/**
 * Long impulse responses by uniformly partitioned convolution (overlap-save), without latency: the
 * first `part` taps are somebody else's, who multiplies them out.
 */

/** The spectra of a line's past, shared by all responses that are convolved with it. */
export class InputSpectra {
  /**
   * @param {DelayLine} line
   * @param {number} part samples a partition, a multiple of BLOCK
   * @param {number} parts how many partitions back are needed
   */
  constructor(line, part, parts) {
    this.line = line;
    this.part = part;
    this.parts = parts;
    this.fft = new FFT(2 * part);
    this.width = part + 1;
    this.real = new Float64Array(parts * this.width);
    this.imaginary = new Float64Array(parts * this.width);
    this.re = new Float64Array(2 * part);
    this.im = new Float64Array(2 * part);
    this.newest = 0;
    this.time = -1;
  }

  reset() {
    this.real.fill(0);
    this.imaginary.fill(0);
    this.time = -1;
  }

  /**
   * Takes in what came before a time, once.
   *
   * @param {number} time a multiple of `part`
   */
  update(time) {
    if (this.time === time) return;
    this.time = time;
    const { line, part, re, im, width } = this;
    for (let t = 0; t < 2 * part; t++) {
      re[t] = line.data[line.index(time, 2 * part - t)];
      im[t] = 0;
    }
    this.fft.forward(re, im);
    this.newest = (this.newest + this.parts - 1) % this.parts;
    const start = this.newest * width;
    for (let k = 0; k < width; k++) {
      this.real[start + k] = re[k];
      this.imaginary[start + k] = im[k];
    }
  }
}

/** The spectra of one response, from its tap `part` on. */
export class ResponseSpectra {
  /** @param {InputSpectra} input */
  constructor(input) {
    this.input = input;
    this.real = new Float64Array(input.real.length);
    this.imaginary = new Float64Array(input.real.length);
  }

  /**
   * @param {Float64Array} taps
   * @param {number} start of the response in them
   * @param {number} count its taps
   */
  set(taps, start, count) {
    const { part, parts, width, fft } = this.input;
    const re = new Float64Array(2 * part);
    const im = new Float64Array(2 * part);
    for (let p = 0; p < parts; p++) {
      const first = (p + 1) * part;
      re.fill(0);
      im.fill(0);
      for (let t = 0; t < part && first + t < count; t++) re[t] = taps[start + first + t];
      fft.forward(re, im);
      for (let k = 0; k < width; k++) {
        this.real[p * width + k] = re[k] / (2 * part);
        this.imaginary[p * width + k] = im[k] / (2 * part);
      }
    }
  }

  /** @param {ResponseSpectra} other */
  copy(other) {
    this.real.set(other.real);
    this.imaginary.set(other.imaginary);
  }

  /**
   * Adds the product of the two spectra.
   *
   * @param {Float64Array} re
   * @param {Float64Array} im
   */
  addTo(re, im) {
    const { input } = this;
    const { parts, width } = input;
    for (let p = 0; p < parts; p++) {
      const h = p * width;
      const x = ((input.newest + p) % parts) * width;
      for (let k = 0; k < width; k++) {
        const a = this.real[h + k];
        const b = this.imaginary[h + k];
        const c = input.real[x + k];
        const d = input.imaginary[x + k];
        re[k] += a * c - b * d;
        im[k] += a * d + b * c;
      }
    }
  }
}

/**
 * The samples of a product of spectra that belong to the next partition.
 *
 * @param {FFT} fft
 * @param {Float64Array} re lower half given, changed
 * @param {Float64Array} im likewise
 * @param {Float64Array} out [part]
 */
export function toSamples(fft, re, im, out) {
  const { size } = fft;
  const part = size / 2;
  for (let k = 1; k < part; k++) {
    re[size - k] = re[k];
    im[size - k] = -im[k];
  }
  fft.inverse(re, im);
  for (let t = 0; t < part; t++) out[t] = re[part + t];
}
