"""The page that plays the model, in figures: from snapshot to page, what it costs, what is heard.

    PYTHONPATH=tools python benchmarks/listen_page.py

Prints the two tables of docs/listen.md: for networks of 4 … 64 lines with a dense matrix and a
filter a line, and for each kind of change. Needs node 20 and the extra ``faust``.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import zmq

from bridges import Plugin, served
from faustwire import codec
from faustwire.messages import Hello, Snapshot
from faustwire_bridge.children.libfaust import compile_program
from faustwire_bridge.codegen import generate
from graphs import fdn
from page_client import PageClient, listening, opened

_FS = 48_000.0
_RUN = "anna-1"
_SIZES = (4, 8, 16, 32, 64)
_SNAPSHOTS = 20
_HERE = Path(__file__).parent


def main() -> None:
    """Measure, and print."""
    engine = {row[0]: row[1:] for row in _engine()}
    print(
        "| lines | snapshot → page, ms | at work there, ms | core, % | gliding, % | libfaust, ms |"
    )
    print("| --- | --- | --- | --- | --- | --- |")
    with _page() as (page, worker):
        for lines in _SIZES:
            core, gliding, _, _, arrive = engine[lines]
            took = 1000 * _to_page(page, worker, lines)
            compiled = f"{1000 * _compile(lines):.0f}" if lines <= 32 else "–"
            print(f"| {lines} | {took:.0f} | {arrive:.1f} | {core} | {gliding} | {compiled} |")
    print("\n| change, ten a second | longest silence, ms | click, dB |\n| --- | --- | --- |")
    for change in _changes():
        print(f"| {change['kind']} | {change['silence_ms']:.2f} | {change['click_db']:.0f} |")


def _node(script: str) -> list[str]:
    command = ["node", str(_HERE / script)]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()


def _engine() -> Iterator[list[float]]:
    """Lines, core %, gliding %, loop of one sample %, begin ms, other values ms."""
    for line in _node("listen_engine.mjs")[1:]:
        yield [float(figure) for figure in line.split()]


def _changes() -> list[dict[str, float]]:
    return [json.loads(line) for line in _node("listen_changes.mjs")]


@contextmanager
def _page() -> Iterator[tuple[PageClient, zmq.Socket[bytes]]]:
    with (
        tempfile.TemporaryDirectory() as folder,
        served(Plugin(Path(folder)), "--no-compile-gate") as bridge,
        listening("--endpoint", bridge.endpoint) as link,
        zmq.Context() as context,
        context.socket(zmq.DEALER) as worker,
        opened(link) as page,
    ):
        worker.linger = 0
        worker.connect(bridge.endpoint)
        worker.send(codec.encode(Hello("anna", _RUN, min_interval=0.0)))
        worker.recv()
        page.say(type="watch", runs=[_RUN])
        yield page, worker


def _to_page(page: PageClient, worker: zmq.Socket[bytes], lines: int) -> float:
    """Seconds from a snapshot's leaving its worker to its coming to the page, median."""
    took = []
    for seed in range(_SNAPSHOTS):
        call = 1000 * lines + seed
        data = codec.encode(Snapshot(call, call, _FS, fdn(lines, seed=seed)))
        begun = time.monotonic()
        worker.send(data)
        while page.until_type("snapshot")["call"] != call:
            page.say(type="ready", run=_RUN)
        took.append(time.monotonic() - begun)
        page.say(type="ready", run=_RUN)
        worker.recv()
    return statistics.median(took)


def _compile(lines: int) -> float:
    text = generate(fdn(lines), fs=_FS).text
    begun = time.process_time()
    compile_program(text)
    return time.process_time() - begun


if __name__ == "__main__":
    main()
