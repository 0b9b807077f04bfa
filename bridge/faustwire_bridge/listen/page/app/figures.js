import { OCTAVES } from "../analysis/measures.js";
import { drawDecay, drawMagnitude, drawSamples, drawSpectrogram } from "../plots/responses.js";
import { element, make } from "./page.js";

/** @import { Analysis } from "../analysis/worker.js" */
/** @import { Deck } from "./deck.js" */

const DRAWERS = { decay: drawDecay, magnitude: drawMagnitude, samples: drawSamples, spectrogram: drawSpectrogram };

/** @param {number | null | undefined} value */
const secondsOf = (value) => (value ? value.toFixed(2) : "–");

/**
 * The four pictures and their numbers.
 *
 * @param {Deck} deck
 * @param {boolean} soloed whether others are heard in place of A or B
 */
export function showFigures(deck, soloed) {
  const heard = deck.slots[deck.heard].analysis;
  const other = deck.slots[deck.silent].analysis;
  const start = deck.start?.analysis ?? null;
  for (const [id, draw] of Object.entries(DRAWERS)) {
    draw(/** @type {HTMLCanvasElement} */ (element(id)), { heard, other, start });
  }
  element("rt60").textContent = heard?.rt60 ? `RT60 ${secondsOf(heard.rt60)} s` : "";
  element("peak").textContent = heard ? "left output, sixths of an octave" : "";
  element("key-heard").textContent = soloed ? deck.heard : `${deck.heard}, heard`;
  element("key-other").textContent = deck.silent;
  showOctaves([
    [deck.heard, heard],
    [deck.silent, other],
    ["start", start],
  ]);
}

/** @param {[string, Analysis | null][]} rows */
function showOctaves(rows) {
  const table = /** @type {HTMLTableElement} */ (element("octaves"));
  const names = OCTAVES.map((centre) => (centre >= 1000 ? `${centre / 1000}k` : String(centre)));
  const head = ["Hz", ...names].map((text) => {
    const cell = make("th", { text });
    cell.scope = "col";
    return cell;
  });
  table.tHead?.rows[0].replaceChildren(...head);
  const shown = rows.filter(([, analysis]) => analysis);
  table.tBodies[0].replaceChildren(
    ...shown.map(([name, analysis], k) => {
      const title = make("th", { text: name });
      title.scope = "row";
      const cells = (analysis?.octaves ?? []).map((value) => make("td", { text: secondsOf(value) }));
      return make("tr", { className: k > 0 ? "behind" : "" }, title, ...cells);
    }),
  );
}
