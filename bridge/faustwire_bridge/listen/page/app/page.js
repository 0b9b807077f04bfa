/** Small helpers for the page's elements. Text from elsewhere becomes text nodes only. */
import { short } from "../plots/canvas.js";

/**
 * @template {HTMLElement} [T=HTMLElement]
 * @param {string} id
 * @returns {T}
 */
export function element(id) {
  const found = document.getElementById(id);
  if (!found) throw new Error(`the page has no #${id}`);
  return /** @type {T} */ (found);
}

/**
 * @template {keyof HTMLElementTagNameMap} K
 * @param {K} tag
 * @param {{text?: string, className?: string, title?: string}} [how]
 * @param {Node[]} children
 */
export function make(tag, { text, className, title } = {}, ...children) {
  const made = document.createElement(tag);
  if (text !== undefined) made.textContent = text;
  if (className) made.className = className;
  if (title) made.title = title;
  made.append(...children);
  return made;
}

/**
 * @param {string} label
 * @param {() => void} act
 */
export function button(label, act) {
  const made = make("button", { text: label });
  made.type = "button";
  made.addEventListener("click", act);
  return made;
}

/** @param {number | null | undefined} value */
export function figure(value) {
  return value === null || value === undefined || !Number.isFinite(value) ? "–" : short(value, 4);
}
