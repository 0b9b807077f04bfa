import { element } from "./page.js";
import { say } from "./trouble.js";

/** @import { Deck } from "./deck.js" */
/** @import { Sound } from "./sound.js" */
/** @import { Transport } from "./transport.js" */

/** Of a reference response: the wire's longest filter, and what the worklet convolves with ease. */
const MOST_TAPS = 2 ** 17;

/**
 * Sounds that are dropped on the page are played; with Shift, or chosen by the button, they are a
 * response to compare with.
 *
 * @param {Sound} sound
 * @param {Deck} deck
 * @param {Transport} transport
 */
export function acceptDrops(sound, deck, transport) {
  const hint = element("drop");
  const chosen = /** @type {HTMLInputElement} */ (element("reference"));
  element("refer").addEventListener("click", () => chosen.click());
  chosen.addEventListener("change", () => chosen.files?.[0] && refer(chosen.files[0]));
  document.addEventListener("dragover", (event) => {
    event.preventDefault();
    hint.hidden = false;
  });
  document.addEventListener("dragleave", (event) => {
    if (!event.relatedTarget) hint.hidden = true;
  });
  document.addEventListener("drop", (event) => {
    event.preventDefault();
    hint.hidden = true;
    const file = event.dataTransfer?.files[0];
    if (!file) return;
    if (event.shiftKey) refer(file);
    else transport.useFile(file);
  });

  /** @param {File} file */
  async function refer(file) {
    const buffer = await sound.decode(file);
    if (!buffer) return;
    const count = Math.min(buffer.length, MOST_TAPS);
    const channels = Array.from({ length: Math.min(2, buffer.numberOfChannels) }, (_, c) => buffer.getChannelData(c).slice(0, count));
    if (count < buffer.length) say("file", `Of ${file.name} the first ${(count / sound.fs).toFixed(1)} s are used.`, { seconds: 8 });
    deck.refer(channels, sound.fs);
  }
}
