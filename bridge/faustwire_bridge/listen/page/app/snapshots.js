/** What the page asks of a snapshot. */

/** @import { Analysis } from "../analysis/worker.js" */
/** @import { Snapshot } from "../connection.js" */
/** @import { Knobs } from "../engine/knobs.js" */
/** @import { Node } from "../engine/plan.js" */

/** How long a response is looked at. */
const SECONDS = { least: 1, most: 6, usual: 2 };

/**
 * Whether one may glide to the other: what lies between them is known not to grow.
 *
 * @param {Snapshot | null} one
 * @param {Snapshot} other
 */
export function glidesTo(one, other) {
  if (!one || one.run !== other.run) return false;
  if (!hasLoop(other.plan.structure.graph)) return true;
  return (one.margin_db ?? -1) >= 0 && (other.margin_db ?? -1) >= 0;
}

/**
 * @param {Node} node
 * @returns {boolean}
 */
function hasLoop(node) {
  return node.type === "recursion" || ("nodes" in node && node.nodes.some(hasLoop));
}

/**
 * How long a snapshot's response is looked at.
 *
 * @param {Snapshot} snapshot
 * @param {Knobs} knobs
 * @param {Analysis | null} before the one before it shows how long this one may be
 */
export function secondsOf({ rt60_seconds: rt60 }, knobs, before) {
  const shorter = Math.min(before?.rt60 ?? rt60 ?? SECONDS.usual, knobs.rt60 ?? Infinity);
  return Math.max(SECONDS.least, Math.min(SECONDS.most, Math.ceil(1.2 * shorter * 2) / 2));
}

/**
 * A response that was dropped on the page, as a snapshot of no run.
 *
 * @param {Float32Array[]} channels one or two
 * @param {number} fs
 * @returns {Snapshot}
 */
export function referenceOf(channels, fs) {
  const [taps, out] = [channels[0].length, channels.length];
  const values = new Float64Array(taps * out);
  channels.forEach((channel, o) => channel.forEach((sample, t) => (values[t * out + o] = sample)));
  /** @type {Node} */
  const graph = { type: "fir", name: "reference", out, in: 1, entries: true, taps };
  const structure = { version: 1, fs, inputs: 1, outputs: out, values: values.length, graph };
  const plan = { structure, id: `reference ${taps} ${out}`, values };
  return { run: "", call: 0, request: null, margin_db: null, rt60_seconds: taps / fs, controls: {}, plan };
}
