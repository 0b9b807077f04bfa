import { Analyst } from "./analyst.js";
import { glidesTo, referenceOf, secondsOf } from "./snapshots.js";

/** @import { Analysis } from "../analysis/worker.js" */
/** @import { Connection, Snapshot, Worker } from "../connection.js" */
/** @import { Knobs } from "../engine/knobs.js" */
/** @import { Sound } from "./sound.js" */

/** Loudness is matched within this, either way: 24 dB. */
const MOST_GAIN = 16;

/**
 * What a slot plays: a run's newest snapshot, one of its steps (0: the first), or what was dropped
 * on the page.
 *
 * @typedef {{kind: "live", run: string} | {kind: "step", run: string, call: number} | {kind: "reference"}} Choice
 *
 * @typedef {object} Slot
 * @property {Choice | null} choice
 * @property {Snapshot | null} snapshot
 * @property {Analysis | null} analysis
 */

/** @typedef {"A" | "B"} Letter */

/** A and B: what they are, which one is heard, and what is known of their sound. */
export class Deck extends EventTarget {
  /**
   * @param {Connection} connection
   * @param {Sound} sound
   */
  constructor(connection, sound) {
    super();
    this.connection = connection;
    this.sound = sound;
    this.analyst = new Analyst();
    /** @type {{A: Slot, B: Slot}} */
    this.slots = { A: emptySlot(), B: emptySlot() };
    /** @type {Letter} */
    this.heard = "A";
    this.match = true;
    /** @type {Map<string, Snapshot>} the newest of each run */
    this.newest = new Map();
    /** @type {{run: string, analysis: Analysis} | null} */
    this.start = null;
    /** @type {Snapshot | null} */
    this.reference = null;
    /** @type {Knobs} */
    this.knobs = { rt60: null, dry_wet: null, pre_delay: null };
    /** @type {Map<Letter, number>} the step that is wanted, while another one is fetched */
    this.wanted = new Map();
    this.fetching = false;
    /** @type {string[]} runs that are watched beside those of A and B */
    this.others = [];
    /** @type {Map<string, string>} the worker of each run */
    this.workers = new Map();
    connection.addEventListener("snapshot", (event) => this.#live(/** @type {CustomEvent} */ (event).detail));
    connection.addEventListener("open", () => this.#again());
  }

  /** @returns {Letter} */
  get silent() {
    return this.heard === "A" ? "B" : "A";
  }

  /** After the connection was gone: the steps that are wanted, and the start. */
  #again() {
    for (const letter of /** @type {Letter[]} */ (["A", "B"])) {
      const { choice, snapshot } = this.slots[letter];
      if (choice?.kind === "step" && !snapshot) this.choose(letter, choice);
    }
  }

  /**
   * A slot that plays a worker live goes on with its next run: the training was started again.
   *
   * @param {Worker[]} workers
   */
  meet(workers) {
    for (const { run, worker } of workers) this.workers.set(run, worker);
    const here = workers.filter(({ standing }) => standing !== "gone");
    for (const letter of /** @type {Letter[]} */ (["A", "B"])) {
      const { choice } = this.slots[letter];
      if (choice?.kind !== "live" || here.some(({ run }) => run === choice.run)) continue;
      const next = here.find(({ worker }) => worker === this.workers.get(choice.run));
      if (next) this.choose(letter, { kind: "live", run: next.run });
    }
  }

  /**
   * @param {Letter} letter
   * @param {Choice} choice
   */
  choose(letter, choice) {
    this.slots[letter].choice = choice;
    this.#watch();
    if (choice.kind === "live") {
      const known = this.newest.get(choice.run);
      if (known) this.#take(letter, known);
    } else if (choice.kind === "step") {
      this.wanted.set(letter, choice.call);
      this.#fetchNext();
    } else if (this.reference) this.#take(letter, this.reference);
    this.#changed();
  }

  #watch() {
    const choices = [this.slots.A.choice, this.slots.B.choice];
    const live = choices.flatMap((choice) => (choice?.kind === "live" ? [choice.run] : []));
    this.connection.watch([...live, ...this.others]);
  }

  /** @param {string[]} runs whose snapshots are wanted beside those of A and B */
  watchAlso(runs) {
    this.others = runs;
    this.#watch();
  }

