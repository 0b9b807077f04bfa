import { Connection, VERSION } from "../connection.js";
import { Compare } from "./compare.js";
import { Curve } from "./curve.js";
import { Deck } from "./deck.js";
import { acceptDrops } from "./drop.js";
import { showFigures } from "./figures.js";
import { bindKeys } from "./keys.js";
import { Mix } from "./mix.js";
import { element } from "./page.js";
import { Sound, drawMeter } from "./sound.js";
import { onTheme, toggleTheme } from "./theme.js";
import { Transport } from "./transport.js";
import { say } from "./trouble.js";
import { addEvents, showWorkers } from "./workers.js";

/** @import { Worker } from "../connection.js" */

const connection = new Connection(location);
const sound = new Sound();
const deck = new Deck(connection, sound);
const transport = new Transport(sound, deck);
const compare = new Compare(deck);
const mix = new Mix(deck);
const curve = new Curve(deck, redraw);
/** @type {{workers: Worker[], maySteer: boolean, follow: string}} */
const seen = { workers: [], maySteer: false, follow: "" };
let drawing = false;

/** Draws everything anew, once, at the screen's next frame. */
function redraw() {
  if (drawing) return;
  drawing = true;
  requestAnimationFrame(() => {
    drawing = false;
    const soloed = mix.soloed.size > 0;
    compare.show(soloed);
    mix.show();
    curve.draw();
    showFigures(deck, soloed);
    showTable();
  });
}

function showTable() {
  showWorkers(seen.workers, {
    heard: deck.slots[deck.heard].snapshot?.run,
    maySteer: seen.maySteer,
    hear: (run) => hear(run),
    compare: (run) => deck.choose("B", { kind: "live", run }),
    follow: (worker) => connection.follow(["worker", worker]),
    mix,
  });
  element("follow").textContent = seen.follow ? `the plugin follows ${seen.follow}` : "";
  element("follow-latest").hidden = !seen.maySteer;
}

/** @param {string} run heard live, in place of workers that are soloed */
function hear(run) {
  deck.choose(deck.heard, { kind: "live", run });
  deck.hear(deck.heard);
}

/**
 * @param {string} type
 * @param {(message: any) => void} take
 */
function on(type, take) {
  connection.addEventListener(type, (event) => take(/** @type {CustomEvent} */ (event).detail));
}

on("open", () => link("open", "connected"));
on("hello", (message) => {
  const other = message.version !== VERSION;
  say("version", other ? "The server is of another version than this page: reload it." : "", { bad: true });
  seen.maySteer = message.may_steer;
  element("title").textContent = message.title;
  document.title = `${message.title} · faustwire listen`;
  const recorded = message.mode === "recording";
  link("open", recorded ? "recording" : "live");
  element("live-text").textContent = recorded ? "End" : "Live";
  say("gone", "");
});
on("closed", ({ again, code, reason }) => {
  link("closed", again ? "reconnecting …" : "refused");
  const why = reason ? `The server has sent this page away: ${reason}.` : "The server is gone, or the network is.";
  if (again) say("gone", `${why} What plays goes on; the page comes back by itself.`);
  else say("gone", `The server refuses this page (${code}): open the link that \`faustwire listen\` has printed.`, { bad: true });
});
on("state", (state) => {
  seen.workers = state.workers;
  seen.follow = state.follow;
  compare.workers = state.workers;
  deck.meet(state.workers);
  mix.meet(state.workers);
  if (!deck.slots.A.choice && state.workers.length) {
    const playing = state.playing?.run ?? state.workers[0].run;
    deck.choose("A", { kind: "live", run: playing });
  }
  redraw();
});
on("history", (message) => curve.take(message));
on("events", ({ events }) => addEvents(events));
on("trouble", ({ kind, text }) => say(`server ${kind}`, text));
on("steered", ({ detail }) => say("steered", detail, { seconds: 4 }));
on("refused", ({ call, reason, detail }) => say("refused", `Step ${call} is not played: ${reason}${detail ? `, ${detail}` : ""}`, { seconds: 6 }));

deck.addEventListener("change", () => {
  const controls = deck.slots[deck.heard].snapshot?.controls;
  if (controls) transport.showKnobs(controls);
  redraw();
});
sound.addEventListener("levels", (event) => {
  const levels = /** @type {CustomEvent} */ (event).detail;
  drawMeter(levels);
  const voices = `${levels.voices} ${levels.voices === 1 ? "voice" : "voices"}`;
  element("load").textContent = `${Math.round(100 * levels.load)} % · ${voices}`;
  say("load", levels.load > 0.85 ? "The engine takes nearly all of a core: expect gaps. A smaller model, or fewer ringing voices, helps." : "");
});

/**
 * @param {string} state
 * @param {string} text
 */
function link(state, text) {
  element("link").dataset.state = state;
  element("link-text").textContent = text;
}

element("theme").addEventListener("click", toggleTheme);
element("help-button").addEventListener("click", help);
element("follow-latest").addEventListener("click", () => connection.follow(["latest"]));
addEventListener("resize", redraw);
// What went to sleep in the background catches up.
document.addEventListener("visibilitychange", () => document.hidden || redraw());
onTheme(redraw);
acceptDrops(sound, deck, transport);

function help() {
  /** @type {HTMLDialogElement} */ (element("help")).showModal();
}

bindKeys({
  " ": () => transport.toggle(),
  x: () => compare.swap(),
  b: () => deck.keep(),
  i: () => transport.strike(),
  m: () => mix.all(),
  r: () => element("refer").click(),
  s: () => mix.next(),
  Escape: () => transport.panic(),
  l: () => curve.live(),
  t: toggleTheme,
  "?": help,
  "+": () => transport.louder(1),
  "-": () => transport.louder(-1),
  ArrowLeft: () => curve.walk(-1),
  ArrowRight: () => curve.walk(1),
  Home: () => curve.first(),
  1: () => transport.choose("click"),
  2: () => transport.choose("noise"),
  3: () => transport.choose("sweep"),
  4: () => transport.choose("file"),
  5: () => transport.choose("microphone"),
});

// A notebook's cell that frames this page waits for this word (`page_widget.js`).
if (parent !== window) parent.postMessage("faustwire listen", "*");
sound.possible();
connection.open();
redraw();
