/**
 * A training that never was, served as the bridge's side will serve a real one: for looking at the
 * page and for its browser tests. `node fake_server.mjs [PORT]` prints the link.
 */
import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { createServer } from "node:http";
import { extname, join, normalize } from "node:path";
import { fileURLToPath } from "node:url";
import { fdn } from "./plans.mjs";

const PAGE = fileURLToPath(new URL("../../../bridge/faustwire_bridge/listen/page/", import.meta.url));
const TYPES = { ".html": "text/html", ".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml" };
const CSP = "default-src 'self'; connect-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'";
const TOKEN = "token";

/** One frame to the page; ours are not masked. */
function frame(opcode, payload) {
  const length = payload.length;
  const head = Buffer.alloc(length < 126 ? 2 : length < 65536 ? 4 : 10);
  head[0] = 0x80 | opcode;
  if (length < 126) head[1] = length;
  else if (length < 65536) {
    head[1] = 126;
    head.writeUInt16BE(length, 2);
  } else {
    head[1] = 127;
    head.writeBigUInt64BE(BigInt(length), 2);
  }
  return Buffer.concat([head, payload]);
}

/** The whole frames at the beginning of some bytes, unmasked, and what is left. */
function frames(bytes) {
  const found = [];
  while (bytes.length >= 6) {
    let length = bytes[1] & 127;
    let at = 2;
    if (length === 126) {
      length = bytes.readUInt16BE(2);
      at = 4;
    }
    if (bytes.length < at + 4 + length) break;
    const mask = bytes.subarray(at, at + 4);
    const payload = Buffer.from(bytes.subarray(at + 4, at + 4 + length).map((byte, k) => byte ^ mask[k % 4]));
    found.push({ opcode: bytes[0] & 15, payload });
    bytes = bytes.subarray(at + 4 + length);
  }
  return { found, rest: bytes };
}

/** A made-up training: a network whose decay and matrix drift towards a target. */
class Training {
  constructor(run, worker, { lines = 8, steps = 400, seed = 1 } = {}) {
    Object.assign(this, { run, worker, lines, seed, steps });
    this.call = steps;
  }

  loss(call) {
    const wobble = 0.12 * Math.sin(call * 1.7 + this.seed) + 0.08 * Math.sin(call * 0.37);
    return (2.4 * Math.exp(-call / 90) + 0.05) * (1 + wobble);
  }

  /** Snapshots at each fourth call. */
  get snapshots() {
    return Array.from({ length: Math.floor(this.call / 4) }, (_, k) => 4 * (k + 1));
  }

  plan(call) {
    const part = 1 - Math.exp(-call / 120);
    const plan = fdn(this.lines, this.seed, { gain: 0.62 + 0.33 * part, pole: 0.65 - 0.4 * part, shortest: 500, longest: 2600 });
    return plan;
  }

  history(from = 0) {
    const calls = Array.from({ length: this.call - from }, (_, k) => from + k + 1);
    const loss = calls.map((call) => this.loss(call));
    return {
      type: "history", run: this.run, from, calls,
      metrics: { loss, edr: loss.map((x) => 0.4 * x + 0.1) },
      snapshots: this.snapshots.filter((call) => call > from),
      published: this.snapshots.filter((call) => call > from && call % 12 === 0),
    };
  }
}

