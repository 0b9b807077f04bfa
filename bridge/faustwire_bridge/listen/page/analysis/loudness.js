/** How loud a response makes what is played through it. */

/**
 * @typedef {object} Section a filter of second order, a0 = 1
 * @property {number[]} b
 * @property {number[]} a a1 and a2
 */

/**
 * The K weighting of ITU-R BS.1770: a shelf for the head, and a high-pass. The recommendation has
 * its coefficients at 48 kHz; these are the analogue filters that they come from, at any rate.
 *
 * @param {number} fs
 * @returns {Section[]}
 */
export function weighting(fs) {
  const shelf = { hertz: 1681.974450955533, q: 0.7071752369554196, high: 10 ** (3.999843853973347 / 20) };
  const pass = { hertz: 38.13547087602444, q: 0.5003270373238773 };
  return [
    section(fs, shelf, [shelf.high, shelf.high ** 0.4996667741545416, 1]),
    // The recommendation leaves its gain as it is.
    { ...section(fs, pass, [1, 0, 0]), b: [1, -2, 1] },
  ];
}

/**
 * By the bilinear transform.
 *
 * @param {number} fs
 * @param {{hertz: number, q: number}} pole
 * @param {number[]} gains at high frequencies, at the pole's, at low ones
 * @returns {Section}
 */
function section(fs, { hertz, q }, [high, middle, low]) {
  const k = Math.tan((Math.PI * hertz) / fs);
  const scale = 1 / (1 + k / q + k * k);
  return {
    b: [high + (middle * k) / q + low * k * k, 2 * (low * k * k - high), high - (middle * k) / q + low * k * k].map((x) => x * scale),
    a: [2 * (k * k - 1) * scale, (1 - k / q + k * k) * scale],
  };
}

/**
 * The energy of a response as ears weight it.
 *
 * @param {Float64Array[]} channels
 * @param {number} fs
 */
export function weightedEnergy(channels, fs) {
  let energy = 0;
  for (const samples of channels) {
    const weighted = weighting(fs).reduce(filtered, samples);
    for (let t = 0; t < weighted.length; t++) energy += weighted[t] * weighted[t];
  }
  return energy;
}

/**
 * @param {Float64Array} samples
 * @param {Section} section
 */
function filtered(samples, { b: [b0, b1, b2], a: [a1, a2] }) {
  const out = new Float64Array(samples.length);
  let [s1, s2] = [0, 0];
  for (let t = 0; t < samples.length; t++) {
    const x = samples[t];
    const y = b0 * x + s1;
    s1 = b1 * x - a1 * y + s2;
    s2 = b2 * x - a2 * y;
    out[t] = y;
  }
  return out;
}
