"""A recording in Chromium: scrubbing, A and B, and the pictures that the documentation shows."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from chromium import SOUNDS, Browser, chromium, needs_chromium
from faustwire import codec
from faustwire.messages import Reason, Snapshot, Verdict
from faustwire_publisher.page import Page
from graphs import fdn
from notebook_cell import html_cell, widget_cell
from page_client import listening
from recordings import record, worker

pytestmark = needs_chromium

_STEPS = 30


@pytest.fixture(scope="module")
def link(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Of the page with a recording of two workers."""
    folder = tmp_path_factory.mktemp("recording")
    items = []
    for name in ("anna", "ben"):
        for call in range(1, _STEPS + 1):
            graph = fdn(4, seed=call)
            snapshot = Snapshot(call, call, 48_000.0, graph, metrics={"loss": 1 / call})
            verdict = Verdict(call, True, Reason.PUBLISHED, margin_db=0.5, rt60_seconds=1.5)
            items.append((worker(name), codec.encode(snapshot)))
            items.append((worker(name, "out"), codec.encode(verdict)))
    record(folder, items)
    with listening(str(folder)) as link:
        yield link


@pytest.fixture(scope="module")
def browser(link: str) -> Iterator[Browser]:
    with chromium() as opened:
        opened.size(1280, 900)
        opened.go(link)
        opened.until(_about("A", f"step {_STEPS}"), "the last step")
        yield opened


def _about(letter: str, beginning: str) -> str:
    return f"return document.getElementById('about-{letter}').textContent.startsWith('{beginning}')"


def _drag(browser: Browser, part: float) -> None:
    """Press on the curve, at a part of its width."""
    browser.run(
        """
        const canvas = document.getElementById('training');
        const { left, top, width } = canvas.getBoundingClientRect();
        canvas.setPointerCapture = () => undefined;
        const at = { clientX: left + arguments[0] * width, clientY: top + 60, buttons: 1 };
        canvas.dispatchEvent(new PointerEvent('pointerdown', { ...at, pointerId: 1 }));
        """,
        part,
    )


def test_a_drag_over_the_curve_is_heard_step_by_step(browser: Browser) -> None:
    browser.press(" ")
    # Where the page stands before the first drag.
    heard = [_STEPS]
    for part in (0.2, 0.4, 0.6, 0.8):
        _drag(browser, part)
        wanted = browser.until(
            "const said = document.getElementById('heard').textContent.match(/^step (\\d+) /);"
            "const about = document.getElementById('about-A').textContent;"
            f"return said && {heard[-1]} !== Number(said[1]) && about === `step ${{said[1]}}`"
            " && said[1]",
            "the step under the pointer",
        )
        heard.append(int(wanted))
    assert heard[1:] == sorted(heard[1:])
    browser.press("Home")
    browser.until(_about("A", "step 1"), "the first step")
    browser.press("l")
    browser.until(_about("A", f"step {_STEPS}"), "the last step")


def test_a_and_b_are_switched_by_a_key_at_equal_loudness(browser: Browser) -> None:
    browser.run(
        "const b = document.getElementById('choice-B');"
        "b.value = JSON.stringify({ kind: 'live', run: 'ben-1' });"
        "b.dispatchEvent(new Event('change'))"
    )
    browser.until(_about("B", f"step {_STEPS}"), "the other worker")
    pressed = "return document.querySelector('[data-slot=B] .letter').getAttribute('aria-pressed')"
    browser.press("x")
    browser.until(f"{pressed} === 'true'", "B is heard")
    browser.until("return /dB/.test(document.getElementById('about-B').textContent)", "its level")
    browser.press("x")
    browser.until(f"{pressed} === 'false'", "A is heard again")
    assert browser.errors() == []


def test_the_whole_mix_is_heard_by_a_key_and_a_click_on_the_curve_leaves_it(
    browser: Browser,
) -> None:
    def note_is(text: str) -> str:
        return f"return document.getElementById('mix-note').textContent === '{text}'"

    browser.press("m")
    browser.until(note_is("Solo: anna, ben"), "both")
    # A, B, and the two.
    browser.until("return /4 voices/.test(document.getElementById('load').textContent)", "voices")
    _drag(browser, 0.5)
    browser.until(note_is("In the mix: 2"), "a step of A")
    browser.press("l")
    browser.until(_about("A", f"step {_STEPS}"), "the last step")
    assert browser.errors() == []


@pytest.mark.parametrize("kind", ["widget", pytest.param("frame", marks=pytest.mark.slow)])
def test_a_notebook_of_this_machine_holds_the_page_in_its_cell(
    browser: Browser, link: str, kind: str
) -> None:
    page = Page([], "tcp://127.0.0.1:1")
    page._link, page._started = link, True
    page._told.set()
    with widget_cell(link) if kind == "widget" else html_cell(page._repr_html_()) as notebook:
        browser.go(notebook)
        browser.into_frame()
        browser.until(_about("A", f"step {_STEPS}"), "the last step")
        browser.press(" ")
        browser.until(SOUNDS, "sound")


@pytest.mark.slow
def test_pictures(tmp_path: Path) -> None:
    """The page at two widths in both themes; `make pictures` puts them into docs/."""
    folder = Path(os.environ.get("FAUSTWIRE_PICTURES", tmp_path))
    command = [sys.executable, "-m", "demo", "--out", str(tmp_path / "out"), "--steps", "150"]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(map(str, sys.path))}
    subprocess.run(command, check=True, env=environment, stdout=subprocess.DEVNULL)
    with listening(str(tmp_path / "out" / "demo.mcap")) as link, chromium() as browser:
        for width in (1280, 400):
            for theme in ("light", "dark"):
                browser.size(width, 900, theme)
                browser.go(link)
                _pose(browser)
                picture = browser.screenshot()
                assert picture.startswith(b"\x89PNG")
                (folder / f"listen-{width}-{theme}.png").write_bytes(picture)


def _pose(browser: Browser) -> None:
    """Playing, with B and the start behind."""
    browser.until("return document.querySelector('#octaves tbody tr')", "an analysis")
    browser.press("3")  # a sweep, so that the meter shows something all the time
    browser.press(" ")
    browser.run(
        "const b = document.getElementById('choice-B'); b.selectedIndex = 3;"
        "b.dispatchEvent(new Event('change'))"
    )
    rows = "return document.querySelectorAll('#octaves tbody tr').length"
    browser.until(f"{rows} === 3", "three analyses")
    browser.until(SOUNDS, "sound")
    height = browser.run("return document.documentElement.scrollHeight")
    browser.run("dispatchEvent(new Event('resize'))")
    assert height > 0