export async function serve(port = 0, { hostile = false } = {}) {
  const trainings = [new Training("a1", hostile ? "<img src=x onerror=alert(1)>" : "ada/fdn-8"), new Training("b2", "grace/fdn-16", { lines: 16, seed: 5, steps: 260 })];
  const sockets = new Set();
  const server = createServer(async (request, response) => {
    const { pathname } = new URL(request.url, "http://localhost");
    const path = normalize(join(PAGE, pathname === "/" ? "index.html" : pathname));
    try {
      if (!path.startsWith(PAGE)) throw new Error("outside");
      const body = await readFile(path);
      response.writeHead(200, { "content-type": TYPES[extname(path)] ?? "text/plain", "content-security-policy": CSP, "x-content-type-options": "nosniff", "cache-control": "no-store" });
      response.end(body);
    } catch {
      response.writeHead(404).end();
    }
  });
  server.on("upgrade", (request, socket) => {
    const accept = createHash("sha1").update(`${request.headers["sec-websocket-key"]}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest("base64");
    socket.write(`HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${accept}\r\n\r\n`);
    const client = new Client(socket, trainings, request.url.includes(`token=${TOKEN}`));
    sockets.add(client);
    socket.on("close", () => sockets.delete(client));
    socket.on("error", () => sockets.delete(client));
  });
  const timer = setInterval(() => {
    for (const training of trainings) training.call++;
    for (const client of sockets) client.tick();
  }, 250);
  await new Promise((resolve) => server.listen(port, "127.0.0.1", resolve));
  return {
    url: `http://localhost:${server.address().port}/?token=${TOKEN}`,
    sockets,
    close() {
      clearInterval(timer);
      for (const client of sockets) client.socket.destroy();
      server.close();
    },
  };
}

class Client {
  constructor(socket, trainings, allowed) {
    this.socket = socket;
    this.trainings = trainings;
    this.told = new Map();
    this.structures = new Set();
    this.watched = new Map();
    let rest = Buffer.alloc(0);
    socket.on("data", (bytes) => {
      const taken = frames(Buffer.concat([rest, bytes]));
      rest = taken.rest;
      for (const { opcode, payload } of taken.found) {
        if (opcode === 8) socket.end();
        if (opcode === 1) this.obey(JSON.parse(payload.toString()));
      }
    });
    if (!allowed) {
      this.leave(4401, "");
      return;
    }
    this.say({ type: "hello", version: 1, mode: "bridge", title: "gpu-box · tcp://127.0.0.1:5555", may_steer: true, command: "" });
    const now = Date.now() / 1000;
    this.say({
      type: "events",
      events: [
        { at: now - 64, kind: "welcome", detail: "from gpu-box, pid 4242", worker: "ada/fdn-8", call: null },
        { at: now - 31, kind: "held back", detail: "unstable: the loop grows, 0.4 dB above one", worker: "grace/fdn-16", call: 236 },
        { at: now - 4, kind: "published", detail: "118 ms of silence", worker: "ada/fdn-8", call: 396 },
      ],
    });
    this.tick();
  }

  leave(code, reason) {
    const head = Buffer.alloc(2);
    head.writeUInt16BE(code);
    this.socket.end(frame(8, Buffer.concat([head, Buffer.from(reason)])));
  }

  say(message) {
    if (!this.socket.destroyed) this.socket.write(frame(1, Buffer.from(JSON.stringify(message))));
  }

  snapshot(training, call, request) {
    const plan = training.plan(call);
    if (!this.structures.has(plan.id)) this.say({ type: "structure", id: plan.id, structure: plan.structure });
    this.structures.add(plan.id);
    const header = Buffer.from(JSON.stringify({ type: "snapshot", run: training.run, call, structure: plan.id, request, margin_db: 0.4, rt60_seconds: 1.6, controls: {} }));
    const padded = Buffer.concat([header, Buffer.alloc((8 - ((4 + header.length) % 8)) % 8, " ")]);
    const length = Buffer.alloc(4);
    length.writeUInt32LE(padded.length);
    this.socket.write(frame(2, Buffer.concat([length, padded, Buffer.from(plan.values.buffer)])));
  }

  obey(message) {
    const training = this.trainings.find(({ run }) => run === message.run);
    if (message.type === "watch") {
      const before = this.watched;
      this.watched = new Map(message.runs.map((run) => [run, before.get(run) ?? { ready: true, last: 0 }]));
      this.tick();
    }
    if (message.type === "ready" && this.watched.has(message.run)) this.watched.get(message.run).ready = true;
    if (message.type === "fetch") {
      const { snapshots } = training;
      this.snapshot(training, snapshots.filter((call) => call <= message.call).at(-1) ?? snapshots[0], message.request);
    }
    if (message.type === "follow") this.say({ type: "steered", detail: `the plugin follows ${message.words.join(" ")}` });
  }

  tick() {
    const [a, b] = this.trainings;
    const row = (t, standing, reason, detail) => ({
      run: t.run, worker: t.worker, host: "gpu-box", standing, call: t.call, rate: 4, metrics: { loss: t.loss(t.call), edr: 0.4 * t.loss(t.call) + 0.1 },
      reason, detail, published: t.snapshots.length, calls: t.call, seen_seconds: 0.1,
    });
    this.say({
      type: "state", follow: "latest", playing: { run: a.run, call: a.snapshots.at(-1) },
      workers: [row(a, "plays", "published", ""), row(b, "followed", "unstable", "the loop grows: 0.4 dB above one at 812 Hz"), { ...row(b, "gone", "min-interval", "0.3 s too soon"), run: "c3", worker: "ada/sweep#4f2a", seen_seconds: 148, call: 90 }],
    });
    for (const training of this.trainings) {
      this.say(training.history(this.told.get(training) ?? 0));
      this.told.set(training, training.call);
    }
    for (const [run, state] of this.watched) {
      const training = this.trainings.find((t) => t.run === run);
      const newest = training?.snapshots.at(-1) ?? 0;
      if (!training || !state.ready || newest === state.last) continue;
      state.last = newest;
      state.ready = false;
      this.snapshot(training, newest, null);
    }
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const { url } = await serve(Number(process.argv[2] ?? 8000));
  console.log(url);
}
