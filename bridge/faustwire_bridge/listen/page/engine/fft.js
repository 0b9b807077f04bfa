/**
 * The discrete Fourier transform of 2^k complex numbers, in place: radix 2, decimation in time, as
 * in any textbook. Real and imaginary parts stand in arrays of their own.
 */
export class FFT {
  /** @param {number} size a power of two */
  constructor(size) {
    this.size = size;
    this.cosines = Float64Array.from({ length: size / 2 }, (_, k) => Math.cos((2 * Math.PI * k) / size));
    this.sines = Float64Array.from({ length: size / 2 }, (_, k) => Math.sin((2 * Math.PI * k) / size));
    this.reversed = new Uint32Array(size);
    const bits = Math.log2(size);
    for (let i = 1; i < size; i++) {
      this.reversed[i] = (this.reversed[i >> 1] >> 1) | ((i & 1) << (bits - 1));
    }
  }

  /**
   * @param {Float64Array} real
   * @param {Float64Array} imaginary
   */
  forward(real, imaginary) {
    this.#transform(real, imaginary);
  }

  /**
   * Times the size: divide by it where it matters.
   *
   * @param {Float64Array} real
   * @param {Float64Array} imaginary
   */
  inverse(real, imaginary) {
    this.#transform(imaginary, real);
  }

  /**
   * @param {Float64Array} real
   * @param {Float64Array} imaginary
   */
  #transform(real, imaginary) {
    const { size, cosines, sines, reversed } = this;
    for (let i = 0; i < size; i++) {
      const j = reversed[i];
      if (j <= i) continue;
      const re = real[i];
      const im = imaginary[i];
      real[i] = real[j];
      imaginary[i] = imaginary[j];
      real[j] = re;
      imaginary[j] = im;
    }
    for (let half = 1; half < size; half *= 2) {
      const stride = size / (2 * half);
      for (let start = 0; start < size; start += 2 * half) {
        for (let k = 0; k < half; k++) {
          const c = cosines[k * stride];
          const s = sines[k * stride];
          const a = start + k;
          const b = a + half;
          const re = real[b] * c + imaginary[b] * s;
          const im = imaginary[b] * c - real[b] * s;
          real[b] = real[a] - re;
          imaginary[b] = imaginary[a] - im;
          real[a] += re;
          imaginary[a] += im;
        }
      }
    }
  }
}
