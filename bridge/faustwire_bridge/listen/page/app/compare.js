import { element, make } from "./page.js";

/** @import { Worker } from "../connection.js" */
/** @import { Choice, Deck, Letter } from "./deck.js" */

/** @type {Letter[]} */
const LETTERS = ["A", "B"];

/** The two slots on the page. */
export class Compare {
  /** @param {Deck} deck */
  constructor(deck) {
    this.deck = deck;
    /** @type {Worker[]} */
    this.workers = [];
    for (const letter of LETTERS) {
      const select = /** @type {HTMLSelectElement} */ (element(`choice-${letter}`));
      select.addEventListener("change", () => {
        const choice = JSON.parse(select.value || "null");
        if (choice) deck.choose(letter, choice);
      });
      letterButton(letter).addEventListener("click", () => deck.hear(letter));
    }
    element("swap").addEventListener("click", () => this.swap());
    element("keep").addEventListener("click", () => deck.keep());
    const match = /** @type {HTMLInputElement} */ (element("match"));
    match.addEventListener("change", () => deck.setMatch(match.checked));
  }

  swap() {
    this.deck.hear(this.deck.silent);
  }

  /** @param {boolean} soloed whether others are heard in place of A or B */
  show(soloed) {
    const { deck } = this;
    for (const letter of LETTERS) {
      const { choice, snapshot, analysis } = deck.slots[letter];
      letterButton(letter).setAttribute("aria-pressed", String(deck.heard === letter && !soloed));
      this.#options(letter, choice);
      const step = snapshot && choice?.kind !== "reference" ? `step ${snapshot.call}` : "";
      const gain = letter === "B" && analysis && deck.match ? `${deck.matchedDb >= 0 ? "+" : "−"}${Math.abs(deck.matchedDb).toFixed(1)} dB` : "";
      element(`about-${letter}`).textContent = [step, gain].filter(Boolean).join("  ");
    }
  }

  /**
   * @param {Letter} letter
   * @param {Choice | null} choice
   */
  #options(letter, choice) {
    const select = /** @type {HTMLSelectElement} */ (element(`choice-${letter}`));
    /** @type {[string, Choice][]} */
    const offered = this.workers.flatMap(({ run, worker, standing }) => [
      [`${worker}, ${standing === "recorded" ? "at the end" : "live"}`, { kind: "live", run }],
      [`${worker} at the start`, { kind: "step", run, call: 0 }],
    ]);
    if (choice?.kind === "step" && choice.call !== 0) {
      const name = this.workers.find(({ run }) => run === choice.run)?.worker ?? "a run";
      offered.push([`${name}, step ${choice.call}`, choice]);
    }
    if (this.deck.reference) offered.push(["the response from a file", { kind: "reference" }]);
    const texts = JSON.stringify(offered);
    if (select.dataset.offered !== texts) {
      select.dataset.offered = texts;
      const none = make("option", { text: letter === "A" ? "waiting for a worker" : "nothing yet: choose, or keep A" });
      none.disabled = true;
      none.value = "null";
      const options = offered.map(([text, value]) => {
        const option = make("option", { text });
        option.value = JSON.stringify(value);
        return option;
      });
      select.replaceChildren(none, ...options);
    }
    select.value = JSON.stringify(choice);
  }
}

/** @param {Letter} letter */
function letterButton(letter) {
  const found = document.querySelector(`[data-slot="${letter}"] .letter`);
  return /** @type {HTMLButtonElement} */ (found);
}
