/**
 * The page in a notebook's cell: a frame that loads it from its own server, so that it goes on
 * while the kernel is busy. Where the browser does not reach that server, it says what helps.
 *
 * @typedef {{get(name: "link" | "host"): string, on(what: string, act: () => void): void, off(what: string, act: () => void): void}} Model
 */

/** What the page tells whoever frames it once it is there; `app/main.js` says it. */
const HERE = "faustwire listen";
const PATIENCE_MS = 4000;
const LONGEST_MS = 32_000;

/**
 * @template {keyof HTMLElementTagNameMap} K
 * @param {K} tag
 * @param {Partial<HTMLElementTagNameMap[K]>} properties
 */
function make(tag, properties) {
  return Object.assign(document.createElement(tag), properties);
}

/**
 * What helps whoever sits at another machine than the kernel.
 *
 * @param {string} link
 * @param {string} host the kernel's machine
 */
function advice(link, host) {
  const { port } = new URL(link);
  const box = make("div", { hidden: true });
  box.setAttribute("role", "alert");
  box.append(
    make("p", { textContent: "This browser does not reach the page. It is served on the kernel's machine: forward its port, and it comes by itself. A notebook that is not on localhost can't hold it; then open it in a window of its own." }),
    make("pre", { textContent: `ssh -N -L ${port}:localhost:${port} ${host}` }),
  );
  return box;
}

/**
 * @param {{model: Model, el: HTMLElement}} cell
 * @returns {() => void} to be called when the cell goes
 */
function render({ model, el }) {
  const frame = make("iframe", { title: "faustwire listen", allow: "autoplay; microphone" });
  frame.style.cssText = "width: 100%; height: 900px; border: 0; resize: vertical";
  const own = make("a", { textContent: "in a window of its own", target: "_blank", rel: "noopener" });
  let help = make("div", {});
  let patience = PATIENCE_MS;
  let here = false;
  /** @type {ReturnType<typeof setTimeout>[]} */
  let waiting = [];
  const settle = () => {
    waiting.forEach(clearTimeout);
    waiting = [];
  };

  /** @param {MessageEvent} event */
  const hear = (event) => {
    if (event.source !== frame.contentWindow || event.data !== HERE) return;
    settle();
    here = true;
    patience = PATIENCE_MS;
    help.hidden = true;
  };
  const load = () => {
    here = false;
    frame.src = model.get("link");
    waiting.push(setTimeout(() => (help.hidden = false), PATIENCE_MS));
  };
  // A page that is slow to load is left alone; what has loaded and says nothing is not the page.
  frame.onload = () => {
    // The page says that it is here before all of it has loaded.
    if (here) return;
    settle();
    waiting.push(setTimeout(() => (help.hidden = false), PATIENCE_MS), setTimeout(load, patience));
    patience = Math.min(2 * patience, LONGEST_MS);
  };
  const show = () => {
    settle();
    const link = model.get("link");
    own.href = link;
    help = advice(link, model.get("host"));
    el.replaceChildren(help, frame, own);
    load();
  };
  addEventListener("message", hear);
  model.on("change:link", show);
  show();
  return () => {
    settle();
    frame.onload = null;
    removeEventListener("message", hear);
    model.off("change:link", show);
  };
}

export default { render };
