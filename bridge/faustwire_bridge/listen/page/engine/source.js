import { BLOCK } from "./block.js";

/**
 * What is played into the model.
 *
 * @typedef {"silence" | "click" | "noise" | "sweep" | "file" | "microphone"} SourceKind
 *
 * @typedef {object} SourceSettings
 * @property {SourceKind} kind
 * @property {number} seconds between two clicks, bursts or sweeps
 * @property {number} level linear
 */

/** Peaks of these are such that the levels are alike when switching. */
const BURST_SECONDS = 0.25;
const SWEEP_SECONDS = 2;
const SWEEP_HZ = [30, 16_000];
const FADE_SECONDS = 0.02;

/** Makes two channels of sound, block by block. */
export class Source {
  /** @param {number} fs */
  constructor(fs) {
    this.fs = fs;
    /** @type {SourceSettings} */
    this.settings = { kind: "silence", seconds: 2, level: 0.5 };
    this.time = 0;
    this.seed = 1;
    this.impulse = 0;
    this.fade = 1;
    /** @type {SourceSettings | null} */
    this.next = null;
    /** @type {Float32Array[]} the file's channels */
    this.file = [];
    this.place = 0;
    this.phase = 0;
  }

  /**
   * Changes over in two short fades.
   *
   * @param {SourceSettings} settings
   */
  set(settings) {
    if (settings.kind === this.settings.kind && !this.next) this.settings = settings;
    else this.next = settings;
  }

  /** @param {Float32Array[]} channels one or two, at this sampling rate */
  load(channels) {
    this.file = channels.length === 1 ? [channels[0], channels[0]] : channels;
    this.place = 0;
  }

  /** One impulse, whatever else is played. */
  strike() {
    this.impulse = 1;
  }

  stop() {
    this.settings = { ...this.settings, kind: "silence" };
    this.next = null;
    this.impulse = 0;
  }

  /**
   * @param {Float64Array[]} out [2][BLOCK]
   * @param {Float32Array[]} microphone its channels, or none
   */
  process(out, microphone) {
    const step = 1 / (FADE_SECONDS * this.fs);
    for (let t = 0; t < BLOCK; t++) {
      if (this.next) {
        this.fade -= step;
        if (this.fade <= 0) this.#change();
      } else if (this.fade < 1) this.fade = Math.min(1, this.fade + step);
      const gain = this.fade * this.settings.level;
      const mono = this.#mono();
      for (let c = 0; c < 2; c++) out[c][t] = gain * (mono + this.#stereo(c, t, microphone));
      if (this.settings.kind === "file" && this.file.length) this.place = (this.place + 1) % this.file[0].length;
      if (this.impulse) {
        out[0][t] += this.impulse * this.settings.level;
        out[1][t] += this.impulse * this.settings.level;
        this.impulse = 0;
      }
      this.time++;
    }
  }

  #change() {
    this.settings = this.next ?? this.settings;
    this.next = null;
    this.fade = this.settings.kind === "click" ? 1 : 0;
    this.time = 0;
    this.place = 0;
    this.phase = 0;
  }

  #mono() {
    const { kind, seconds } = this.settings;
    if (kind === "silence" || kind === "file" || kind === "microphone") return 0;
    const period = Math.max(1, Math.round(Math.max(seconds, kind === "sweep" ? SWEEP_SECONDS + 0.2 : 0.05) * this.fs));
    const at = this.time % period;
    if (kind === "click") return at === 0 ? 1 : 0;
    return kind === "noise" ? this.#burst(at) : this.#sweep(at);
  }

  /** @param {number} at samples since it began */
  #burst(at) {
    const part = at / (BURST_SECONDS * this.fs);
    return part < 1 ? 0.25 * this.#noise() * hann(part) : 0;
  }

  /** @param {number} at samples since it began */
  #sweep(at) {
    const part = at / (SWEEP_SECONDS * this.fs);
    if (at === 0) this.phase = 0;
    if (part >= 1) return 0;
    this.phase += (2 * Math.PI * SWEEP_HZ[0] * (SWEEP_HZ[1] / SWEEP_HZ[0]) ** part) / this.fs;
    return 0.2 * Math.sin(this.phase) * Math.min(1, 50 * part, 50 * (1 - part));
  }

  /**
   * @param {number} c
   * @param {number} t
   * @param {Float32Array[]} microphone
   */
  #stereo(c, t, microphone) {
    const { kind } = this.settings;
    if (kind === "file" && this.file.length) return this.file[c][this.place];
    if (kind === "microphone" && microphone.length) return microphone[Math.min(c, microphone.length - 1)][t];
    return 0;
  }

  /** Numbers from -1 to 1; the same ones each time (xorshift, G. Marsaglia, 2003). */
  #noise() {
    this.seed ^= this.seed << 13;
    this.seed ^= this.seed >>> 17;
    this.seed ^= this.seed << 5;
    return this.seed / 2 ** 31;
  }
}

/** @param {number} part */
function hann(part) {
  return 0.5 - 0.5 * Math.cos(2 * Math.PI * part);
}
