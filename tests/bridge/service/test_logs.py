"""What workers choose can't write lines, colours or titles into the log, nor fill the disk."""

from __future__ import annotations

import json
import logging
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from bridges import DEADLINE, Plugin, eventually, served
from faustwire import rendezvous
from faustwire.graph import Gain
from faustwire.messages import Reason, Snapshot, Verdict
from faustwire_bridge.cli import main
from faustwire_bridge.commands import listen
from faustwire_bridge.service import logs
from faustwire_publisher.page import Page
from peers import peer

FORGED = "x\n12:00:00 INFO    published  worker=trusted\x1b[2J\a"


@pytest.mark.parametrize("flags", [(), ("--log-json",)])
def test_a_nodes_name_writes_no_line_of_its_own(plugin: Plugin, flags: tuple[str, ...]) -> None:
    with served(plugin, *flags) as bridge, peer(bridge.endpoint, "mallory") as mallory:
        verdict = mallory.ask(Snapshot(1, 1, 48000.0, Gain(FORGED, np.zeros((0, 2)))))
        assert isinstance(verdict, Verdict)
        assert verdict.reason is Reason.REFUSED
        eventually(lambda: "matrix" in bridge.log(), "the refusal is logged")
        log = bridge.log()
    assert "trusted" in log, "the control: it is quoted"
    assert not any("\x1b" in line or "\a" in line for line in log.splitlines())
    for line in log.splitlines():
        if flags:
            assert json.loads(line).get("worker") != "trusted"
        else:
            assert "  worker=trusted" not in line
            assert not line.startswith("12:00:00 INFO    published  worker")


def test_the_log_of_a_page_that_is_served_already_gets_no_gap(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever asks for the page starts a server, which finds the other and ends."""
    monkeypatch.setattr(rendezvous, "_ROOT", tmp_path)
    endpoint = f"ipc://{tmp_path}/nobody.socket"
    place = rendezvous.page_place(endpoint)
    place.prepare()
    with place.log_path.open("ab", buffering=0) as served_already:
        served_already.write(b"first\n")
        process = Page(["--endpoint", "none"], endpoint)._start()
        process.communicate(timeout=DEADLINE)
        served_already.write(b"last\n")
    log = place.log_path.read_bytes()
    assert log.startswith(b"first\n"), "nothing is cut off"
    assert log.endswith(b"last\n")
    assert b"not an endpoint" in log


def test_the_log_of_a_page_is_kept_short(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bounded: list[Path] = []
    monkeypatch.setattr(rendezvous, "_ROOT", tmp_path)
    monkeypatch.setattr(listen, "bound_file", bounded.append)
    monkeypatch.setattr(signal, "signal", lambda *_: None)  # This process's are pytest's.
    monkeypatch.setattr(listen, "_serve", lambda *_, **__: _nothing())
    endpoint = "tcp://127.0.0.1:1"
    assert main(["listen", "--endpoint", endpoint, "--no-browser"]) == 0
    assert bounded == [rendezvous.page_place(endpoint).log_path]


async def _nothing() -> None:
    pass


@pytest.fixture
def lines() -> Iterator[list[logging.LogRecord]]:
    """What passes the limit, on a clock that stands still."""
    passed: list[logging.LogRecord] = []

    class Kept(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            passed.append(record)

    handler = Kept()
    log = logging.getLogger("faustwire.bridge.test")
    log.addHandler(handler)
    log.propagate = False
    log.setLevel("INFO")
    yield passed
    log.removeHandler(handler)


def test_lines_of_one_cause_are_limited_and_others_pass(lines: list[logging.LogRecord]) -> None:
    now = [0.0]
    log = logging.getLogger("faustwire.bridge.test")
    log.handlers[0].addFilter(logs.RateLimit(lambda: now[0]))
    for number in range(1000):
        log.warning("%s: %s", Reason.REFUSED, f"at node {number}", extra={"worker": f"w{number}"})
    assert len(lines) == 200
    log.warning("%s: %s", Reason.TOO_LOUD, "it peaks at 70 dB")
    log.info("ready")
    assert len(lines) == 202
    now[0] += 1.0
    log.warning("%s: %s", Reason.REFUSED, "at node 0")
    assert vars(lines[-1])["dropped"] == 800


def test_long_lines_are_cut() -> None:
    record = logging.makeLogRecord({"msg": "%s", "args": ("x" * 4000,), "worker": "w" * 4000})
    for formatter in (logs._Lines(), logs._Json()):
        assert len(formatter.format(record)) < 1200


def test_the_log_file_of_embedded_bridges_is_bounded(tmp_path: Path) -> None:
    path = tmp_path / "bridge.log"
    program = f"""
import logging, pathlib
from faustwire_bridge.service import logs
logs.MAX_FILE_BYTES, logs._KEPT_BYTES, logs._BURST_LINES = 100_000, 10_000, 10**9
logs.configure("info", as_json=False)
logs.bound_file(pathlib.Path({os.fspath(path)!r}))
for number in range(2000):
    logging.getLogger("faustwire.bridge").info("line %d %s", number, "x" * 400)
"""
    with path.open("ab") as log:
        subprocess.run([sys.executable, "-c", program], stderr=log, check=True)
    told = path.read_text().splitlines()
    assert path.stat().st_size <= 101_000
    assert "too long" in told[0]
    assert "line 1999" in told[-1]
    assert all(" line " in line for line in told[1:])


def test_a_log_file_of_somebodys_own_is_left_alone(tmp_path: Path) -> None:
    """The control: the same lines, to another file than the one that is bounded."""
    program = """
import logging, pathlib
from faustwire_bridge.service import logs
logs.MAX_FILE_BYTES, logs._KEPT_BYTES, logs._BURST_LINES = 100_000, 10_000, 10**9
logs.configure("info", as_json=False)
logs.bound_file(pathlib.Path("/dev/null"))
for number in range(2000):
    logging.getLogger("faustwire.bridge").info("line %d %s", number, "x" * 400)
"""
    path = tmp_path / "own.log"
    with path.open("ab") as log:
        subprocess.run([sys.executable, "-c", program], stderr=log, check=True)
    assert path.read_text().count("line ") == 2000
