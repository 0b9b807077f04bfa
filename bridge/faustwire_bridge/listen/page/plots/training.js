/** The training's curve: metrics over steps, publishes marked, dragged to scrub through it. */
import { Drawing, short } from "./canvas.js";

/**
 * @typedef {object} History
 * @property {number[]} calls
 * @property {{[name: string]: (number | null)[]}} metrics
 * @property {number[]} snapshots calls that can be heard, rising
 * @property {number[]} published calls that the plugin's file was written with, rising
 */

/** @returns {History} */
export const noHistory = () => ({ calls: [], metrics: Object.create(null), snapshots: [], published: [] });

/**
 * @param {History} history
 * @param {{from: number, calls: number[], metrics: {[name: string]: (number | null)[]}, snapshots: number[], published?: number[]}} more
 */
export function extend(history, more) {
  const keep = history.calls.slice(0, more.from);
  const last = keep.at(-1) ?? -Infinity;
  const names = new Set([...Object.keys(history.metrics), ...Object.keys(more.metrics)]);
  /** @type {History["metrics"]} */
  const metrics = Object.create(null);
  for (const name of names) {
    const before = column(history.metrics, name) ?? [];
    const after = column(more.metrics, name) ?? more.calls.map(() => null);
    metrics[name] = [...Array.from({ length: keep.length }, (_, k) => before[k] ?? null), ...after];
  }
  const snapshots = [...history.snapshots.filter((call) => call <= last), ...more.snapshots];
  const published = [...history.published.filter((call) => call <= last), ...(more.published ?? [])];
  return { calls: [...keep, ...more.calls], metrics, snapshots, published };
}

/**
 * A metric's values. Its name is the training's: it may be one that all objects have, like `constructor`.
 *
 * @param {History["metrics"]} metrics
 * @param {string} name
 */
function column(metrics, name) {
  return Object.hasOwn(metrics, name) ? metrics[name] : undefined;
}

/**
 * The snapshot that is heard at a call: the newest not after it, else the first.
 *
 * @param {number[]} snapshots rising
 * @param {number} call
 * @returns {number | null}
 */
export function snapshotAt(snapshots, call) {
  if (snapshots.length === 0) return null;
  let [low, high] = [0, snapshots.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (snapshots[middle] <= call) low = middle + 1;
    else high = middle;
  }
  return snapshots[Math.max(0, low - 1)];
}

/**
 * @typedef {object} Marks
 * @property {string} metric
 * @property {number | null} heard the call that is heard
 * @property {number | null} other the call of the other slot
 * @property {string} letter the other slot's
 */

/**
 * @param {History} history
 * @param {string} metric
 */
function rangeOf(history, metric) {
  let [low, high] = [Infinity, -Infinity];
  for (const value of history.metrics[metric] ?? []) {
    if (value === null || !Number.isFinite(value)) continue;
    low = Math.min(low, value);
    high = Math.max(high, value);
  }
  return low > high ? [0, 1] : [low, high];
}

/**
 * What the axes reach from and to, which is finite whatever the values are.
 *
 * @param {History} history
 * @param {string} metric
 */
export function axesOf(history, metric) {
  let [low, high] = rangeOf(history, metric);
  // Losses fall by decades.
  const logarithmic = low > 0 && high / low > 20;
  if (logarithmic) [low, high] = [low / 1.3, high * 1.3];
  else {
    const [span, size] = [0.06 * high - 0.06 * low, 0.06 * Math.max(Math.abs(low), Math.abs(high))];
    // Of numbers that are nearly the same, an axis that they can be told apart on has no marks.
    const margin = span > 1e-9 * size ? span : size || 0.06;
    [low, high] = [low - margin, high + margin];
  }
  [low, high] = [Math.max(low, -Number.MAX_VALUE), Math.min(high, Number.MAX_VALUE)];
  const x = { low: history.calls[0] ?? 0, high: Math.max(history.calls.at(-1) ?? 1, (history.calls[0] ?? 0) + 1) };
  const label = (/** @type {number} */ v) => short(v, 3);
  return { x, y: { low, high, logarithmic, label } };
}

/**
 * @param {HTMLCanvasElement} canvas
 * @param {History} history
 * @param {Marks} marks
 * @returns {Drawing} to find the call under the pointer
 */
export function drawTraining(canvas, history, { metric, heard, other, letter }) {
  const { x, y } = axesOf(history, metric);
  const drawing = new Drawing(canvas, x, y);
  drawing.axes();
  if (history.calls.length < 2) {
    drawing.empty("waiting for the training's first steps");
    return drawing;
  }
  drawing.clipped(() => {
    ticks(drawing, history.snapshots, "publish", 5);
    ticks(drawing, history.published, "accent", 10);
    const rows = thinned(history.calls.length);
    const values = history.metrics[metric] ?? [];
    const xs = rows.map((k) => history.calls[k]);
    drawing.line(xs, rows.map((k) => values[k]), { colour: drawing.colour("accent"), width: 2 });
  });
  if (other !== null) cursor(drawing, other, "other", letter);
  if (heard !== null) cursor(drawing, heard, "text", "");
  return drawing;
}

/**
 * Rows enough for any screen, of a training of any length.
 *
 * @param {number} count
 */
function thinned(count) {
  const shown = Math.min(count, 4000);
  return Array.from({ length: shown }, (_, k) => Math.floor((k * (count - 1)) / Math.max(1, shown - 1)));
}

/**
 * Marks at the bottom, where they do not run into each other.
 *
 * @param {Drawing} drawing
 * @param {number[]} calls
 * @param {string} colour
 * @param {number} height
 */
function ticks(drawing, calls, colour, height) {
  const { context, box } = drawing;
  context.fillStyle = drawing.colour(colour);
  let last = -Infinity;
  for (const call of calls) {
    const at = drawing.px(call);
    if (at - last < 2) continue;
    last = at;
    context.fillRect(at - 0.5, box.top + box.height - height, 1.25, height);
  }
}

/**
 * @param {Drawing} drawing
 * @param {number} call
 * @param {string} colour
 * @param {string} said
 */
function cursor(drawing, call, colour, said) {
  const { context, box } = drawing;
  const at = Math.max(box.left, Math.min(box.left + box.width, drawing.px(call)));
  context.fillStyle = context.strokeStyle = drawing.colour(colour);
  context.lineWidth = 1.5;
  context.beginPath();
  context.moveTo(at, box.top);
  context.lineTo(at, box.top + box.height);
  context.stroke();
  context.beginPath();
  context.arc(at, box.top + 4, 5, 0, 2 * Math.PI);
  context.fill();
  context.textAlign = "left";
  if (said) context.fillText(said, at + 8, box.top + 8);
}

/**
 * @param {Drawing} drawing
 * @param {number} px from the canvas's left edge
 * @returns {number} the call there
 */
export function callAt(drawing, px) {
  const { left, width } = drawing.box;
  const part = Math.max(0, Math.min(1, (px - left) / width));
  return Math.round(drawing.x.low + part * (drawing.x.high - drawing.x.low));
}
