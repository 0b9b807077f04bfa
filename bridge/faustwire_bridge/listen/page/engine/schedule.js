import { BLOCK } from "./block.js";
import { Ahead } from "./operations/sections.js";

/** @import { DelayMemory, Operation } from "./block.js" */

/**
 * Operations that take turns until a block is done, so many samples each time.
 *
 * @typedef {object} Group
 * @property {number} chunk samples
 * @property {Operation[]} operations in order
 */

/**
 * What an operation waits for: another one, and for how old a sample of it; 0: this one's.
 *
 * @typedef {object} Edge
 * @property {number} from
 * @property {number} delay
 */

/**
 * Puts operations in an order in which each has what it needs.
 *
 * What lies in no loop runs a whole block at a time. A loop runs in the longest chunks that some of
 * its delays allow: what is older than a chunk was written in an earlier one. So a loop whose
 * channels all pass a delay line goes round in chunks of the shortest line, and one whose delays
 * are spread over its channels in chunks of as little as one sample.
 *
 * @param {Operation[]} operations
 * @returns {Group[] | null} null: some loop has no delay
 */
export function schedule(operations) {
  const edges = edgesOf(operations);
  /** @type {Group[]} */
  const groups = [];
  for (const component of components(edges)) {
    const isLoop = component.length > 1 || edges[component[0]].some(({ from }) => from === component[0]);
    const group = isLoop ? loop(component, edges, operations) : { chunk: BLOCK, operations: [operations[component[0]]] };
    if (group === null) return null;
    const last = groups.at(-1);
    if (last?.chunk === BLOCK && group.chunk === BLOCK) last.operations.push(...group.operations);
    else groups.push(group);
  }
  for (const group of groups) noteWhoIsAhead(group);
  return groups;
}

/**
 * @param {Operation[]} operations
 * @returns {Edge[][]} what each of them waits for
 */
function edgesOf(operations) {
  /** @type {Map<number | DelayMemory, number>} */
  const makers = new Map();
  operations.forEach((operation, o) => {
    for (const signal of operation.writes) makers.set(signal, o);
    if (operation.fills) makers.set(operation.fills, o);
  });
  return operations.map((operation) => {
    const { signals, memories } = operation.needs();
    const edges = [];
    for (const signal of signals) {
      const from = makers.get(signal);
      // Inputs of the network have no maker.
      if (from !== undefined) edges.push({ from, delay: 0 });
    }
    for (const { memory, delay } of memories) {
      const from = makers.get(memory);
      if (from !== undefined) edges.push({ from, delay: Math.min(delay, BLOCK) });
    }
    return edges;
  });
}

/**
 * Strongly connected components, each behind those that it waits for: R. Tarjan, "Depth-first
 * search and linear graph algorithms", SIAM J. Computing 1(2), 1972; with a stack of its own,
 * because graphs are deeper than the engine's.
 *
 * @param {Edge[][]} edges
 * @returns {number[][]}
 */
function components(edges) {
  const count = edges.length;
  const index = new Int32Array(count).fill(-1);
  const low = new Int32Array(count);
  const progress = new Int32Array(count);
  const open = new Uint8Array(count);
  /** @type {number[]} */
  const stack = [];
  /** @type {number[][]} */
  const found = [];
  let next = 0;
  for (let root = 0; root < count; root++) {
    if (index[root] >= 0) continue;
    const path = [root];
    while (path.length > 0) {
      const node = path[path.length - 1];
      if (index[node] < 0) {
        index[node] = low[node] = next++;
        stack.push(node);
        open[node] = 1;
      }
      if (progress[node] < edges[node].length) {
        const { from } = edges[node][progress[node]++];
        if (index[from] < 0) path.push(from);
        else if (open[from]) low[node] = Math.min(low[node], index[from]);
        continue;
      }
      path.pop();
      const parent = path[path.length - 1];
      if (parent !== undefined) low[parent] = Math.min(low[parent], low[node]);
      if (low[node] === index[node]) found.push(popUntil(stack, node, open));
    }
  }
  return found;
}

/**
 * @param {number[]} stack
 * @param {number} node
 * @param {Uint8Array} open
 */
function popUntil(stack, node, open) {
  const component = [];
  for (;;) {
    const member = /** @type {number} */ (stack.pop());
    open[member] = 0;
    component.push(member);
    if (member === node) return component;
  }
}

/**
 * @param {number[]} members
 * @param {Edge[][]} edges
 * @param {Operation[]} operations
 * @returns {Group | null}
 */
function loop(members, edges, operations) {
  const inside = new Set(members);
  const own = new Map(members.map((m) => [m, edges[m].filter(({ from }) => inside.has(from))]));
  const delays = new Set([...own.values()].flat().map(({ delay }) => delay));
  const chunks = [...delays].filter((delay) => delay >= 1).sort((a, b) => a - b);
  let best = null;
  // Shorter chunks cut more edges: what works for one works for all below.
  for (let low = 0, high = chunks.length - 1; low <= high; ) {
    const middle = (low + high) >> 1;
    const order = sorted(members, own, chunks[middle]);
    if (order) {
      best = { chunk: chunks[middle], operations: order.map((m) => operations[m]) };
      low = middle + 1;
    } else {
      high = middle - 1;
    }
  }
  return best;
}

/**
 * @param {number[]} members
 * @param {Map<number, Edge[]>} edges
 * @param {number} chunk
 * @returns {number[] | null} null: they wait for each other
 */
function sorted(members, edges, chunk) {
  const states = new Map(members.map((m) => [m, { waits: 0, after: /** @type {number[]} */ ([]) }]));
  const stateOf = (/** @type {number} */ m) => /** @type {{waits: number, after: number[]}} */ (states.get(m));
  for (const [member, its] of edges) {
    for (const { from } of its.filter(({ delay }) => delay < chunk)) {
      stateOf(from).after.push(member);
      stateOf(member).waits++;
    }
  }
  const order = members.filter((m) => stateOf(m).waits === 0);
  for (let k = 0; k < order.length; k++) {
    for (const member of stateOf(order[k]).after) {
      if (--stateOf(member).waits === 0) order.push(member);
    }
  }
  return order.length === members.length ? order : null;
}

/** @param {Group} group */
function noteWhoIsAhead(group) {
  group.operations.forEach((operation, place) => {
    if (!(operation instanceof Ahead)) return;
    const sections = group.operations.indexOf(operation.sections);
    operation.first = sections > place;
  });
}
