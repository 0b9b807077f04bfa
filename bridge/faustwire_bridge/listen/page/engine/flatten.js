import { BLOCK } from "./block.js";
import { DelayLine } from "./line.js";
import { DelayRead, LineWrite, ORDER, TAPS } from "./operations/delays.js";
import { Fir, FirLine } from "./operations/fir.js";
import { Reflection, Row, Sum } from "./operations/gains.js";
import { Ahead, Sections } from "./operations/sections.js";

/** @import { Operation } from "./block.js" */
/** @import { DelayNode, FirNode, LeafNode, Node, SosNode } from "./plan.js" */

/**
 * What a structure comes to: scalar signals and what makes them of each other.
 *
 * @typedef {object} Flat
 * @property {Operation[]} operations
 * @property {number[]} inputs signals
 * @property {number[]} outputs signals
 * @property {number} bus how many samples all signals take
 */

/**
 * From a tree of nodes to a list of operations on single channels. Containers become wires, and a
 * recursion a sum at its entry.
 *
 * @param {Node} graph
 * @param {number} inputs channels
 * @param {Float64Array} values of the plan; only filters that can stand alone in a loop look at them
 * @param {boolean} exact whether reflections are written as matrices: as a projection, each output
 *     would need each input, which closes some loops
 * @returns {Flat}
 */
export function flatten(graph, inputs, values, exact) {
  const flattening = new Flattening(values, exact);
  const ins = Array.from({ length: inputs }, () => flattening.signal());
  const outputs = flattening.node(graph, ins, false);
  return { operations: flattening.operations, inputs: ins, outputs, bus: flattening.bus };
}

class Flattening {
  /**
   * @param {Float64Array} values
   * @param {boolean} exact
   */
  constructor(values, exact) {
    this.values = values;
    this.exact = exact;
    /** @type {Operation[]} */
    this.operations = [];
    this.bus = 0;
    // How many of the plan's values the leaves so far have taken.
    this.taken = 0;
  }

  signal() {
    this.bus += BLOCK;
    return this.bus - BLOCK;
  }

  /** @param {number} count */
  take(count) {
    this.taken += count;
    return this.taken - count;
  }

  /**
   * @param {Node} node
   * @param {number[]} inputs
   * @param {boolean} inLoop
   * @returns {number[]} its outputs
   */
  node(node, inputs, inLoop) {
    switch (node.type) {
      case "series":
        return node.nodes.reduce((signals, child) => this.node(child, signals, inLoop), inputs);
      case "parallel": {
        const branches = node.nodes.map((child) => this.node(child, inputs, inLoop));
        if (node.join === "concatenate") return branches.flat();
        return branches[0].map((_, o) => this.#sum(branches.map((branch) => branch[o])));
      }
      case "recursion": {
        const entries = inputs.map(() => this.signal());
        const outputs = this.node(node.forward, entries, true);
        const returned = this.node(node.feedback, outputs, true);
        entries.forEach((entry, i) => this.operations.push(new Sum([inputs[i], returned[i]], entry)));
        return outputs;
      }
      default:
        return this.#leaf(node, inputs, inLoop);
    }
  }

  /**
   * @param {LeafNode} node
   * @param {number[]} inputs
   * @param {boolean} inLoop
   */
  #leaf(node, inputs, inLoop) {
    switch (node.type) {
      case "gain": {
        const first = this.take(node.out * node.in);
        return range(node.out).map((o) => this.#row(inputs, (v, i) => v[first + o * node.in + i]));
      }
      case "diagonal_gain": {
        const first = this.take(node.channels);
        return inputs.map((input, i) => this.#row([input], (v) => v[first + i]));
      }
      case "householder":
        return this.#reflect(inputs);
      case "delay":
        return this.#delay(node, inputs);
      case "fir":
        return this.#fir(node, inputs);
      case "sos":
        return this.#sections(node, inputs, inLoop);
    }
  }

  /** @param {number[]} signals */
  #sum(signals) {
    if (signals.length === 1) return signals[0];
    const output = this.signal();
    this.operations.push(new Sum(signals, output));
    return output;
  }

  /**
   * @param {number[]} inputs
   * @param {(values: Float64Array, i: number) => number} gain
   */
  #row(inputs, gain) {
    const output = this.signal();
    this.operations.push(new Row(inputs, output, gain));
    return output;
  }

