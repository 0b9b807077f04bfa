import { BLOCK } from "./block.js";
import { fitInputs, fitOutputs } from "./fitting.js";
import { PreDelay } from "./knobs.js";
import { Network } from "./network.js";
import { Ramp } from "./ramp.js";

/** @import { Knobs } from "./knobs.js" */
/** @import { Plan } from "./plan.js" */

/** How long the input takes from one voice to the next, and a knob to where it is turned. */
export const HAND_OVER_SECONDS = 0.02;
const KNOB_SECONDS = 0.05;
/** -140 dB: a tail below this has rung out. */
const INAUDIBLE = 1e-7;
/** What no sound is as loud as: a filter that has gone wrong. */
const ABSURD = 1e6;

/** A network with two inputs and outputs, its knobs, and an input that can be taken away. */
export class Voice {
  /**
   * @param {Plan} plan
   * @param {Knobs} knobs
   */
  constructor(plan, knobs) {
    this.plan = plan;
    this.knobs = { ...knobs };
    this.network = new Network(plan, knobs.rt60 ?? Infinity);
    this.fs = plan.structure.fs;
    this.ins = fitInputs(plan.structure.inputs);
    this.outs = fitOutputs(plan.structure.outputs);
    this.input = new Ramp(0);
    this.output = new Ramp(1);
    this.preDelay = new PreDelay(this.fs);
    this.preDelay.set(knobs.pre_delay ?? 0);
    this.wet = new Ramp(knobs.dry_wet ?? 1);
    this.weights = new Float64Array(BLOCK);
    this.out = [new Float64Array(BLOCK), new Float64Array(BLOCK)];
    this.dry = [new Float64Array(BLOCK), new Float64Array(BLOCK)];
    this.delayed = [new Float64Array(BLOCK), new Float64Array(BLOCK)];
    /** @type {{plan: Plan, samples: number} | null} */
    this.waiting = null;
    this.turned = false;
    this.quiet = 0;
    this.broken = false;
  }

  /**
   * Whether it can become another plan by moving its parameters.
   *
   * @param {Plan} plan
   */
  suits(plan) {
    return !this.broken && plan.id === this.plan.id && plan.structure.fs === this.fs;
  }

  /**
   * Moves to a plan of the same structure; while it still moves, the newest plan waits.
   *
   * @param {Plan} plan
   * @param {number} seconds
   * @returns {boolean} false: it can't
   */
  glide(plan, seconds) {
    const samples = Math.max(seconds, 0.005) * this.fs;
    if (this.network.gliding) {
      this.waiting = { plan, samples };
      return true;
    }
    if (!this.network.glide(plan.values, this.knobs.rt60 ?? Infinity, samples)) return false;
    this.plan = plan;
    return true;
  }

  /** @param {Knobs} knobs */
  turn(knobs) {
    this.turned ||= knobs.rt60 !== this.knobs.rt60;
    this.knobs = { ...knobs };
    this.preDelay.set(knobs.pre_delay ?? 0);
    this.wet.go(knobs.dry_wet ?? 1, KNOB_SECONDS * this.fs);
    this.#follow();
  }

  /** Starts what has waited for the end of a glide. False: the plan that waited can't be reached. */
  #follow() {
    if (this.network.gliding) return;
    const { waiting } = this;
    this.waiting = null;
    if (waiting) {
      this.turned = false;
      this.stranded = this.glide(waiting.plan, waiting.samples / this.fs) ? null : waiting.plan;
    } else if (this.turned) {
      this.turned = false;
      this.network.glide(this.plan.values, this.knobs.rt60 ?? Infinity, KNOB_SECONDS * this.fs);
    }
  }

  /** @type {Plan | null} a plan that waited and can't be glided to: a new voice has to play it */
  stranded = null;

  /** @param {boolean} given whether the input is to reach it */
  hand(given) {
    this.input.go(given ? 1 : 0, HAND_OVER_SECONDS * this.fs);
    if (given) this.output.go(1, HAND_OVER_SECONDS * this.fs);
  }

  /** Whether it gets no input and its tail has rung out. */
  get over() {
    const patience = this.network.memory + this.preDelay.steps + this.fs / 10;
    return this.input.still && this.input.value === 0 && this.quiet > patience;
  }

  reset() {
    this.network.reset();
    this.preDelay.reset();
    this.quiet = 0;
    this.broken = false;
  }

  /**
   * Computes a block into `out`, without the output gain.
   *
   * @param {Float64Array[]} source [2][BLOCK]
   */
  process(source) {
    this.#follow();
    const { network, dry, delayed, ins } = this;
    for (let t = 0; t < BLOCK; t++) {
      const gain = this.input.next();
      for (let c = 0; c < 2; c++) dry[c][t] = delayed[c][t] = gain * source[c][t];
    }
    this.preDelay.process(delayed);
    for (let i = 0; i < network.inputs.length; i++) {
      network.bus.set(delayed[ins.feeds[i]], network.inputs[i]);
    }
    network.process();
    this.#mix();
    this.#judge();
  }

  #mix() {
    const { outs, network } = this;
    const { bus, outputs } = network;
    for (let side = 0; side < 2; side++) {
      const { channels, gain } = outs[side];
      const y = this.out[side];
      y.fill(0);
      for (let k = 0; k < channels.length; k++) {
        const x = outputs[channels[k]];
        for (let t = 0; t < BLOCK; t++) y[t] += bus[x + t];
      }
      if (gain !== 1) for (let t = 0; t < BLOCK; t++) y[t] *= gain;
    }
    if (!this.wet.still || this.wet.value !== 1) this.#addDry();
  }

  /** As `codegen/knobs.py` has it: one input goes to both outputs. */
  #addDry() {
    const { out, dry, ins, weights } = this;
    for (let t = 0; t < BLOCK; t++) weights[t] = this.wet.next();
    for (let side = 0; side < 2; side++) {
      const x = ins.count === 1 ? dry[0] : dry[side];
      const y = out[side];
      for (let t = 0; t < BLOCK; t++) y[t] = weights[t] * y[t] + (1 - weights[t]) * x[t];
    }
  }

  #judge() {
    const left = this.out[0];
    const right = this.out[1];
    let peak = 0;
    for (let t = 0; t < BLOCK; t++) {
      const level = Math.abs(left[t]) + Math.abs(right[t]);
      // Written so that NaN is caught, too.
      if (!(level <= peak)) peak = level;
      if (!(level <= ABSURD)) this.broken = true;
    }
    this.quiet = peak > INAUDIBLE ? 0 : this.quiet + BLOCK;
  }
}
