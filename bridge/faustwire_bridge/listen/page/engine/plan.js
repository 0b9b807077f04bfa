/**
 * What the engine plays, as `plan.py` writes it: see there for the order of the values.
 *
 * @typedef {{type: "gain", name: string, out: number, in: number}} GainNode
 * @typedef {{type: "diagonal_gain", name: string, channels: number}} DiagonalGainNode
 * @typedef {{type: "householder", name: string, channels: number}} HouseholderNode
 * @typedef {{type: "delay", name: string, out: number, in: number, entries: boolean, gains: boolean,
 *     fractional: boolean, loop: boolean}} DelayNode
 * @typedef {{type: "fir", name: string, out: number, in: number, entries: boolean, taps: number}} FirNode
 * @typedef {{type: "sos", name: string, out: number, in: number, entries: boolean, sections: number}} SosNode
 * @typedef {{type: "series", name: string, nodes: Node[]}} SeriesNode
 * @typedef {{type: "parallel", name: string, join: "sum" | "concatenate", nodes: Node[]}} ParallelNode
 * @typedef {{type: "recursion", name: string, forward: Node, feedback: Node}} RecursionNode
 * @typedef {GainNode | DiagonalGainNode | HouseholderNode | DelayNode | FirNode | SosNode} LeafNode
 * @typedef {LeafNode | SeriesNode | ParallelNode | RecursionNode} Node
 *
 * @typedef {object} Structure
 * @property {number} version
 * @property {number} fs sampling rate, Hz
 * @property {number} inputs channels
 * @property {number} outputs channels
 * @property {number} values how many
 * @property {Node} graph
 *
 * @typedef {object} Plan
 * @property {Structure} structure
 * @property {string} id of the structure: plans with the same one can glide into each other
 * @property {Float64Array} values
 */

/** The version of the format that this engine reads. */
export const VERSION = 1;

/**
 * Says why a plan can't be played; null: it can.
 *
 * @param {Plan} plan
 * @returns {string | null}
 */
export function problem({ structure, values }) {
  if (structure.version !== VERSION) {
    return `the bridge writes plans of version ${structure.version}, this page reads ${VERSION}: reload the page`;
  }
  if (values.length !== structure.values) return `${values.length} values came, not ${structure.values}`;
  return null;
}
