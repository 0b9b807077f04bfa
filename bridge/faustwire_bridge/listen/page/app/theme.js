const root = document.documentElement;
const dark = matchMedia("(prefers-color-scheme: dark)");
/** @type {(() => void)[]} */
const listeners = [];
/** @type {string | null} */
let chosen = stored();

function stored() {
  try {
    return localStorage.getItem("theme");
  } catch {
    // Private windows may have no storage.
    return null;
  }
}

function apply() {
  root.dataset.theme = chosen ?? (dark.matches ? "dark" : "light");
  for (const listener of listeners) listener();
}

export function toggleTheme() {
  chosen = root.dataset.theme === "dark" ? "light" : "dark";
  try {
    localStorage.setItem("theme", chosen);
  } catch {
    // Then it holds until the page is closed.
  }
  apply();
}

/** @param {() => void} redraw called when the colours have changed */
export function onTheme(redraw) {
  listeners.push(redraw);
}

dark.addEventListener("change", apply);
apply();
