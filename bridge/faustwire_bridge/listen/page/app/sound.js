import { element } from "./page.js";
import { say } from "./trouble.js";

/** @import { Knobs } from "../engine/knobs.js" */
/** @import { Plan } from "../engine/plan.js" */
/** @import { SourceSettings } from "../engine/source.js" */

const WORKLET = new URL("../engine/worklet.js", import.meta.url);
/** After how long a page says that its engine is still being loaded. */
const LATE_SECONDS = 3;

/**
 * The page's end of the worklet. Before there is sound, what it is told is kept and said then.
 */
export class Sound extends EventTarget {
  constructor() {
    super();
    /** @type {AudioContext | null} */
    this.context = null;
    /** @type {AudioWorkletNode | null} */
    this.node = null;
    /** @type {Map<string, {message: any}>} */
    this.kept = new Map();
    this.fs = 48_000;
    /** @type {MediaStreamAudioSourceNode | null} */
    this.microphone = null;
    /** @type {Promise<void> | null} */
    this.starting = null;
  }

  /** Whether this page may have sound at all; says why not. */
  possible() {
    const possible = window.isSecureContext && "AudioWorklet" in window;
    if (!possible) {
      const port = location.port || "80";
      say("no-worklet", "This page came over plain http from another machine, and browsers play sound through a page's own code only from https or localhost. Forward the port, and open the link with localhost in place of the machine's name:", {
        code: `ssh -N -L ${port}:localhost:${port} ${location.hostname}`,
        bad: true,
      });
    }
    return possible;
  }

  /** Needs a click or a key: browsers play nothing before. */
  start() {
    this.starting ??= this.#begin();
    this.context?.resume();
    return this.starting;
  }

  async #begin() {
    const late = setTimeout(() => say("no-sound", "There is no sound yet: the browser is still loading the page's audio engine."), 1000 * LATE_SECONDS);
    try {
      await this.#open();
    } catch (error) {
      this.starting = null;
      say("no-sound", `There is no sound: ${error instanceof Error ? error.message : error}`, { bad: true });
    } finally {
      clearTimeout(late);
    }
  }

  async #open() {
    if (!this.possible()) throw new Error("the browser has no AudioWorklet here");
    const context = new AudioContext({ sampleRate: this.fs, latencyHint: "interactive" });
    this.context = context;
    try {
      await context.audioWorklet.addModule(WORKLET);
    } catch (error) {
      // A closed context's modules fail; the one in its place is opened by a call of its own.
      if (this.context === context) throw error;
    }
    if (this.context !== context) return void (await this.starting);
    const node = new AudioWorkletNode(context, "faustwire-listen", { outputChannelCount: [2] });
    node.port.onmessage = ({ data }) => this.#heard(data);
    node.onprocessorerror = () => say("engine", "The engine has failed; reload the page.", { bad: true });
    node.connect(context.destination);
    this.node = node;
    for (const { message } of this.kept.values()) node.port.postMessage(message);
    context.onstatechange = () => this.#tellState();
    this.#tellState();
    say("no-sound", "");
  }

  #tellState() {
    const asleep = this.context?.state !== "running";
    say("asleep", asleep ? "The browser holds the sound back: press play, or any key." : "");
    if (this.context && this.context.sampleRate !== this.fs) {
      say("rate", `The browser plays at ${this.context.sampleRate} Hz instead of the model's ${this.fs} Hz: pitch and decay are off. Choose another output device.`);
    } else say("rate", "");
  }

  /** @param {any} data */
  #heard(data) {
    if (data.type === "trouble") say("engine", data.text, { seconds: 8 });
    else this.dispatchEvent(new CustomEvent(data.type, { detail: data }));
  }

  /**
   * @param {string} key what it replaces among the things that are kept
   * @param {any} message
   */
  #tell(key, message) {
    this.kept.set(key, { message });
    this.node?.port.postMessage(message);
  }

  /**
   * Another sampling rate needs another context.
   *
   * @param {number} fs
   */
  #rate(fs) {
    if (fs === this.fs) return;
    this.fs = fs;
    if (!this.context) return;
    this.context.close();
    this.context = this.node = this.starting = this.microphone = null;
    this.start();
  }

  /**
   * @param {string} slot
   * @param {Plan} plan
   * @param {{glide: boolean, gain: number}} how
   */
  load(slot, plan, how) {
    this.#rate(plan.structure.fs);
    this.#tell(`load ${slot}`, { type: "load", slot, ...plan, ...how });
  }

  /**
   * @param {string} slot
   * @param {number} gain
   */
  gain(slot, gain) {
    const kept = this.kept.get(`load ${slot}`);
    if (kept) kept.message.gain = gain;
    this.node?.port.postMessage({ type: "gain", slot, gain });
  }

  /** @param {...string} slots those that get the input */
  select(...slots) {
    this.#tell("select", { type: "select", slots });
  }

  /** @param {string} slot it rings out */
  remove(slot) {
    this.kept.delete(`load ${slot}`);
    this.node?.port.postMessage({ type: "remove", slot });
  }

  /** @param {Knobs} knobs */
  turn(knobs) {
    this.#tell("knobs", { type: "knobs", knobs });
  }

  /** @param {SourceSettings} settings */
  play(settings) {
    this.#tell("source", { type: "source", settings });
  }

  /** @param {number} seconds */
  glide(seconds) {
    this.#tell("glide", { type: "glide", seconds });
  }

  /** @param {number} gain */
  volume(gain) {
    this.#tell("volume", { type: "volume", gain });
  }

  async strike() {
    await this.start();
    this.node?.port.postMessage({ type: "strike" });
  }

  panic() {
    this.kept.delete("source");
    this.node?.port.postMessage({ type: "panic" });
  }

  /**
   * @param {File} file
   * @returns {Promise<AudioBuffer | null>} at the model's rate; null, and said, if it is not a sound
   */
  async decode(file) {
    const offline = new OfflineAudioContext(2, 1, this.fs);
    try {
      return await offline.decodeAudioData(await file.arrayBuffer());
    } catch {
      say("file", `${file.name} can't be read as sound by this browser.`, { seconds: 8 });
      return null;
    }
  }

  /** @param {AudioBuffer} buffer */
  useFile(buffer) {
    const channels = Array.from({ length: Math.min(2, buffer.numberOfChannels) }, (_, c) => buffer.getChannelData(c).slice());
    normalise(channels);
    this.#tell("file", { type: "file", channels });
  }

  async useMicrophone() {
    await this.start();
    if (!this.context || !this.node || this.microphone) return;
    const plain = { echoCancellation: false, noiseSuppression: false, autoGainControl: false };
    const stream = await navigator.mediaDevices.getUserMedia({ audio: plain });
    this.microphone = this.context.createMediaStreamSource(stream);
    this.microphone.connect(this.node);
  }

  stopMicrophone() {
    this.microphone?.mediaStream.getTracks().forEach((track) => track.stop());
    this.microphone?.disconnect();
    this.microphone = null;
  }
}

