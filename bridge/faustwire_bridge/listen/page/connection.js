/**
 * The one module that talks to the server. The protocol, version 1:
 *
 * The page opens a WebSocket at `ws`, beside itself, with the token of its own link:
 * `ws://HOST:PORT/ws?token=TOKEN` for `http://HOST:PORT/?token=TOKEN`. The server closes with code
 * 4401 when the token is wrong, 4403 when Origin or Host are; the page then stops trying. After any
 * other end it tries again, 0.5 s later at first and 8 s at most.
 *
 * All numbers are JSON numbers, all times seconds, a `run` is text that names a worker's incarnation
 * or a recording's worker. Unknown types and fields are to be ignored, by both.
 *
 * Server to page, text frames (JSON), the first one `hello`:
 *
 *   {type: "hello", version: 1, mode: "bridge" | "recording", title: str, may_steer: bool,
 *    command: str, alive_seconds: float}  what it shows; `command`: the server's own ssh line or "";
 *                                         something comes at least so often
 *   {type: "alive"}                       every `alive_seconds`
 *   {type: "state", follow: str, playing: {run, call} | null, workers: [{run, worker, host,
 *    standing: "plays" | "followed" | "not followed" | "gone" | "recorded", call: int | null,
 *    rate: float, metrics: {name: float}, reason: str, detail: str, published: int, calls: int,
 *    seen_seconds: float}]}               whole each time
 *   {type: "history", run, from: int, calls: [int], metrics: {name: [float | null]},
 *    snapshots: [int], published: [int]}  the run's curve from its row `from` on (0: anew): rows in
 *                                         the order of `calls`; `snapshots`: calls from there on
 *                                         that can be fetched; `published`: written to the
 *                                         plugin's file
 *   {type: "events", events: [{at: float (since 1970), kind, detail, worker, call: int | null}]}
 *   {type: "structure", id: str, structure: {...}}   as plan.py writes it; before the first
 *                                         snapshot that has it, once a connection
 *   {type: "refused", run, call, reason, detail, request: int | null}   instead of a snapshot
 *   {type: "steered", detail}             the answer to `follow`
 *   {type: "trouble", kind: str, text: str}   text "": the trouble of this kind is over
 *
 * Server to page, binary frames: a snapshot. Little-endian throughout:
 *
 *   offset 0  uint32  length N of the header, such that 4 + N is a multiple of 8
 *   offset 4  N bytes UTF-8 JSON, padded with spaces:
 *             {type: "snapshot", run, call, structure: id, request: int | null,
 *              margin_db: float | null, rt60_seconds: float | null, controls: {name:
 *              {label, unit, init, min, max, step}}}
 *   then      float64 values, as many as the structure says
 *
 * Page to server, text frames (JSON):
 *
 *   {type: "watch", runs: [run]}          send the newest snapshot of these, and newer ones as they
 *                                         come; replaces the list before
 *   {type: "ready", run}                  the last snapshot of this run has been taken in: the next
 *                                         may come. One is outstanding a run, the newest wins
 *   {type: "fetch", request: int, run, call: int}   the newest snapshot not after this call; 0: the
 *                                         first. Answered by a snapshot or `refused` with `request`
 *   {type: "follow", words: [str]}        ["worker", NAME], ["latest"] …; needs `may_steer`
 */

export const VERSION = 1;
const WRONG_TOKEN = 4401;
const WRONG_ORIGIN = 4403;
const FIRST_WAIT = 500;
const LONGEST_WAIT = 8000;
// Until the first message.
const SILENCE = 15_000;
// Of the server's `alive_seconds`: a message may be late.
const ALIVE_TIMES = 3;

/** @import { Plan, Structure } from "./engine/plan.js" */

/**
 * @typedef {object} Slider
 * @property {string} label
 * @property {string} unit
 * @property {number} init
 * @property {number} min
 * @property {number} max
 * @property {number} step
 * @property {boolean} [neutral_end] an rt60 knob that does nothing at its right end
 *
 * @typedef {object} Snapshot
 * @property {string} run
 * @property {number} call
 * @property {Plan} plan
 * @property {number | null} request
 * @property {number | null} margin_db
 * @property {number | null} rt60_seconds
 * @property {{[name: string]: Slider}} controls
 *
 * @typedef {object} Worker
 * @property {string} run
 * @property {string} worker
 * @property {string} host
 * @property {"plays" | "followed" | "not followed" | "gone" | "recorded"} standing
 * @property {number | null} call
 * @property {number} rate
 * @property {{[name: string]: number}} metrics
 * @property {string} reason
 * @property {string} detail
 * @property {number} published
 * @property {number} calls
 * @property {number} seen_seconds
 */

