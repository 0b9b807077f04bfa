/** @import { Knobs } from "../engine/knobs.js" */
/** @import { Plan } from "../engine/plan.js" */
/** @import { Analysis } from "../analysis/worker.js" */

/**
 * @typedef {object} Asked
 * @property {Plan} plan
 * @property {Knobs} knobs
 * @property {number} seconds
 * @property {(analysis: Analysis | null) => void} told
 */

/** Has responses computed, one at a time; of each thing that is asked for, the newest wins. */
export class Analyst {
  constructor() {
    this.worker = new Worker(new URL("../analysis/worker.js", import.meta.url), { type: "module" });
    this.worker.onmessage = ({ data }) => this.#done(data.analysis ?? null);
    this.worker.onerror = () => this.#done(null);
    /** @type {Map<string, Asked>} */
    this.waiting = new Map();
    /** @type {{key: string, asked: Asked} | null} */
    this.running = null;
  }

  /**
   * @param {string} key
   * @param {Asked} asked
   */
  ask(key, asked) {
    // Behind the others: nobody is asked about twice before everybody was once.
    this.waiting.delete(key);
    this.waiting.set(key, asked);
    this.#next();
  }

  #next() {
    if (this.running) return;
    for (const [key, asked] of this.waiting) {
      this.waiting.delete(key);
      this.running = { key, asked };
      const { plan, knobs, seconds } = asked;
      this.worker.postMessage({ id: 0, plan, knobs, seconds });
      return;
    }
  }

  /** @param {Analysis | null} analysis */
  #done(analysis) {
    const { running } = this;
    this.running = null;
    running?.asked.told(analysis);
    this.#next();
  }
}
