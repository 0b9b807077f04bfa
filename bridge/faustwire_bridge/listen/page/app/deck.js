import { Analyst } from "./analyst.js";

/** @import { Analysis } from "../analysis/worker.js" */
/** @import { Connection, Snapshot, Worker } from "../connection.js" */
/** @import { Knobs } from "../engine/knobs.js" */
/** @import { Node } from "../engine/plan.js" */
/** @import { Sound } from "./sound.js" */

/** Loudness is matched within this, either way: 24 dB. */
const MOST_GAIN = 16;
const SECONDS = { least: 1, most: 6, usual: 2 };

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
    const runs = ["A", "B"].map((l) => this.slots[/** @type {Letter} */ (l)].choice);
    this.connection.watch(runs.flatMap((c) => (c?.kind === "live" ? [c.run] : [])));
    if (choice.kind === "live") {
      const known = this.newest.get(choice.run);
      if (known) this.#take(letter, known);
    } else if (choice.kind === "step") {
      this.wanted.set(letter, choice.call);
      this.#fetchNext();
    } else if (this.reference) this.#take(letter, this.reference);
    this.#changed();
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
    const glide = before !== null && before.run === snapshot.run && stableBetween(before, snapshot);
    this.sound.load(letter, snapshot.plan, { glide, gain: this.#gain(letter) });
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
    this.analyst.ask("start", { plan: snapshot.plan, knobs: this.knobs, seconds: SECONDS.usual, told });
  }

  startAsked = "";

  /**
   * B is made as loud as A: equal energy of the responses.
   *
   * @param {Letter} letter
   */
  #gain(letter) {
    const [a, b] = [this.slots.A.analysis, this.slots.B.analysis];
    if (letter === "A" || !this.match || !a || !b || !(b.energy > 0) || !(a.energy > 0)) return 1;
    return Math.max(1 / MOST_GAIN, Math.min(MOST_GAIN, Math.sqrt(a.energy / b.energy)));
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
  }

  /**
   * A response that was dropped on the page; B is it now.
   *
   * @param {Float32Array[]} channels one or two
   * @param {number} fs
   */
  refer(channels, fs) {
    this.reference = { run: "", call: 0, request: null, margin_db: null, rt60_seconds: channels[0].length / fs, controls: {}, plan: firPlan(channels, fs) };
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

/**
 * Whether what lies between two snapshots is known not to grow.
 *
 * @param {Snapshot} one
 * @param {Snapshot} other
 */
function stableBetween(one, other) {
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
 * How long a response is looked at.
 *
 * @param {Snapshot} snapshot
 * @param {Knobs} knobs
 * @param {Analysis | null} before the one before it shows how long this one may be
 */
function secondsOf({ rt60_seconds: rt60 }, knobs, before) {
  const shorter = Math.min(before?.rt60 ?? rt60 ?? SECONDS.usual, knobs.rt60 ?? Infinity);
  return Math.max(SECONDS.least, Math.min(SECONDS.most, Math.ceil(1.2 * shorter * 2) / 2));
}

/**
 * @param {Float32Array[]} channels
 * @param {number} fs
 */
function firPlan(channels, fs) {
  const [taps, out] = [channels[0].length, channels.length];
  const values = new Float64Array(taps * out);
  channels.forEach((channel, o) => channel.forEach((sample, t) => (values[t * out + o] = sample)));
  /** @type {Node} */
  const graph = { type: "fir", name: "reference", out, in: 1, entries: true, taps };
  const structure = { version: 1, fs, inputs: 1, outputs: out, values: values.length, graph };
  return { structure, id: `reference ${taps} ${out}`, values };
}
