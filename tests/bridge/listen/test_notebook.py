"""The page in a notebook's cell: as a widget that needs no kernel, in JupyterLab and without."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from bridges import DEADLINE, Plugin, eventually
from chromium import SOUNDS, chromium, needs_chromium
from faustwire_publisher import page as page_module
from faustwire_publisher.page import Page, PageError
from notebook_cell import FRAME, widget_cell
from page_client import ending_page, listening
from recordings import record, snapshot

# Longer than the widget's.
_PATIENCE = 5.0
_STEP = "Number(/\\d+/.exec(document.getElementById('about-A').textContent)?.[0] ?? 0)"
needs_jupyterlab = pytest.mark.skipif(
    any(importlib.util.find_spec(name) is None for name in ("jupyterlab", "anywidget")),
    reason="needs JupyterLab: pip install -c constraints.txt jupyterlab anywidget",
)


def test_without_the_extra_the_widget_says_what_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "anywidget", None)
    monkeypatch.delitem(sys.modules, "faustwire_publisher.page_widget", raising=False)
    with pytest.raises(PageError, match=r"anywidget.*faustwire\[notebook\]"):
        Page([], "tcp://127.0.0.1:1").widget()


def test_without_the_extra_a_cell_shows_a_frame(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(page_module, "find_spec", lambda _: None)
    assert Page([], "tcp://127.0.0.1:1")._repr_mimebundle_() is None


@needs_chromium
@pytest.mark.slow
def test_a_page_that_is_not_reached_is_said_with_the_line_that_helps(tmp_path: Path) -> None:
    record(tmp_path, [snapshot(0)])
    helps = "const pre = document.querySelector('pre'); return pre && pre.checkVisibility()"
    away = "http://localhost:1/?token=t"
    with listening(str(tmp_path)) as link, chromium() as browser:
        with widget_cell(away) as cell:
            browser.go(cell)
            browser.until(helps, "the line that helps")
            said = browser.run("return document.querySelector('pre').textContent")
            assert said == "ssh -N -L 1:localhost:1 gpu-box"
        with widget_cell(link) as cell:
            browser.go(cell)
            time.sleep(_PATIENCE)
            assert not browser.run(helps)


@contextmanager
def _jupyterlab(folder: Path) -> Iterator[str]:
    """JupyterLab in a folder, with homes of its own; yields its address."""
    homes = ("HOME", "JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR", "IPYTHONDIR")
    own = {name: str(folder / name.lower()) for name in homes}
    environment = os.environ | own | {"PYTHONPATH": os.pathsep.join(map(str, sys.path))}
    options = ["--no-browser", "--allow-root", "--IdentityProvider.token=", "--ip=127.0.0.1"]
    options += ["--port=0", "--LabApp.expose_app_in_browser=True", f"--ServerApp.root_dir={folder}"]
    log = folder / "jupyterlab.log"
    with log.open("wb") as output:
        server = subprocess.Popen(
            [sys.executable, "-m", "jupyterlab", *options],
            env=environment,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    try:
        yield _address(log)
    finally:
        server.terminate()
        server.wait(DEADLINE)


def _address(log: Path) -> str:
    def found() -> re.Match[str] | None:
        return re.search(r"http://127\.0\.0\.1:\d+/lab", log.read_text())

    eventually(found, "JupyterLab", seconds=60)
    match = found()
    assert match is not None
    return match.group()


def _write_notebook(path: Path, code: str) -> None:
    """A notebook of one cell."""
    cell = {"cell_type": "code", "id": "one", "metadata": {}, "source": code, "outputs": []}
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3"}}
    notebook = {"cells": [{**cell, "execution_count": None}], "metadata": kernel}
    path.write_text(json.dumps({**notebook, "nbformat": 4, "nbformat_minor": 5}))


@needs_chromium
@needs_jupyterlab
@pytest.mark.slow
def test_a_widget_plays_a_training_while_its_cell_is_busy(plugin: Plugin, tmp_path: Path) -> None:
    paths = {name: str(path) for name, path in plugin.paths.items()}
    enough = tmp_path / "enough"
    _write_notebook(
        tmp_path / "training.ipynb",
        "import pathlib, time\nfrom IPython.display import display\n"
        "from faustwire import HotReload\nfrom models import fdn\n"
        f"live = HotReload(48000, **{paths!r}, worker='anna')\ndisplay(live.listen())\n"
        f"step, enough = 0, pathlib.Path({str(enough)!r})\n"
        "while not enough.exists():\n    step += 1\n"
        "    model = fdn(8, attenuation=0.5 + 0.03 * (step % 10))\n"
        "    live.update(model, metrics={'loss': 1 / step})\n    time.sleep(0.1)\n"
        "live.close()",
    )
    with (
        ending_page(plugin.place.endpoint),
        _jupyterlab(tmp_path) as address,
        chromium() as browser,
    ):
        browser.go(f"{address}/tree/training.ipynb?reset")
        ready = (
            "const [panel] = window.jupyterapp?.shell.widgets('main') ?? [];"
            "return panel?.sessionContext?.session?.kernel?.status"
        )
        browser.until(f"{ready} === 'idle'", "the kernel", 90)
        browser.run(
            "const { shell, commands } = window.jupyterapp;"
            "shell.activateById([...shell.widgets('main')][0].id);"
            "commands.execute('notebook:run-all-cells'); return null"
        )
        browser.until(f"return document.querySelector('{FRAME}')", "the widget", 90)
        # The status says idle when the widget's messages were answered beside the cell.
        prompt = "return document.querySelector('.jp-InputPrompt').textContent"
        assert "*" in browser.run(prompt), "the cell has ended"
        browser.into_frame(FRAME)
        seen = browser.until(f"return {_STEP}", "a step", 60)
        browser.press(" ")
        browser.until(SOUNDS, "sound")
        browser.until(
            f"return {_STEP} > {seen + 5}", "later steps, with the kernel busy all the time"
        )
        enough.touch()
