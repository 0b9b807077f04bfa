/** The four pictures of a response: energy decay, magnitude, samples, spectrogram. */
import { Drawing } from "./canvas.js";

/** @import { Analysis } from "../analysis/worker.js" */

/**
 * What is drawn: the one that is heard in colour, the others behind it.
 *
 * @typedef {object} Drawn
 * @property {Analysis | null} heard
 * @property {Analysis | null} other B, or A when B is heard
 * @property {Analysis | null} start
 */

const NOTHING = "nothing to show yet";

/** @param {number} hertz */
const hz = (hertz) => (hertz >= 1000 ? `${hertz / 1000}k` : String(hertz));

/**
 * @param {HTMLCanvasElement} canvas
 * @param {Drawn} drawn
 * @param {"decay" | "magnitude"} which
 * @param {import("./canvas.js").Axis} x
 * @param {import("./canvas.js").Axis} y
 */
function drawCurves(canvas, drawn, which, x, y) {
  const drawing = new Drawing(canvas, x, y);
  drawing.axes();
  if (!drawn.heard) return drawing.empty(NOTHING);
  drawing.clipped(() => {
    if (drawn.start) drawing.line(drawn.start[which].x, drawn.start[which].y, { colour: drawing.colour("start"), width: 1.25 });
    if (drawn.other) drawing.line(drawn.other[which].x, drawn.other[which].y, { colour: drawing.colour("other"), dash: [5, 4], width: 1.25 });
    if (drawn.heard) drawing.line(drawn.heard[which].x, drawn.heard[which].y, { colour: drawing.colour("accent") });
  });
}

/**
 * @param {HTMLCanvasElement} canvas
 * @param {Drawn} drawn
 */
export function drawDecay(canvas, drawn) {
  const x = { low: 0, high: drawn.heard?.seconds ?? 2, unit: "s" };
  drawCurves(canvas, drawn, "decay", x, { low: -70, high: 3, label: (/** @type {number} */ db) => `${db} dB` });
}

/**
 * @param {HTMLCanvasElement} canvas
 * @param {Drawn} drawn
 */
export function drawMagnitude(canvas, drawn) {
  const levels = drawn.heard ? [...drawn.heard.magnitude.y] : [0];
  const top = 6 * Math.ceil(Math.max(...levels) / 6 + 0.5);
  const fs = drawn.heard ? drawn.heard.spectrogram.highest : 24_000;
  const y = { low: top - 48, high: top, label: (/** @type {number} */ db) => `${db} dB` };
  drawCurves(canvas, drawn, "magnitude", { low: 30, high: fs, logarithmic: true, label: hz }, y);
}

/**
 * @param {HTMLCanvasElement} canvas
 * @param {Drawn} drawn
 */
export function drawSamples(canvas, drawn) {
  const shown = [drawn.heard, drawn.other, drawn.start];
  let peak = 1e-9;
  for (const one of shown.slice(0, 1)) {
    if (one) peak = Math.max(peak, ...one.envelope.high, ...one.envelope.low.map(Math.abs));
  }
  const drawing = new Drawing(canvas, { low: 0, high: drawn.heard?.seconds ?? 2, unit: "s" }, { low: -1, high: 1, label: (v) => String(v) });
  drawing.axes();
  if (!drawn.heard) return drawing.empty(NOTHING);
  drawing.clipped(() => {
    fill(drawing, /** @type {Analysis} */ (drawn.heard).envelope, peak, drawing.colour("accent"));
    // In front: what decays faster would not be seen behind.
    if (drawn.start) outline(drawing, drawn.start.envelope, peak, drawing.colour("start"));
  });
}

/**
 * @param {Drawing} drawing
 * @param {Analysis["envelope"]} envelope
 * @param {number} peak
 * @param {string} colour
 */
function fill(drawing, { x, low, high }, peak, colour) {
  const { context } = drawing;
  // Decays are exponential: the square root shows the tail, too.
  const shown = (/** @type {number} */ value) => Math.sign(value) * Math.sqrt(Math.abs(value) / peak);
  context.fillStyle = colour;
  context.beginPath();
  for (let k = 0; k < x.length; k++) context.lineTo(drawing.px(x[k]), drawing.py(shown(high[k])) - 0.4);
  for (let k = x.length - 1; k >= 0; k--) context.lineTo(drawing.px(x[k]), drawing.py(shown(low[k])) + 0.4);
  context.closePath();
  context.fill();
}

/**
 * @param {Drawing} drawing
 * @param {Analysis["envelope"]} envelope
 * @param {number} peak
 * @param {string} colour
 */
function outline(drawing, { x, low, high }, peak, colour) {
  const shown = (/** @type {number} */ value) => Math.sign(value) * Math.sqrt(Math.abs(value) / peak);
  drawing.line(x, high.map(shown), { colour, width: 1 });
  drawing.line(x, low.map(shown), { colour, width: 1 });
}

/** Dark to light, alike for all eyes: sampled from black through violet and orange to yellow. */
const HEAT = [
  [8, 6, 28],
  [49, 18, 98],
  [114, 31, 129],
  [182, 55, 121],
  [240, 96, 93],
  [254, 174, 118],
  [252, 253, 191],
];

/** @param {number} part 0 … 1 */
function heat(part) {
  const at = Math.max(0, Math.min(1, part)) * (HEAT.length - 1);
  const k = Math.min(Math.floor(at), HEAT.length - 2);
  return HEAT[k].map((low, c) => low + (at - k) * (HEAT[k + 1][c] - low));
}

/**
 * @param {HTMLCanvasElement} canvas
 * @param {Drawn} drawn
 */
export function drawSpectrogram(canvas, drawn) {
  const shown = drawn.heard?.spectrogram;
  const x = { low: 0, high: shown?.seconds ?? 2, unit: "s" };
  const y = { low: shown?.lowest ?? 60, high: shown?.highest ?? 24_000, logarithmic: true, label: hz };
  const drawing = new Drawing(canvas, x, y);
  drawing.axes();
  if (!shown) return drawing.empty(NOTHING);
  const { left, top, width, height } = drawing.box;
  drawing.context.imageSmoothingEnabled = true;
  drawing.context.drawImage(pictureOf(shown), left, top, width, height);
}

/** @param {Analysis["spectrogram"]} shown */
function pictureOf(shown) {
  const image = new ImageData(shown.frames, shown.bands);
  for (let f = 0; f < shown.frames; f++) {
    for (let b = 0; b < shown.bands; b++) {
      const [red, green, blue] = heat(1 + shown.levels[f * shown.bands + b] / 80);
      const at = 4 * ((shown.bands - 1 - b) * shown.frames + f);
      image.data.set([red, green, blue, 255], at);
    }
  }
  const small = new OffscreenCanvas(shown.frames, shown.bands);
  small.getContext("2d")?.putImageData(image, 0, 0);
  return small;
}
