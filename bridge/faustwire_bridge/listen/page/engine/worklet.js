/**
 * The player in an AudioWorklet. Messages to its port:
 *
 *   {type: "load", slot, structure, id, values: Float64Array, glide, gain}
 *   {type: "gain", slot, gain}   {type: "select", slots}   {type: "remove", slot}   {type: "knobs", knobs}
 *   {type: "source", settings}   {type: "file", channels: Float32Array[]}
 *   {type: "glide", seconds}   {type: "volume", gain}   {type: "strike"}   {type: "panic"}
 *
 * and from it, thirty times a second and when something happens:
 *
 *   {type: "levels", peaks: [l, r], rms: [l, r], gain, load, voices, glides, handOvers}
 *   {type: "trouble", text}
 */
import { BLOCK } from "./block.js";
import { Player } from "./player.js";

const LEVELS_PER_SECOND = 30;

/** @type {{[type: string]: (player: Player, message: any) => void}} */
const ACTS = {
  load: (player, message) => player.load(message.slot, message, { glide: message.glide, gain: message.gain }),
  gain: (player, { slot, gain }) => player.setGain(slot, gain),
  select: (player, { slots }) => player.select(...slots),
  remove: (player, { slot }) => player.remove(slot),
  knobs: (player, { knobs }) => player.turn(knobs),
  source: (player, { settings }) => player.source.set(settings),
  file: (player, { channels }) => player.source.load(channels),
  glide: (player, { seconds }) => (player.glideSeconds = seconds),
  volume: (player, { gain }) => player.setVolume(gain),
  strike: (player) => player.source.strike(),
  panic: (player) => player.panic(),
};

class ListenProcessor extends AudioWorkletProcessor {
  constructor() {
    super();
    this.player = new Player(sampleRate, (text) => this.port.postMessage({ type: "trouble", text }));
    this.port.onmessage = ({ data }) => this.#obey(data);
    this.blocks = 0;
    // Milliseconds: a worklet's only clock. What is lost in each block is right on average.
    this.busy = 0;
    this.load = 0;
    this.between = Math.round(sampleRate / BLOCK / LEVELS_PER_SECOND);
  }

  /** @param {any} message */
  #obey(message) {
    try {
      ACTS[message.type]?.(this.player, message);
    } catch (error) {
      const text = error instanceof Error ? error.message : String(error);
      this.port.postMessage({ type: "trouble", text });
    }
  }

  /**
   * @param {Float32Array[][]} inputs
   * @param {Float32Array[][]} outputs
   */
  process(inputs, outputs) {
    const began = Date.now();
    const [left, right] = this.player.process(inputs[0] ?? []);
    outputs[0][0].set(left);
    outputs[0][1]?.set(right);
    this.busy += Date.now() - began;
    if (++this.blocks % this.between === 0) this.#tell();
    return true;
  }

  #tell() {
    const available = (1000 * this.between * BLOCK) / sampleRate;
    this.load += 0.1 * (this.busy / available - this.load);
    this.busy = 0;
    const { player } = this;
    this.port.postMessage({
      type: "levels",
      ...player.levels(),
      ...player.counts,
      load: this.load,
      voices: player.slots.size + player.ringing.length,
    });
  }
}

registerProcessor("faustwire-listen", ListenProcessor);
