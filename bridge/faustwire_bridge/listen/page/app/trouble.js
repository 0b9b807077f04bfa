import { button, element, make } from "./page.js";

/** @type {Map<string, {box: HTMLElement, timer?: ReturnType<typeof setTimeout>}>} */
const shown = new Map();

/**
 * Says what is wrong, once for each kind of trouble; it goes when it is over.
 *
 * @param {string} kind
 * @param {string} text empty: it is over
 * @param {{code?: string, bad?: boolean, seconds?: number}} [how] code: a line to be copied;
 *     seconds: after which it goes by itself
 */
export function say(kind, text, { code, bad = false, seconds } = {}) {
  const before = shown.get(kind);
  if (before && before.box.dataset.text === text) return;
  if (before) {
    clearTimeout(before.timer);
    before.box.remove();
    shown.delete(kind);
  }
  if (!text) return;
  const said = make("p", { text });
  if (code) said.append(make("code", { text: code }));
  const box = make("div", { className: bad ? "trouble bad-one" : "trouble" }, said, button("Dismiss", () => say(kind, "")));
  box.dataset.text = text;
  element("troubles").append(box);
  const timer = seconds ? setTimeout(() => say(kind, ""), 1000 * seconds) : undefined;
  shown.set(kind, { box, timer });
}
