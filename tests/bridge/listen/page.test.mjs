/** The page in Chromium, beside a made-up server. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { after, before, describe, test } from "node:test";
import { openBrowser } from "./browser.mjs";
import { serve } from "./fake_server.mjs";
import { fdn } from "./plans.mjs";

function missing() {
  try {
    for (const program of ["chromium", "chromedriver"]) execFileSync(program, ["--version"], { stdio: "ignore" });
    return false;
  } catch {
    return "needs Chromium: apt-get install chromium chromium-driver";
  }
}

const text = (id) => `return document.getElementById('${id}').textContent`;

describe("the page in Chromium", { skip: missing() }, () => {
  let server;
  let browser;
  before(async () => {
    server = await serve(0, { hostile: true });
    browser = await openBrowser();
    await browser.size(1280, 900);
    await browser.go(server.url);
    await browser.until("return document.querySelector('#octaves tbody tr') !== null", "an analysis");
  });
  after(async () => {
    await browser?.close();
    server?.close();
  });

  test("a worker's name is text, whatever it says", async () => {
    const names = await browser.run("return [...document.querySelectorAll('#workers .name')].map((cell) => cell.textContent)");
    assert.equal(names[0], "<img src=x onerror=alert(1)>");
    assert.equal(await browser.run("return document.querySelectorAll('main img').length"), 0);
  });

  test("the space bar plays: the meter moves", async () => {
    await browser.run("document.dispatchEvent(new KeyboardEvent('keydown', {key: ' ', bubbles: true}))");
    const lit = "const c = document.getElementById('meter'); const d = c.getContext('2d').getImageData(0, 2, 140, 1).data; const grid = [d[556], d[557]]; for (let x = 0; x < 139; x++) if (d[4*x] !== grid[0] || d[4*x+1] !== grid[1]) return true; return false";
    assert.ok(await browser.until(lit, "a level"));
    assert.equal(await browser.run("return document.getElementById('play').getAttribute('aria-pressed')"), "true");
  });

  test("arrow keys walk through the training, L comes back to live", async () => {
    const key = (name) => browser.run(`document.dispatchEvent(new KeyboardEvent('keydown', {key: '${name}', bubbles: true}))`);
    await key("Home");
    await browser.until("return /^step 4 /.test(document.getElementById('heard').textContent)", "the first step");
    await browser.until("return document.getElementById('about-A').textContent.startsWith('step 4')", "its snapshot");
    await key("ArrowRight");
    await browser.until("return document.getElementById('about-A').textContent.startsWith('step 8')", "the next one");
    await key("l");
    await browser.until("return document.getElementById('live').getAttribute('aria-pressed') === 'true'", "live");
  });

  test("a drag on the curve is heard as that step", async () => {
    const drag = "const c = document.getElementById('training'); const box = c.getBoundingClientRect(); const at = (type, part) => c.dispatchEvent(new PointerEvent(type, {pointerId: 1, buttons: 1, clientX: box.left + part * box.width, clientY: box.top + 50, bubbles: true}));";
    await browser.run(`HTMLElement.prototype.setPointerCapture = () => {}; ${drag} at('pointerdown', 0.3); at('pointermove', 0.5)`);
    const step = await browser.until("const found = /^step (\\d+)/.exec(document.getElementById('about-A').textContent); return found && Number(found[1]) < 300 && Number(found[1])", "a step in the middle");
    assert.ok(step > 100 && step < 300, `${step}`);
    await browser.run("document.getElementById('live').click()");
  });

  test("X switches between A and B", async () => {
    await browser.run("document.getElementById('keep').click(); document.getElementById('swap').click()");
    // The page is drawn at its next frame.
    await browser.until("return document.querySelector('[data-slot=B] .letter').getAttribute('aria-pressed') === 'true'", "B is heard");
    assert.match(await browser.until(text("about-B"), "B"), /^step \d+/);
    await browser.run("document.getElementById('swap').click()");
  });

  test("S solos one worker after the other, M all of them, Solo adds, and A comes back", async () => {
    const key = (name) => browser.run(`document.dispatchEvent(new KeyboardEvent('keydown', {key: '${name}', bubbles: true}))`);
    const soloed = (said, what) => browser.until(`return document.getElementById('mix-note').textContent === ${JSON.stringify(said)}`, what);
    const pressed = "return [...document.querySelectorAll('#workers button')].filter((b) => b.textContent === 'Solo').map((b) => b.getAttribute('aria-pressed')).join()";
    const [ada, grace] = ["<img src=x onerror=alert(1)>", "grace/fdn-16"];
    await key("s");
    await soloed(`Solo: ${ada}`, "the first");
    await key("s");
    await soloed(`Solo: ${grace}`, "the second");
    assert.match(await browser.until(`const now = (() => { ${pressed} })(); return /true/.test(now) && now`, "its button"), /^false,true/);
    await browser.run("[...document.querySelectorAll('#workers button')].find((b) => b.textContent === 'Solo').click()");
    await soloed(`Solo: ${grace}, ${ada}`, "both");
    await key("m");
    await browser.until("return document.getElementById('mix-leave').hidden && document.getElementById('mix-all').getAttribute('aria-pressed') === 'false'", "A or B");
    assert.equal(await browser.run("return document.querySelector('[data-slot=A] .letter').getAttribute('aria-pressed')"), "true");
  });

  test("on a slider the arrow keys are the slider's, and all others the page's", async () => {
    const heard = "return document.querySelector('[data-slot=B] .letter').getAttribute('aria-pressed')";
    const key = (name) => browser.run(`return !document.getElementById('volume').dispatchEvent(new KeyboardEvent('keydown', {key: '${name}', bubbles: true, cancelable: true}))`);
    assert.equal(await key("ArrowLeft"), false);
    assert.equal(await key("x"), true);
    await browser.until(`return (() => { ${heard} })() === 'true'`, "B is heard");
    await key("x");
    await browser.until(`return (() => { ${heard} })() === 'false'`, "A is heard");
  });

  test("only the first button of a mouse scrubs", async () => {
    const drag = (button, buttons) => browser.run(`
      const c = document.getElementById('training'), box = c.getBoundingClientRect();
      const how = { pointerId: 1, button: ${button}, buttons: ${buttons}, clientX: box.left + 0.4 * box.width, clientY: box.top + 50, bubbles: true };
      c.dispatchEvent(new PointerEvent('pointerdown', how)); c.dispatchEvent(new PointerEvent('pointermove', { ...how, button: -1 }));
      return JSON.parse(document.getElementById('choice-A').value).kind`);
    const shown = (kind) => browser.until(`return JSON.parse(document.getElementById('choice-A').value).kind === '${kind}'`, kind);
    await browser.run("document.getElementById('live').click()");
    await shown("live");
    await drag(2, 2);
    await browser.run("return new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))");
    await shown("live");
    await drag(0, 1);
    await shown("step");
    await browser.run("document.getElementById('live').click()");
  });

  test("a response is chosen from a file and heard as B", async () => {
    await browser.run(`
      const fs = 48000, count = 4800, bytes = new DataView(new ArrayBuffer(44 + 2 * count));
      const text = (at, word) => [...word].forEach((c, k) => bytes.setUint8(at + k, c.charCodeAt(0)));
      text(0, 'RIFF'); bytes.setUint32(4, 36 + 2 * count, true); text(8, 'WAVEfmt '); bytes.setUint32(16, 16, true);
      bytes.setUint16(20, 1, true); bytes.setUint16(22, 1, true); bytes.setUint32(24, fs, true); bytes.setUint32(28, 2 * fs, true);
      bytes.setUint16(32, 2, true); bytes.setUint16(34, 16, true); text(36, 'data'); bytes.setUint32(40, 2 * count, true);
      bytes.setInt16(44, 20000, true);
      const chosen = new DataTransfer();
      chosen.items.add(new File([bytes.buffer], 'hall.wav', { type: 'audio/wav' }));
      const input = document.getElementById('reference');
      input.files = chosen.files;
      input.dispatchEvent(new Event('change'));`);
    await browser.until(`return document.getElementById('choice-B').value === '{"kind":"reference"}'`, "the response");
    await browser.until("return document.querySelector('[data-slot=B] .letter').getAttribute('aria-pressed') === 'true'", "B is heard");
    await browser.until("return document.getElementById('heard').textContent === ''", "no step, as a response is none");
    await browser.run("document.getElementById('swap').click()");
  });

  test("the model at the start is the first step", async () => {
    await browser.run("const a = document.getElementById('choice-A'); a.value = [...a.options].find((o) => / at the start$/.test(o.text)).value; a.dispatchEvent(new Event('change'))");
    const said = await browser.until("const said = document.getElementById('heard').textContent; return document.getElementById('choice-A').selectedOptions[0].text.endsWith('at the start') && said !== '' && document.getElementById('about-A').textContent.startsWith(/^step \\d+/.exec(said)[0]) && said", "a step");
    assert.match(said, /^step [1-9]/);
    await browser.run("document.getElementById('live').click()");
  });

  test("the worklet plays what node computes", async (t) => {
    const plan = fdn(8, 3);
    const deviation = await browser.run(
      `const [structure, values] = arguments;
       // Behind the fades of source and hand-over; the limiter looks 96 samples ahead.
       const context = new OfflineAudioContext(2, 14400, 48000);
       return context.audioWorklet.addModule('/engine/worklet.js').then(async () => {
         const { impulseResponses } = await import('/engine/response.js');
         const plan = { structure, id: 'x', values: Float64Array.from(values) };
         const wanted = impulseResponses(plan, 9600);
         const node = new AudioWorkletNode(context, 'faustwire-listen', { outputChannelCount: [2] });
         node.connect(context.destination);
         const source = context.createBufferSource();
         source.buffer = context.createBuffer(1, 14400, 48000);
         source.buffer.getChannelData(0)[4800] = 1;
         source.connect(node);
         node.port.postMessage({ type: 'source', settings: { kind: 'microphone', seconds: 1, level: 1 } });
         node.port.postMessage({ type: 'load', slot: 'A', ...plan, glide: true, gain: 0.5 });
         await new Promise((resolve) => setTimeout(resolve, 300));
         source.start();
         const heard = (await context.startRendering()).getChannelData(0);
         let peak = 0, worst = 0;
         for (let t = 0; t + 4896 < 14400; t++) {
           peak = Math.max(peak, Math.abs(0.5 * wanted[t]));
           worst = Math.max(worst, Math.abs(heard[t + 4896] - 0.5 * wanted[t]));
         }
         return 20 * Math.log10((worst || 1e-20) / peak);
       });`,
      plan.structure,
      [...plan.values],
    );
    t.diagnostic(`${deviation.toFixed(1)} dB`);
    assert.ok(deviation < -120, `${deviation} dB`);
  });

  test("the page comes back by itself when the server was gone", async () => {
    for (const client of server.sockets) client.socket.destroy();
    await browser.until("return /The server is gone/.test(document.getElementById('troubles').textContent)", "the trouble");
    await browser.until("return document.getElementById('link').dataset.state === 'open' && document.getElementById('troubles').textContent === ''", "the connection");
  });

  test("why the server sends the page away is said", async () => {
    for (const client of server.sockets) client.leave(1013, "16 pages are open");
    await browser.until("return /has sent this page away: 16 pages are open\\./.test(document.getElementById('troubles').textContent)", "the reason");
    await browser.until("return document.getElementById('link').dataset.state === 'open' && document.getElementById('troubles').textContent === ''", "the connection");
  });

  test("nothing was refused by the Content-Security-Policy, and nothing failed", async () => {
    const logged = (await browser.logs()).filter(({ level, message }) => level === "SEVERE" && !/WebSocket/.test(message));
    assert.deepEqual(logged, []);
  });

  test("a wrong token is said, and not tried again", async () => {
    await browser.go(server.url.replace("token=token", "token=guess"));
    await browser.until("return /refuses this page/.test(document.getElementById('troubles').textContent)", "the refusal");
    assert.equal(await browser.run(text("link-text")), "refused");
  });
});
