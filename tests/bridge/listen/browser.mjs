/** Chromium by WebDriver, with node's own fetch: no package. */
import { spawn } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

const ARGUMENTS = ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--autoplay-policy=no-user-gesture-required", "--disable-background-networking", "--no-first-run", "--hide-scrollbars"];

export async function openBrowser() {
  const profile = await mkdtemp(join(tmpdir(), "faustwire-listen-"));
  const driver = spawn("chromedriver", ["--port=0"], { stdio: ["ignore", "pipe", "ignore"] });
  const port = await new Promise((resolve, reject) => {
    let said = "";
    driver.on("error", reject);
    driver.on("exit", () => reject(new Error(`chromedriver has ended: ${said}`)));
    driver.stdout.on("data", (data) => {
      said += data;
      const found = /successfully on port (\d+)\./.exec(said);
      if (found) resolve(found[1]);
    });
  });
  const ask = async (method, path, body) => {
    const answer = await fetch(`http://127.0.0.1:${port}${path}`, { method, body: body && JSON.stringify(body) });
    const { value } = await answer.json();
    if (value?.error) throw new Error(`${value.error}: ${value.message}`);
    return value;
  };
  const capabilities = { "goog:chromeOptions": { args: [...ARGUMENTS, `--user-data-dir=${profile}`] }, "goog:loggingPrefs": { browser: "ALL" } };
  const { sessionId } = await ask("POST", "/session", { capabilities: { alwaysMatch: capabilities } });
  const on = (method, path, body) => ask(method, `/session/${sessionId}${path}`, body);
  const devtools = (cmd, params) => on("POST", "/goog/cdp/execute", { cmd, params });
  const run = (script, ...args) => on("POST", "/execute/sync", { script, args });
  return {
    run,
    devtools,
    go: (url) => on("POST", "/url", { url }),
    logs: () => on("POST", "/se/log", { type: "browser" }),
    size: (width, height) => devtools("Emulation.setDeviceMetricsOverride", { width, height, deviceScaleFactor: 1, mobile: false }),
    async until(script, what, seconds = 15) {
      const deadline = Date.now() + 1000 * seconds;
      for (;;) {
        const found = await run(script);
        if (found) return found;
        if (Date.now() > deadline) throw new Error(`${what} did not come within ${seconds} s`);
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
    },
    async screenshot() {
      const { data } = await devtools("Page.captureScreenshot", { captureBeyondViewport: true, format: "png" });
      return Buffer.from(data, "base64");
    },
    async close() {
      await on("DELETE", "").catch(() => undefined);
      driver.removeAllListeners("exit");
      driver.kill();
      await new Promise((resolve) => (driver.exitCode === null && driver.signalCode === null ? driver.once("exit", resolve) : resolve()));
      await rm(profile, { recursive: true, force: true, maxRetries: 5 });
    },
  };
}
