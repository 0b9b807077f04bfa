"""A real training, a real bridge, `faustwire listen`, and the page in Chromium."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator

import pytest

from bridges import Plugin, eventually, served
from busy_machine import as_idle
from chromium import SOUNDS, Browser, chromium, needs_chromium
from faustwire_publisher import HotReload
from models import fdn
from page_client import ending_page, listening, listening_process
from peers import peer

pytestmark = needs_chromium

# A server that a page misses within a second.
IMPATIENT = (
    "import sys; from faustwire_bridge.listen import page_session;"
    "page_session.ALIVE_SECONDS = 0.3;"
    "from faustwire_bridge.cli import main; sys.exit(main())"
)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as opened:
        opened.size(1280, 900)
        yield opened


def _errors(browser: Browser) -> list[str]:
    """Whatever the browser complained about but servers that have gone."""
    return [line for line in browser.errors() if "WebSocket" not in line]


def test_a_training_is_heard_within_three_seconds_of_its_first_publish(
    browser: Browser, plugin: Plugin
) -> None:
    with (
        ending_page(plugin.place.endpoint),
        HotReload(48_000, **plugin.paths, worker="<b>ann</b>", listen=True) as live,
    ):
        link = live.listen().link
        browser.go(link)
        browser.until("return document.getElementById('link').dataset.state === 'open'", "the page")
        browser.press(" ")
        metrics = {"<img src=x onerror=alert(1)>": 0.5}
        eventually(lambda: live.update(fdn(8), metrics=metrics), "the first publish")
        published = time.monotonic()
        browser.until(SOUNDS, "sound")
        assert as_idle(time.monotonic() - published) < 3.0
        names = "return [...document.querySelectorAll('#workers .name')].map((n) => n.textContent)"
        assert browser.run(names) == ["<b>ann</b>"]
        assert browser.run("return document.querySelectorAll('main img, main b').length") == 0
        assert browser.errors() == []
        # A second training finds the same page.
        with HotReload(48_000, **plugin.paths, worker="ben", listen=True) as other:
            assert other.listen().link == link


@pytest.mark.slow
def test_an_engine_that_is_slow_to_load_is_told_and_plays_at_the_rate_of_what_came_meanwhile(
    browser: Browser, plugin: Plugin
) -> None:
    slow = """
        const load = AudioWorklet.prototype.addModule;
        window.held = [];
        AudioWorklet.prototype.addModule = async function (url) {
            await new Promise((go) => window.held.push(go));
            return load.call(this, url);
        };"""
    troubles = "return document.getElementById('troubles').textContent"
    with served(plugin) as bridge, listening("--endpoint", bridge.endpoint) as link:
        browser.go(link)
        browser.until("return document.getElementById('link').dataset.state === 'open'", "the page")
        browser.run(slow)
        browser.press(" ")
        browser.until(f"{troubles}.includes('no sound yet')", "what is waited for")
        with HotReload(44_100, **plugin.paths, endpoint=bridge.endpoint, worker="ann") as live:
            eventually(lambda: live.update(fdn(4)), "the publish")
            browser.until("return window.held.length === 2", "the engine at another rate")
            browser.run("window.held.forEach((go) => go())")
            browser.until(SOUNDS, "sound")
            browser.until(f"{troubles}.includes('no sound') === false", "no trouble")
    assert _errors(browser) == []


@pytest.mark.slow
def test_the_page_says_that_the_bridge_has_gone_and_goes_on_with_the_next(
    browser: Browser, plugin: Plugin
) -> None:
    with served(plugin, "--no-compile-gate") as bridge:
        endpoint = bridge.endpoint
        with listening("--endpoint", endpoint) as link:
            browser.go(link)
            with peer(endpoint, "anna") as anna:
                anna.update(0.5)
                about = "return document.getElementById('about-A').textContent"
                browser.until(f"{about}.startsWith('step 1')", "the first step")
                bridge.process.kill()
                bridge.process.wait()
                troubles = "return document.getElementById('troubles').textContent"
                browser.until(f"{troubles}.includes('The bridge is not heard')", "the trouble")
            with (
                served(plugin, "--no-compile-gate", bind=endpoint),
                peer(endpoint, "anna", incarnation="anna-2") as anna,
            ):
                anna.call = 7
                anna.update(0.75)
                browser.until(f"{about}.startsWith('step 8')", "the step of the next training")
                browser.until(f"{troubles}.trim() === ''", "no trouble")
    assert _errors(browser) == []


def test_a_server_that_says_nothing_more_is_missed_and_found_again(
    browser: Browser, plugin: Plugin
) -> None:
    """A network that has gone closes no connection."""
    troubles = "return document.getElementById('troubles').textContent"
    missed = f"{troubles}.includes('The server is gone, or the network is')"
    with (
        served(plugin) as bridge,
        listening_process("--endpoint", bridge.endpoint, program=("-c", IMPATIENT)) as (link, pid),
    ):
        browser.go(link)
        browser.until("return document.getElementById('link').dataset.state === 'open'", "the page")
        os.kill(pid, signal.SIGSTOP)
        try:
            browser.until(missed, "the trouble")
        finally:
            os.kill(pid, signal.SIGCONT)
        browser.until(f"{troubles}.includes('The server is gone') === false", "no trouble")
