import { button, element, figure, make } from "./page.js";

/** @import { Worker } from "../connection.js" */
/** @import { Mix } from "./mix.js" */

const MARKS = { recorded: "●", plays: "▶", followed: "●", "not followed": "○", gone: "✕" };
const SAID = {
  recorded: "recorded",
  plays: "the plugin plays it",
  followed: "followed",
  "not followed": "the plugin follows another",
  gone: "it has left",
};
const HELD_BACK = new Set(["refused", "too-loud", "unstable", "misfit", "does-not-compile", "write-failed", "non-finite", "no-bridge"]);

/**
 * The table of workers, as `faustwire watch` has it.
 *
 * @param {Worker[]} workers
 * @param {{heard: string | undefined, maySteer: boolean, hear: (run: string) => void, compare: (run: string) => void, follow: (worker: string) => void, mix: Mix}} how
 */
export function showWorkers(workers, how) {
  const body = /** @type {HTMLTableElement} */ (element("workers")).tBodies[0];
  const focused = document.activeElement instanceof HTMLElement ? document.activeElement.dataset.key : undefined;
  body.replaceChildren(...workers.map((worker) => row(worker, how)));
  element("no-workers").hidden = workers.length > 0;
  // The rows are new; whoever walks through them by keyboard stays where they were.
  for (const made of body.querySelectorAll("button")) if (focused && made.dataset.key === focused) made.focus();
}

/**
 * @param {Worker} worker
 * @param {Parameters<typeof showWorkers>[1]} how
 */
function row(worker, how) {
  const mark = make("td", { text: MARKS[worker.standing] ?? "", title: SAID[worker.standing] });
  mark.className = worker.standing === "plays" || worker.standing === "followed" ? "good" : "dim";
  mark.setAttribute("aria-label", SAID[worker.standing]);
  const metrics = Object.entries(worker.metrics).slice(0, 3).map(([name, value]) => `${name} ${figure(value)}`);
  const verdict = make("td", { className: "verdict", title: worker.detail });
  verdict.append(make("span", { text: worker.reason || "–", className: tone(worker.reason) }), make("span", { text: `  ${worker.detail}`, className: "dim" }));
  const made = make(
    "tr",
    { className: [isHeard(worker.run, how) ? "heard" : "", worker.standing === "gone" ? "gone" : ""].join(" ").trim() },
    mark,
    make("td", { text: worker.worker, className: "name", title: worker.worker }),
    make("td", { text: worker.host, className: "host dim" }),
    make("td", { text: worker.call === null ? "–" : String(worker.call), className: "right" }),
    make("td", { text: metrics.join("   ") || "–", className: "right metrics" }),
    make("td", { text: pace(worker), className: "right rate" }),
    make("td", { text: worker.calls ? `${worker.published}/${worker.calls}` : "–", className: "right published" }),
    verdict,
    actions(worker, how),
  );
  return made;
}

/**
 * @param {string} run
 * @param {Parameters<typeof showWorkers>[1]} how
 */
function isHeard(run, { heard, mix }) {
  return mix.soloed.size ? mix.soloed.has(run) : run === heard;
}

/**
 * @param {Worker} worker
 * @param {Parameters<typeof showWorkers>[1]} how
 */
function actions(worker, how) {
  const cell = make("td", { className: "actions" });
  const { run, worker: name } = worker;
  const { mix } = how;
  /** @type {[string, string, () => void, boolean?][]} */
  const offered = [
    ["Hear", `Hear ${name}`, () => how.hear(run)],
    ["As B", `Compare with ${name}`, () => how.compare(run)],
    ["Mix", `${name} in the mix`, () => mix.toggle(run), mix.members.has(run)],
    ["Solo", `Solo ${name}`, () => mix.solo(run), mix.soloed.has(run)],
  ];
  if (how.maySteer) offered.push(["Follow", `Have the plugin follow ${name}`, () => how.follow(name)]);
  for (const [text, label, act, pressed] of offered) {
    const made = button(text, act);
    made.setAttribute("aria-label", label);
    if (pressed !== undefined) made.setAttribute("aria-pressed", String(pressed));
    made.dataset.key = `${text} ${run}`;
    cell.append(made);
  }
  return cell;
}

/** @param {Worker} worker */
function pace(worker) {
  if (worker.standing === "gone") return `${ago(worker.seen_seconds)} ago`;
  return worker.rate ? `${+worker.rate.toPrecision(3)}/s` : "–";
}

/** @param {string} reason */
function tone(reason) {
  if (HELD_BACK.has(reason)) return "bad";
  return reason === "published" ? "good" : "";
}

/** @param {number} seconds */
function ago(seconds) {
  if (seconds >= 3600) return `${Math.floor(seconds / 3600)} h`;
  return seconds >= 60 ? `${Math.floor(seconds / 60)} min` : `${Math.floor(seconds)} s`;
}

/** Lines that are kept on the page. */
const MOST_EVENTS = 100;

/** @param {{at: number, kind: string, detail: string, worker: string, call: number | null}[]} events */
export function addEvents(events) {
  const list = element("events");
  for (const event of events) {
    const time = make("time", { text: new Date(1000 * event.at).toLocaleTimeString([], { hour12: false }) });
    const about = [event.worker, event.call === null ? "" : `step ${event.call}`, event.detail].filter(Boolean).join(" · ");
    list.prepend(make("li", {}, time, make("span", { text: event.kind, className: "kind" }), make("span", { text: about, className: "what" })));
  }
  while (list.children.length > MOST_EVENTS) list.lastElementChild?.remove();
}