  /** @returns {Promise<void>} */
  async #fetchNext() {
    if (this.fetching) return;
    for (const [letter, call] of this.wanted) {
      this.wanted.delete(letter);
      const { choice } = this.slots[letter];
      if (choice?.kind !== "step") continue;
      this.fetching = true;
      const snapshot = await this.connection.fetch(choice.run, call);
      this.fetching = false;
      const now = this.slots[letter].choice;
      if (snapshot && now?.kind === "step" && now.run === snapshot.run) this.#take(letter, snapshot);
      return this.#fetchNext();
    }
  }

  /** @param {Snapshot} snapshot */
  #live(snapshot) {
    this.newest.set(snapshot.run, snapshot);
    for (const letter of /** @type {Letter[]} */ (["A", "B"])) {
      const { choice } = this.slots[letter];
      if (choice?.kind === "live" && choice.run === snapshot.run) this.#take(letter, snapshot);
    }
  }

  /**
   * @param {Letter} letter
   * @param {Snapshot} snapshot
   */
  #take(letter, snapshot) {
    const slot = this.slots[letter];
    const before = slot.snapshot;
    if (before === snapshot) return;
    slot.snapshot = snapshot;
    this.sound.load(letter, snapshot.plan, { glide: glidesTo(before, snapshot), gain: this.#gain(letter) });
    if (letter === this.heard) this.#wantStart(snapshot.run);
    this.#analyse(letter);
    this.#changed();
  }

  /** @param {Letter} letter */
  #analyse(letter) {
    const slot = this.slots[letter];
    const { snapshot } = slot;
    if (!snapshot) return;
    const told = (/** @type {Analysis | null} */ analysis) => {
      slot.analysis = analysis;
      this.sound.gain("B", this.#gain("B"));
      this.#changed();
    };
    this.analyst.ask(letter, { plan: snapshot.plan, knobs: this.knobs, seconds: secondsOf(snapshot, this.knobs, slot.analysis), told });
  }

  /** @param {string} run */
  async #wantStart(run) {
    if (this.start?.run === run || this.startAsked === run || !run) return;
    this.startAsked = run;
    const snapshot = await this.connection.fetch(run, 0);
    if (!snapshot) return (this.startAsked = "");
    const told = (/** @type {Analysis | null} */ analysis) => {
      if (analysis) this.start = { run, analysis };
      this.#changed();
    };
    this.analyst.ask("start", { plan: snapshot.plan, knobs: this.knobs, seconds: secondsOf(snapshot, this.knobs, null), told });
  }

  startAsked = "";

  /**
   * What makes a sound as loud as A: equal energy of the responses, weighted as ears do.
   *
   * @param {Analysis | null} other
   */
  matched(other) {
    const a = this.slots.A.analysis;
    if (!this.match || !a || !other || !(other.energy > 0) || !(a.energy > 0)) return 1;
    return Math.max(1 / MOST_GAIN, Math.min(MOST_GAIN, Math.sqrt(a.energy / other.energy)));
  }

  /** @param {Letter} letter */
  #gain(letter) {
    return letter === "A" ? 1 : this.matched(this.slots.B.analysis);
  }

  /** @param {boolean} match */
  setMatch(match) {
    this.match = match;
    this.sound.gain("B", this.#gain("B"));
    this.#changed();
  }

  /** dB that B is turned up, for the page to say. */
  get matchedDb() {
    return 20 * Math.log10(this.#gain("B"));
  }

  /** @param {Letter} letter */
  hear(letter) {
    this.heard = letter;
    this.sound.select(letter);
    this.dispatchEvent(new Event("hear"));
    const run = this.slots[letter].snapshot?.run;
    if (run) this.#wantStart(run);
    this.#changed();
  }

  /** What A plays now becomes B, as the step that it is. */
  keep() {
    const { choice, snapshot } = this.slots.A;
    if (!snapshot) return;
    this.slots.B.choice = choice?.kind === "reference" ? choice : { kind: "step", run: snapshot.run, call: snapshot.call };
    this.#take("B", { ...snapshot });
  }

  /** @param {Knobs} knobs */
  turn(knobs) {
    this.knobs = knobs;
    this.sound.turn(knobs);
    this.#analyse("A");
    this.#analyse("B");
    this.dispatchEvent(new Event("knobs"));
  }

  /**
   * A response that was dropped on the page; B is it now.
   *
   * @param {Float32Array[]} channels one or two
   * @param {number} fs
   */
  refer(channels, fs) {
    this.reference = referenceOf(channels, fs);
    this.choose("B", { kind: "reference" });
    this.hear("B");
  }

  #changed() {
    this.dispatchEvent(new Event("change"));
  }
}

/** @returns {Slot} */
function emptySlot() {
  return { choice: null, snapshot: null, analysis: null };
}
