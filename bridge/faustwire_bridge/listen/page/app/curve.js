import { callAt, drawTraining, extend, noHistory, snapshotAt } from "../plots/training.js";
import { element, figure, make } from "./page.js";

/** @import { Drawing } from "../plots/canvas.js" */
/** @import { History } from "../plots/training.js" */
/** @import { Choice, Deck } from "./deck.js" */

/** The training's curve as a control: drag it, or walk along it with the arrow keys. */
export class Curve {
  /**
   * @param {Deck} deck
   * @param {() => void} redraw
   */
  constructor(deck, redraw) {
    this.deck = deck;
    this.redraw = redraw;
    this.canvas = /** @type {HTMLCanvasElement} */ (element("training"));
    this.select = /** @type {HTMLSelectElement} */ (element("metric"));
    /** @type {Map<string, History>} */
    this.histories = new Map();
    /** @type {Drawing | null} */
    this.drawing = null;
    this.names = "";
    this.select.addEventListener("change", redraw);
    this.canvas.addEventListener("pointerdown", (event) => {
      if (event.button !== 0) return;
      this.canvas.setPointerCapture(event.pointerId);
      this.#scrub(event);
    });
    this.canvas.addEventListener("pointermove", (event) => event.buttons === 1 && this.#scrub(event));
    this.canvas.addEventListener("keydown", (event) => this.#key(event));
    element("live").addEventListener("click", () => this.live());
  }

  /** The run that is shown: the heard slot's, else A's. */
  get run() {
    const { slots, heard } = this.deck;
    for (const { choice } of [slots[heard], slots.A]) if (choice && choice.kind !== "reference") return choice.run;
    return "";
  }

  get history() {
    return this.histories.get(this.run) ?? noHistory();
  }

  /** @param {{run: string, from: number, calls: number[], metrics: {[name: string]: (number | null)[]}, snapshots: number[], published?: number[]}} more */
  take(more) {
    this.histories.set(more.run, extend(this.histories.get(more.run) ?? noHistory(), more));
    this.redraw();
  }

  live() {
    const { run } = this;
    if (run) this.#hear({ kind: "live", run });
  }

  /** @param {number} call */
  #go(call) {
    const { run } = this;
    const { choice } = this.deck.slots[this.deck.heard];
    if (!run || (choice?.kind === "step" && choice.call === call)) return;
    this.#hear({ kind: "step", run, call });
  }

  /** @param {Choice} choice it is heard in place of workers that are soloed */
  #hear(choice) {
    this.deck.choose(this.deck.heard, choice);
    this.deck.hear(this.deck.heard);
  }

  /** @param {PointerEvent} event */
  #scrub(event) {
    if (!this.drawing) return;
    const call = snapshotAt(this.history.snapshots, callAt(this.drawing, event.offsetX));
    if (call !== null) this.#go(call);
  }

  /** @param {number} by so many snapshots */
  walk(by) {
    const { snapshots } = this.history;
    if (snapshots.length === 0) return;
    const heard = this.deck.slots[this.deck.heard].snapshot?.call ?? snapshots[snapshots.length - 1];
    const { choice } = this.deck.slots[this.deck.heard];
    const from = snapshots.indexOf(snapshotAt(snapshots, choice?.kind === "step" ? choice.call : heard) ?? 0);
    this.#go(snapshots[Math.max(0, Math.min(snapshots.length - 1, from + by))]);
  }

  first() {
    const [call] = this.history.snapshots;
    if (call !== undefined) this.#go(call);
  }

  /** @param {KeyboardEvent} event */
  #key(event) {
    const leap = Math.max(1, Math.round(this.history.snapshots.length / 20));
    const by = { PageUp: leap, PageDown: -leap }[event.key];
    if (by !== undefined) this.walk(by);
    else if (event.key === "End") this.live();
    else return;
    event.preventDefault();
  }

  /** The calls that are heard now and by switching; null: none of this run. */
  get #marks() {
    const { deck } = this;
    const { choice, snapshot } = deck.slots[deck.heard];
    const other = deck.slots[deck.silent].snapshot;
    // A response from a file is no step of any run, and a run's start, 0, is the first of its steps.
    const step = snapshot?.run && snapshot.run === this.run ? snapshot.call : null;
    const heard = choice?.kind === "step" ? choice.call || step : step;
    return { live: choice?.kind === "live", heard, other: other?.run === this.run ? other.call : null };
  }

  draw() {
    const { history, deck } = this;
    const { live, heard, other } = this.#marks;
    this.#showMetrics(Object.keys(history.metrics));
    this.drawing = drawTraining(this.canvas, history, { metric: this.select.value, heard, other, letter: deck.silent });
    element("live").setAttribute("aria-pressed", String(live));
    element("heard").textContent = this.#said(heard, history);
    this.canvas.setAttribute("aria-valuemin", String(history.calls[0] ?? 0));
    this.canvas.setAttribute("aria-valuemax", String(history.calls.at(-1) ?? 0));
    this.canvas.setAttribute("aria-valuenow", String(heard ?? 0));
    this.canvas.setAttribute("aria-valuetext", this.#said(heard, history));
  }

  /**
   * @param {number | null} heard
   * @param {History} history
   */
  #said(heard, history) {
    if (heard === null) return "";
    const values = history.metrics[this.select.value];
    const row = history.calls.indexOf(heard);
    const value = row >= 0 && values ? `   ${this.select.value} ${figure(values[row])}` : "";
    return `step ${heard}${value}`;
  }

  /** @param {string[]} names */
  #showMetrics(names) {
    if (names.join("\n") === this.names) return;
    this.names = names.join("\n");
    const before = this.select.value;
    this.select.replaceChildren(...names.map((name) => make("option", { text: name })));
    if (names.includes(before)) this.select.value = before;
  }
}
