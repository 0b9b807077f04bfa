/** @type {{[type: string]: string[] | undefined}} what an input has for itself; others: every key */
const KEYS_OF = {
  checkbox: [" "],
  range: ["ArrowLeft", "ArrowRight", "ArrowUp", "ArrowDown", "Home", "End", "PageUp", "PageDown"],
};

/**
 * The page's keys. Whoever types into a field, or is on a control that has the key for itself,
 * keeps it.
 *
 * @param {{[key: string]: () => void}} acts by `KeyboardEvent.key`, letters in lower case
 */
export function bindKeys(acts) {
  document.addEventListener("keydown", (event) => {
    if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey) return;
    const { target } = event;
    const act = acts[event.key.length === 1 ? event.key.toLowerCase() : event.key];
    if (!act || (event.key !== "Escape" && keeps(target, event.key))) return;
    if (document.querySelector("dialog[open]")) return;
    event.preventDefault();
    act();
  });
}

/**
 * @param {EventTarget | null} target
 * @param {string} key
 */
function keeps(target, key) {
  if (target instanceof HTMLSelectElement) return key !== "Escape";
  if (target instanceof HTMLInputElement) return (KEYS_OF[target.type] ?? [key]).includes(key);
  return target instanceof HTMLButtonElement && (key === " " || key === "Enter");
}
