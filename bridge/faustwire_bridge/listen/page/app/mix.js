import { element } from "./page.js";
import { glidesTo, secondsOf } from "./snapshots.js";
import { say } from "./trouble.js";

/** @import { Analysis } from "../analysis/worker.js" */
/** @import { Snapshot, Worker } from "../connection.js" */
/** @import { Deck } from "./deck.js" */

/** Workers in the mix: the server hears eight runs at once, and A and B are two of them. */
export const MOST_MIXED = 6;

/**
 * @typedef {object} Member
 * @property {Snapshot | null} snapshot the newest
 * @property {Analysis | null} analysis
 */

/**
 * Workers that are heard side by side, as on a mixer: of those in the mix the soloed ones sound
 * together, in place of A or B. None is soloed: A or B is heard.
 */
export class Mix {
  /** @param {Deck} deck */
  constructor(deck) {
    this.deck = deck;
    /** @type {Map<string, Member>} by run */
    this.members = new Map();
    /** @type {Set<string>} runs */
    this.soloed = new Set();
    /** @type {Worker[]} */
    this.workers = [];
    deck.connection.addEventListener("snapshot", (event) => {
      const snapshot = /** @type {Snapshot} */ (/** @type {CustomEvent} */ (event).detail);
      if (this.members.has(snapshot.run)) this.#take(snapshot);
    });
    deck.addEventListener("hear", () => this.#solo([]));
    deck.addEventListener("knobs", () => this.members.forEach((_, run) => this.#analyse(run)));
    element("mix-all").addEventListener("click", () => this.all());
    element("mix-next").addEventListener("click", () => this.next());
    element("mix-leave").addEventListener("click", () => deck.hear(deck.heard));
  }

  /**
   * A worker whose training was started again is in the mix with its next run.
   *
   * @param {Worker[]} workers
   */
  meet(workers) {
    this.workers = workers;
    const here = workers.filter(({ standing }) => standing !== "gone");
    for (const run of [...this.members.keys()]) {
      if (here.some((worker) => worker.run === run)) continue;
      const name = this.deck.workers.get(run);
      const next = here.find(({ run: other, worker }) => worker === name && !this.members.has(other));
      if (next) this.#replace(run, next.run);
    }
  }

  /**
   * @param {string} run
   * @param {string} next
   */
  #replace(run, next) {
    const sounded = this.soloed.has(run);
    this.#remove(run);
    this.#add(next);
    if (sounded) this.#solo([...this.soloed, next]);
  }

  /** @param {string} run into the mix, or out of it */
  toggle(run) {
    if (this.members.has(run)) this.#remove(run);
    else this.#add(run);
    this.#changed();
  }

  /** @param {string} run heard beside those that are soloed already, or no more */
  solo(run) {
    const rest = [...this.soloed].filter((other) => other !== run);
    if (this.soloed.has(run)) return this.#solo(rest);
    if (this.#add(run)) this.#solo([...rest, run]);
  }

  /** The next one of the mix alone; after the last, the first. */
  next() {
    const runs = this.#chosen();
    if (!runs.length) return;
    const at = this.soloed.size === 1 ? runs.indexOf([...this.soloed][0]) : -1;
    this.#solo([runs[(at + 1) % runs.length]]);
  }

  /** The whole mix at once; again: A or B. */
  all() {
    const runs = this.#chosen();
    if (this.soloed.size === runs.length) this.deck.hear(this.deck.heard);
    else this.#solo(runs);
  }

  /** Those in the mix, as the table has them; nobody was chosen: all that are there. */
  #chosen() {
    const listed = this.workers.filter(({ standing }) => standing !== "gone").map(({ run }) => run);
    if (!this.members.size) listed.slice(0, MOST_MIXED).forEach((run) => this.#add(run));
    const rank = (/** @type {string} */ run) => (listed.indexOf(run) + 1 || Infinity);
    return [...this.members.keys()].sort((one, other) => rank(one) - rank(other));
  }

  /**
   * @param {string} run
   * @returns {boolean} false: no more fit
   */
  #add(run) {
    if (this.members.has(run)) return true;
    if (this.members.size >= MOST_MIXED) return false;
    this.members.set(run, { snapshot: null, analysis: null });
    this.deck.watchAlso([...this.members.keys()]);
    const known = this.deck.newest.get(run);
    if (known) this.#take(known);
    return true;
  }

  /** @param {string} run */
  #remove(run) {
    this.members.delete(run);
    this.deck.watchAlso([...this.members.keys()]);
    this.#solo([...this.soloed].filter((other) => other !== run));
    this.deck.sound.remove(slotOf(run));
  }

  /** @param {string[]} runs what is heard; none: A or B */
  #solo(runs) {
    const [before, now] = [[...this.soloed].join("\n"), runs.join("\n")];
    if (before === now) return;
    this.soloed = new Set(runs);
    this.#level();
    const { deck } = this;
    deck.sound.select(...(runs.length ? runs.map(slotOf) : [deck.heard]));
    this.#changed();
  }

  /** @param {Snapshot} snapshot */
  #take(snapshot) {
    const { run, plan } = snapshot;
    const member = this.members.get(run);
    if (!member || member.snapshot === snapshot) return;
    if (plan.structure.fs !== this.deck.sound.fs) {
      say("mix", `${this.deck.workers.get(run) ?? "A worker"} runs at ${plan.structure.fs} Hz and what is heard at ${this.deck.sound.fs} Hz: they can't be mixed.`, { seconds: 8 });
      return this.#remove(run);
    }
    const glide = glidesTo(member.snapshot, snapshot);
    member.snapshot = snapshot;
    this.deck.sound.load(slotOf(run), plan, { glide, gain: this.#gain(member) });
    this.#analyse(run);
  }

  /** @param {string} run */
  #analyse(run) {
    const member = this.members.get(run);
    if (!member?.snapshot) return;
    const { snapshot } = member;
    const { analyst, knobs } = this.deck;
    const told = (/** @type {Analysis | null} */ analysis) => {
      member.analysis = analysis;
      this.#level();
    };
    analyst.ask(slotOf(run), { plan: snapshot.plan, knobs, seconds: secondsOf(snapshot, knobs, member.analysis), told });
  }

  /** As loud as A each, and together as one of them. */
  #level() {
    for (const [run, member] of this.members) this.deck.sound.gain(slotOf(run), this.#gain(member));
  }

  /** @param {Member} member */
  #gain(member) {
    return this.deck.matched(member.analysis) / Math.sqrt(Math.max(1, this.soloed.size));
  }

  #changed() {
    this.deck.dispatchEvent(new Event("change"));
  }

  /** What is heard, for the page to say; drawn with everything else. */
  show() {
    const { deck, soloed, members } = this;
    const names = [...soloed].map((run) => deck.workers.get(run) ?? "a worker");
    const said = names.length ? `Solo: ${names.join(", ")}` : members.size ? `In the mix: ${members.size}` : "";
    const note = element("mix-note");
    if (note.textContent !== said) note.textContent = said;
    element("mix-leave").hidden = !soloed.size;
    for (const id of ["mix-all", "mix-next"]) element(id).hidden = this.workers.length < 2;
    element("mix-all").setAttribute("aria-pressed", String(soloed.size > 1 && soloed.size === members.size));
  }
}

/** @param {string} run */
function slotOf(run) {
  return `mix ${run}`;
}