/**
 * To the level of the other sources.
 *
 * @param {Float32Array[]} channels
 */
function normalise(channels) {
  let [sum, peak] = [0, 1e-9];
  for (const channel of channels) {
    for (const sample of channel) {
      sum += sample * sample;
      peak = Math.max(peak, Math.abs(sample));
    }
  }
  const rms = Math.sqrt(sum / (channels.length * channels[0].length)) || 1;
  const gain = Math.min(0.1 / rms, 1 / peak);
  for (const channel of channels) channel.forEach((sample, t) => (channel[t] = gain * sample));
}

/**
 * The output level, drawn.
 *
 * @param {{peaks: number[], rms: number[], gain: number}} levels
 */
export function drawMeter({ peaks, rms, gain }) {
  const canvas = element("meter");
  const context = /** @type {HTMLCanvasElement} */ (canvas).getContext("2d");
  if (!context) return;
  const loudest = 20 * Math.log10(Math.max(...peaks, 1e-3));
  canvas.setAttribute("aria-valuenow", loudest.toFixed(0));
  const { width, height } = context.canvas;
  const style = getComputedStyle(canvas);
  const colour = (/** @type {string} */ name) => style.getPropertyValue(name).trim();
  const at = (/** @type {number} */ level) => width * Math.max(0, Math.min(1, 1 + (20 * Math.log10(level + 1e-9)) / 60));
  context.clearRect(0, 0, width, height);
  for (let c = 0; c < 2; c++) {
    const y = 1 + (c * height) / 2;
    context.fillStyle = colour("--grid");
    context.fillRect(0, y, width, height / 2 - 2);
    context.fillStyle = colour(gain < 0.99 ? "--warn" : "--accent");
    context.fillRect(0, y, at(rms[c]), height / 2 - 2);
    context.fillRect(at(peaks[c]) - 2, y, 2, height / 2 - 2);
  }
}
