import { rt60At } from "../engine/knobs.js";
import { element, make } from "./page.js";
import { say } from "./trouble.js";

/** @import { Slider } from "../connection.js" */
/** @import { SourceKind } from "../engine/source.js" */
/** @import { Deck } from "./deck.js" */
/** @import { Sound } from "./sound.js" */

/** The knobs as they are when the program has none of its own. */
/** @type {{[name: string]: Slider}} */
const PLAIN = {
  rt60: { label: "decay", unit: "s", init: 10.1, min: 0.1, max: 10.1, step: 0.1, neutral_end: true },
  dry_wet: { label: "dry/wet", unit: "", init: 1, min: 0, max: 1, step: 0.01 },
  pre_delay: { label: "pre-delay", unit: "ms", init: 0, min: 0, max: 250, step: 1 },
};

/** Play and stop, sources, volume, glide and knobs. */
export class Transport {
  /**
   * @param {Sound} sound
   * @param {Deck} deck
   */
  constructor(sound, deck) {
    this.sound = sound;
    this.deck = deck;
    this.playing = false;
    /** @type {SourceKind} */
    this.kind = "click";
    this.hasFile = false;
    this.controls = "";
    this.buttons = /** @type {HTMLElement[]} */ ([...document.querySelectorAll("[data-source]")]);
    for (const button of this.buttons) {
      button.addEventListener("click", () => this.choose(/** @type {SourceKind} */ (button.dataset.source)));
    }
    element("play").addEventListener("click", () => this.toggle());
    element("strike").addEventListener("click", () => this.strike());
    element("panic").addEventListener("click", () => this.panic());
    this.#range("period", (v) => `${v.toFixed(1)} s`, () => this.#tell());
    this.#range("volume", (v) => `${v > 0 ? "+" : ""}${v.toFixed(1)} dB`, (v) => sound.volume(v <= -40 ? 0 : 10 ** (v / 20)));
    this.#range("glide", (v) => `${Math.round(1000 * v)} ms`, (v) => sound.glide(v));
    const file = /** @type {HTMLInputElement} */ (element("file"));
    file.addEventListener("change", () => file.files?.[0] && this.useFile(file.files[0]));
    this.showKnobs({});
  }

  /**
   * @param {string} id
   * @param {(value: number) => string} text
   * @param {(value: number) => void} act
   */
  #range(id, text, act) {
    const input = /** @type {HTMLInputElement} */ (element(id));
    const show = () => {
      element(`${id}-text`).textContent = text(input.valueAsNumber);
      act(input.valueAsNumber);
    };
    input.addEventListener("input", show);
    show();
  }

  async toggle() {
    if (this.playing) return this.#stop();
    await this.sound.start();
    if (!this.sound.node) return;
    this.playing = true;
    this.#tell();
  }

  #stop() {
    this.playing = false;
    this.#tell();
  }

  panic() {
    this.playing = false;
    this.sound.panic();
    this.#show();
  }

  strike() {
    this.sound.strike();
  }

  /** @param {SourceKind} kind */
  async choose(kind) {
    if (kind === "file" && (!this.hasFile || this.kind === "file")) return element("file").click();
    if (kind === "microphone") {
      try {
        await this.sound.useMicrophone();
      } catch (error) {
        return say("microphone", `No microphone: ${error instanceof Error ? error.message : error}`, { seconds: 8 });
      }
    } else this.sound.stopMicrophone();
    this.kind = kind;
    this.#note();
    this.#tell();
  }

  #note() {
    const note = element("source-note");
    note.hidden = this.kind !== "microphone";
    note.textContent = "Use headphones: from loudspeakers into the microphone, a reverberator feeds back.";
  }

  /** @param {File} file */
  async useFile(file) {
    const buffer = await this.sound.decode(file);
    if (!buffer) return;
    this.sound.useFile(buffer);
    say("file", "");
    this.hasFile = true;
    await this.choose("click");
    await this.choose("file");
    if (!this.playing) await this.toggle();
  }

  #tell() {
    const seconds = /** @type {HTMLInputElement} */ (element("period")).valueAsNumber;
    const kind = this.playing ? this.kind : "silence";
    this.sound.play({ kind, seconds, level: this.kind === "click" ? 0.8 : 1 });
    this.#show();
  }

  #show() {
    const play = element("play");
    play.setAttribute("aria-pressed", String(this.playing));
    play.setAttribute("aria-label", this.playing ? "Stop (space)" : "Play (space)");
    for (const button of this.buttons) button.setAttribute("aria-checked", String(button.dataset.source === this.kind));
    const timed = ["click", "noise", "sweep"].includes(this.kind);
    /** @type {HTMLInputElement} */ (element("period")).disabled = !timed;
  }

  /** @param {number} decibels */
  louder(decibels) {
    const input = /** @type {HTMLInputElement} */ (element("volume"));
    input.valueAsNumber += decibels;
    input.dispatchEvent(new Event("input"));
  }

  /** @param {{[name: string]: Slider}} controls the program's own */
  showKnobs(controls) {
    const text = JSON.stringify(controls);
    if (text === this.controls) return;
    this.controls = text;
    const inputs = Object.entries(PLAIN).map(([name, plain]) => knob(name, controls[name] ?? plain));
    const read = () => {
      const [rt60, wet, preDelay] = inputs.map(({ value }) => value());
      this.deck.turn({ rt60, dry_wet: wet, pre_delay: preDelay });
    };
    for (const { input } of inputs) input.addEventListener("input", read);
    const box = element("knobs");
    box.replaceChildren(...inputs.map(({ label }) => label));
    box.hidden = false;
    read();
  }
}

/**
 * @param {string} name
 * @param {Slider} slider
 */
function knob(name, slider) {
  const input = make("input");
  input.type = "range";
  for (const key of /** @type {const} */ (["min", "max", "step"])) input[key] = String(slider[key]);
  input.value = String(slider.init);
  const value = () => (name === "rt60" ? rt60At(slider, input.valueAsNumber) : input.valueAsNumber);
  const output = make("output", { className: "number" });
  const show = () => (output.textContent = value() === null ? "as trained" : `${+input.valueAsNumber.toPrecision(3)} ${slider.unit}`);
  input.addEventListener("input", show);
  show();
  const label = make("label", { text: `${slider.label} ` }, output, input);
  return { input, label, value };
}
