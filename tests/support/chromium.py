"""Chromium without a screen, driven by WebDriver: no package is needed."""

from __future__ import annotations

import base64
import json
import re
import shutil
import subprocess
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from bridges import DEADLINE

needs_chromium = pytest.mark.skipif(
    not (shutil.which("chromium") and shutil.which("chromedriver")),
    reason="needs Chromium: apt-get install chromium chromium-driver",
)
_ARGUMENTS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--autoplay-policy=no-user-gesture-required",
    "--disable-background-networking",
    "--no-first-run",
    "--hide-scrollbars",
)
# Nothing but the driver of this machine is asked, whatever the environment's proxies are.
_direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))

# Whether the page's level meter shows anything.
SOUNDS = "return document.getElementById('meter').getAttribute('aria-valuenow') > -60"


class Browser:
    """One session of a browser."""

    def __init__(self, driver: str, profile: str, *arguments: str) -> None:
        self._driver = driver
        options = {"args": [*_ARGUMENTS, f"--user-data-dir={profile}", *arguments]}
        wanted = {"goog:chromeOptions": options, "goog:loggingPrefs": {"browser": "ALL"}}
        made = self._ask("POST", "/session", {"capabilities": {"alwaysMatch": wanted}})
        self._session = f"/session/{made['sessionId']}"

    def _ask(self, method: str, path: str, body: Any = None) -> Any:
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"{self._driver}{path}", data, method=method)  # noqa: S310
        with _direct.open(request, timeout=DEADLINE) as answer:
            return json.load(answer)["value"]

    def close(self) -> None:
        self._ask("DELETE", self._session)

    def go(self, link: str) -> None:
        self._ask("POST", f"{self._session}/url", {"url": link})

    def into_frame(self, selector: str = "iframe") -> None:
        """From here on scripts run in the first frame that a selector finds; it is waited for."""
        frame = self.until(f"return document.querySelector({json.dumps(selector)})", selector)
        self._ask("POST", f"{self._session}/frame", {"id": frame})

    def run(self, script: str, *arguments: Any) -> Any:
        """What a script returns; a promise is waited for."""
        body = {"script": script, "args": list(arguments)}
        return self._ask("POST", f"{self._session}/execute/sync", body)

    def until(self, script: str, what: str, seconds: float = DEADLINE) -> Any:
        """Wait until a script returns something that is true."""
        end = time.monotonic() + seconds
        while not (found := self.run(script)):
            assert time.monotonic() < end, f"not within {seconds} s: {what}; {self._shown()}"
            time.sleep(0.02)
        return found

    def _shown(self) -> str:
        """What the page says, and what the browser has complained about."""
        return f"{self.run('return document.body.innerText')}\n{self.errors()}"

    def press(self, key: str) -> None:
        event = "new KeyboardEvent('keydown', {key: arguments[0], bubbles: true})"
        self.run(f"document.dispatchEvent({event})", key)

    def text(self, element: str) -> str:
        """An element's text, by its id."""
        return str(self.run("return document.getElementById(arguments[0]).textContent", element))

    def errors(self) -> list[str]:
        """What the browser has complained about since the last look."""
        logged = self._ask("POST", f"{self._session}/se/log", {"type": "browser"})
        return [entry["message"] for entry in logged if entry["level"] == "SEVERE"]

    def size(self, width: int, height: int, theme: str = "light") -> None:
        metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
        self.devtools("Emulation.setDeviceMetricsOverride", metrics)
        features = [{"name": "prefers-color-scheme", "value": theme}]
        self.devtools("Emulation.setEmulatedMedia", {"features": features})

    def screenshot(self) -> bytes:
        """The whole page, as PNG."""
        how = {"captureBeyondViewport": True, "format": "png"}
        return base64.b64decode(self.devtools("Page.captureScreenshot", how)["data"])

    def devtools(self, command: str, parameters: dict[str, Any]) -> Any:
        """Give a command of the browser's development tools."""
        body = {"cmd": command, "params": parameters}
        return self._ask("POST", f"{self._session}/goog/cdp/execute", body)


@contextmanager
def chromium(*arguments: str) -> Iterator[Browser]:
    """Run a browser with an empty profile, and further arguments."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        driver = subprocess.Popen(
            ["chromedriver", "--port=0"],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        assert driver.stdout is not None
        try:
            port = next(
                found[1]
                for line in driver.stdout
                if (found := re.search(r"successfully on port (\d+)\.", line))
            )
            browser = Browser(f"http://127.0.0.1:{port}", profile, *arguments)
            try:
                yield browser
            finally:
                browser.close()
        finally:
            driver.terminate()
            driver.wait(DEADLINE)
            driver.stdout.close()