  /** @param {number[]} inputs */
  #reflect(inputs) {
    const first = this.take(inputs.length);
    if (this.exact || inputs.length < 3) {
      return inputs.map((_, o) =>
        this.#row(inputs, (v, i) => (i === o ? 1 : 0) - 2 * v[first + o] * v[first + i]),
      );
    }
    const projection = this.#row(inputs, (v, i) => v[first + i]);
    return inputs.map((input, i) => {
      const output = this.signal();
      this.operations.push(new Reflection(input, projection, output, (v) => v[first + i]));
      return output;
    });
  }

  /**
   * @param {DelayNode} node
   * @param {number[]} inputs
   */
  #delay(node, inputs) {
    const lines = inputs.map((input) => this.#line(input, new DelayLine()));
    const paths = node.entries ? node.out * node.in : node.out;
    const samples = this.take(paths);
    const gains = node.gains ? this.take(paths) : -1;
    const width = node.loop ? 2 + ORDER : 1 + TAPS;
    const filters = node.fractional ? this.take(paths * width) : -1;
    return pathsOf(node).map((ofOutput) => {
      const described = ofOutput.map(({ path, input }) => ({
        line: lines[input],
        samples: samples + path,
        gain: gains < 0 ? -1 : gains + path,
        filter: filters < 0 ? -1 : filters + path * width,
      }));
      const output = this.signal();
      this.operations.push(new DelayRead(described, output, node.loop));
      return output;
    });
  }

  /**
   * @template {DelayLine} Line
   * @param {number} input
   * @param {Line} line
   */
  #line(input, line) {
    this.operations.push(new LineWrite(input, line));
    return line;
  }

  /**
   * @param {FirNode} node
   * @param {number[]} inputs
   */
  #fir(node, inputs) {
    const lines = inputs.map((input) => this.#line(input, new FirLine()));
    const stride = node.entries ? node.out * node.in : node.out;
    const first = this.take(node.taps * stride);
    return pathsOf(node).map((ofOutput) => {
      const output = this.signal();
      const described = ofOutput.map(({ path, input }) => ({ line: lines[input], first: first + path, stride }));
      this.operations.push(new Fir(described, node.taps, output));
      return output;
    });
  }

  /**
   * @param {SosNode} node
   * @param {number[]} inputs
   * @param {boolean} inLoop
   */
  #sections(node, inputs, inLoop) {
    const stride = node.entries ? node.out * node.in : node.out;
    const start = this.take(6 * node.sections * stride);
    return pathsOf(node).map((ofOutput) =>
      this.#sum(
        ofOutput.map(({ path, input }) => this.#cascade(inputs[input], start + path, stride, node.sections, inLoop)),
      ),
    );
  }

  /**
   * @param {number} input
   * @param {number} first
   * @param {number} stride
   * @param {number} count
   * @param {boolean} inLoop
   */
  #cascade(input, first, stride, count, inLoop) {
    const cascade = { first, stride };
    const output = this.signal();
    const delayed = inLoop ? range(count).find((s) => this.values[first + 6 * s * stride] === 0) : undefined;
    if (delayed === undefined) {
      this.operations.push(new Sections(input, output, cascade, 0, count));
      return output;
    }
    const [middle, told] = [this.signal(), this.signal()];
    const sections = new Sections(input, middle, cascade, 0, delayed + 1);
    const memory = { reset: () => undefined };
    this.operations.push(sections, new Ahead(sections, memory, middle, told));
    this.operations.push(new Sections(told, output, cascade, delayed + 1, count));
    return output;
  }
}

/** @param {number} count */
function range(count) {
  return Array.from({ length: count }, (_, i) => i);
}

/**
 * The paths to each output: their numbers among the node's paths, and their inputs.
 *
 * @param {{out: number, in: number, entries: boolean}} node
 */
function pathsOf(node) {
  return range(node.out).map((o) =>
    node.entries ? range(node.in).map((i) => ({ path: o * node.in + i, input: i })) : [{ path: o, input: o }],
  );
}
