import { BLOCK } from "./block.js";
import { flatten } from "./flatten.js";
import { problem } from "./plan.js";
import { schedule } from "./schedule.js";

/** @import { Clock, Operation } from "./block.js" */
/** @import { Plan } from "./plan.js" */
/** @import { Group } from "./schedule.js" */

/** A plan that can't be played. */
export class PlanError extends Error {}

/**
 * A graph that runs. Everything is allocated when it is made or loaded, nothing in `process`.
 */
export class Network {
  /**
   * @param {Plan} plan
   * @param {number} [rt60] seconds, Infinity: as trained
   */
  constructor(plan, rt60 = Infinity) {
    const trouble = problem(plan);
    if (trouble !== null) throw new PlanError(trouble);
    this.id = plan.id;
    this.fs = plan.structure.fs;
    /** @type {Clock} */
    this.clock = { time: 0, weight: 0, step: 0 };
    /** @type {Group[]} */
    this.groups = [];
    /** @type {Operation[]} */
    this.operations = [];
    /** @type {number[]} signals, as `outputs` are */
    this.inputs = [];
    /** @type {number[]} */
    this.outputs = [];
    this.from = this.to = this.bus = new Float64Array(0);
    this.values = plan.values;
    // Of a glide: the block that is next, and how many there are.
    this.block = 0;
    this.blocks = 0;
    // Reflections as projections, unless a loop has a delay on some of their paths only.
    if (!this.#build(plan, rt60, false) && !this.#build(plan, rt60, true)) {
      throw new PlanError("a loop has no delay");
    }
  }

  /**
   * @param {Plan} plan
   * @param {number} rt60
   * @param {boolean} exact
   * @returns {boolean}
   */
  #build(plan, rt60, exact) {
    const { operations, inputs, outputs, bus } = flatten(plan.structure.graph, plan.structure.inputs, plan.values, exact);
    let cells = 0;
    for (const operation of operations) {
      operation.cell = cells;
      cells += operation.cells;
    }
    this.operations = operations;
    this.inputs = inputs;
    this.outputs = outputs;
    this.from = new Float64Array(cells);
    this.to = new Float64Array(cells);
    this.bus = new Float64Array(bus);
    for (const operation of operations) operation.load(plan.values, this.to, rt60 * this.fs);
    this.#settle();
    for (const operation of operations) operation.prepare(this);
    const groups = schedule(operations);
    if (groups === null) return false;
    this.groups = groups;
    return true;
  }

  /** Whether the parameters are still on their way. */
  get gliding() {
    return this.clock.step !== 0;
  }

  /** The length of the longest delay or response, samples. */
  get memory() {
    let longest = 0;
    for (const { fills } of this.operations) {
      const length = /** @type {{length?: number}} */ (fills ?? {}).length ?? 0;
      longest = Math.max(longest, length);
    }
    return longest;
  }

  /**
   * Moves to other values of the same structure. Not while it glides.
   *
   * @param {Float64Array} values
   * @param {number} rt60 seconds, Infinity: as trained
   * @param {number} samples how long it takes
   * @returns {boolean} false: it can't; a new network has to play these values
   */
  glide(values, rt60, samples) {
    if (this.gliding) throw new Error("one glide at a time");
    for (const operation of this.operations) operation.load(values, this.to, rt60 * this.fs);
    let more = false;
    for (const operation of this.operations) more = operation.prepare(this) || more;
    if (this.operations.some(({ lacksPast }) => lacksPast)) {
      // A part of the signal would begin in the middle of the glide.
      this.#goBack(rt60);
      return false;
    }
    if (more) {
      const groups = schedule(this.operations);
      if (groups === null) {
        this.#goBack(rt60);
        return false;
      }
      this.groups = groups;
    }
    this.values = values;
    this.block = 0;
    this.blocks = Math.max(1, Math.round(samples / BLOCK));
    this.#step();
    return true;
  }

  /** @param {number} rt60 */
  #goBack(rt60) {
    for (const operation of this.operations) operation.load(this.values, this.to, rt60 * this.fs);
    for (const operation of this.operations) operation.prepare(this);
  }

  #settle() {
    // Copied, not added up: sums of differences drift.
    this.from.set(this.to);
    for (const operation of this.operations) operation.settle();
    this.clock.weight = this.clock.step = 0;
  }

  /** Forgets what it heard. */
  reset() {
    if (this.gliding) this.#settle();
    this.clock.time = 0;
    for (const operation of this.operations) operation.reset();
  }

  /** Computes a block: the bus has it at `inputs` before, at `outputs` after. */
  process() {
    const { clock } = this;
    for (const { chunk, operations } of this.groups) {
      for (let at = 0; at < BLOCK; at += chunk) {
        const count = Math.min(chunk, BLOCK - at);
        for (let o = 0; o < operations.length; o++) operations[o].run(at, count, clock);
      }
    }
    clock.time += BLOCK;
    if (clock.step === 0) return;
    this.block++;
    if (this.block === this.blocks) this.#settle();
    else this.#step();
  }

  /**
   * The weight follows half a cosine, in straight lines from block to block: a single straight line
   * has corners at its ends, which are heard 15 dB louder.
   */
  #step() {
    const { clock, block, blocks } = this;
    const end = 0.5 - 0.5 * Math.cos((Math.PI * (block + 1)) / blocks);
    clock.weight = 0.5 - 0.5 * Math.cos((Math.PI * block) / blocks);
    clock.step = (end - clock.weight) / BLOCK;
  }
}
