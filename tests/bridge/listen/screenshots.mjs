/** `node screenshots.mjs FOLDER`: the page at 1280 and at 400 pixels, light and dark. */
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { openBrowser } from "./browser.mjs";
import { serve } from "./fake_server.mjs";

const folder = process.argv[2] ?? ".";
await mkdir(folder, { recursive: true });
const server = await serve();
const browser = await openBrowser();
try {
  for (const width of [1280, 400]) {
    for (const theme of ["light", "dark"]) {
      await browser.devtools("Emulation.setEmulatedMedia", { features: [{ name: "prefers-color-scheme", value: theme }] });
      await browser.size(width, 900);
      await browser.go(server.url);
      await browser.until("return document.querySelector('#octaves tbody tr') !== null", "an analysis");
      await browser.run("document.getElementById('play').click(); document.getElementById('keep').click()");
      await browser.until("return /voice/.test(document.getElementById('load').textContent)", "sound");
      await browser.run("const c = document.getElementById('choice-B'); c.selectedIndex = 3; c.dispatchEvent(new Event('change'))");
      await browser.until("return document.querySelectorAll('#octaves tbody tr').length === 3", "B and the start");
      await new Promise((resolve) => setTimeout(resolve, 1500));
      const height = await browser.run("return document.documentElement.scrollHeight");
      await browser.size(width, height);
      await browser.run("dispatchEvent(new Event('resize'))");
      await new Promise((resolve) => setTimeout(resolve, 500));
      await writeFile(join(folder, `${width}-${theme}.png`), await browser.screenshot());
    }
  }
  for (const { level, message } of await browser.logs()) console.log(level, message);
} finally {
  await browser.close();
  server.close();
}