/** Emits an event for each type of message, and "snapshot", "open", "closed" ({again, code, reason}). */
export class Connection extends EventTarget {
  /** @param {Location} location the page's own */
  constructor(location) {
    super();
    const url = new URL("ws", location.href);
    url.protocol = location.protocol === "https:" ? "wss:" : "ws:";
    url.search = "";
    url.hash = "";
    url.searchParams.set("token", new URLSearchParams(location.search).get("token") ?? "");
    this.url = url;
    this.wait = FIRST_WAIT;
    this.silence = SILENCE;
    this.watchdog = 0;
    /** @type {Map<string, Structure>} */
    this.structures = new Map();
    /** @type {WebSocket | null} */
    this.socket = null;
    /** @type {Map<number, (snapshot: Snapshot | null) => void>} */
    this.requests = new Map();
    this.lastRequest = 0;
    /** @type {string[]} */
    this.watched = [];
  }

  open() {
    const socket = new WebSocket(this.url);
    socket.binaryType = "arraybuffer";
    this.structures.clear();
    socket.onopen = () => {
      this.#emit("open", {});
      if (this.watched.length) this.send({ type: "watch", runs: this.watched });
    };
    socket.onmessage = ({ data }) => this.#take(data);
    socket.onclose = ({ code, reason }) => this.#closed(code, reason);
    this.socket = socket;
    this.silence = SILENCE;
    this.#watch();
  }

  /** A server that says nothing for too long is gone; a network that has gone closes no socket. */
  #watch() {
    clearTimeout(this.watchdog);
    if (this.silence) this.watchdog = window.setTimeout(() => this.#miss(), this.silence);
  }

  #miss() {
    if (!this.socket) return;
    this.socket.onclose = this.socket.onmessage = null;
    this.socket.close();
    this.#closed(0, "");
  }

  /**
   * @param {number} code
   * @param {string} reason the server's; empty where the connection broke
   */
  #closed(code, reason) {
    clearTimeout(this.watchdog);
    for (const answer of this.requests.values()) answer(null);
    this.requests.clear();
    const again = code !== WRONG_TOKEN && code !== WRONG_ORIGIN;
    this.#emit("closed", { again, code, reason });
    if (!again) return;
    setTimeout(() => this.open(), this.wait);
    this.wait = Math.min(2 * this.wait, LONGEST_WAIT);
  }

  /** @param {string | ArrayBuffer} data */
  #take(data) {
    this.#receive(data);
    this.#watch();
  }

  /** @param {string | ArrayBuffer} data */
  #receive(data) {
    if (typeof data !== "string") return this.#takeSnapshot(data);
    const message = JSON.parse(data);
    // Not before: a server that has no room takes the connection, and ends it.
    if (message.type === "hello") {
      this.wait = FIRST_WAIT;
      this.silence = 1000 * ALIVE_TIMES * (message.alive_seconds ?? 0);
    }
    if (message.type === "structure") this.structures.set(message.id, message.structure);
    if (message.type === "refused" && message.request !== null) this.#answer(message.request, null);
    this.#emit(message.type, message);
  }

  /** @param {ArrayBuffer} buffer */
  #takeSnapshot(buffer) {
    const length = new DataView(buffer).getUint32(0, true);
    const header = JSON.parse(new TextDecoder().decode(new Uint8Array(buffer, 4, length)));
    const structure = this.structures.get(header.structure);
    if (!structure) return;
    const values = new Float64Array(buffer, 4 + length);
    const snapshot = { ...header, plan: { structure, id: header.structure, values } };
    if (header.request === null) {
      this.#emit("snapshot", snapshot);
      this.send({ type: "ready", run: header.run });
    } else this.#answer(header.request, snapshot);
  }

  /**
   * @param {number} request
   * @param {Snapshot | null} snapshot
   */
  #answer(request, snapshot) {
    this.requests.get(request)?.(snapshot);
    this.requests.delete(request);
  }

  /**
   * @param {string} type
   * @param {object} detail
   */
  #emit(type, detail) {
    this.dispatchEvent(new CustomEvent(type, { detail }));
  }

  /** @param {object} message */
  send(message) {
    if (this.socket?.readyState === WebSocket.OPEN) this.socket.send(JSON.stringify(message));
  }

  /** @param {string[]} runs */
  watch(runs) {
    const wanted = [...new Set(runs)].sort();
    if (wanted.join("\n") === this.watched.join("\n")) return;
    this.watched = wanted;
    this.send({ type: "watch", runs: wanted });
  }

  /**
   * @param {string} run
   * @param {number} call 0: the first
   * @returns {Promise<Snapshot | null>} null: there is none, or the connection is gone
   */
  fetch(run, call) {
    if (this.socket?.readyState !== WebSocket.OPEN) return Promise.resolve(null);
    const request = ++this.lastRequest;
    const answered = new Promise((resolve) => this.requests.set(request, resolve));
    this.send({ type: "fetch", request, run, call });
    return /** @type {Promise<Snapshot | null>} */ (answered);
  }

  /** @param {string[]} words */
  follow(words) {
    this.send({ type: "follow", words });
  }
}
