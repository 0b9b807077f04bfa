"""One run: a bridge, a stand-in plugin and two workers, and what they told."""

from __future__ import annotations

import hashlib
import queue
import time
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from demo.programs import EXAMPLES, Line, Program, ProgramError, await_line
from demo.worker import Call
from faustwire_publisher.page import Page
from stand_in_plugin import Reload

RECORDING = "demo.mcap"
_READY_SECONDS = 60.0
# Two steps a second would be slow; a worker that is silent for this long has hung.
_SILENCE_SECONDS = 120.0
_LAST_RELOAD_SECONDS = 10.0


@dataclass(frozen=True)
class Heard:
    """A program that the plugin loaded.

    Attributes:
        reload: the plugin's record.
        text: the program.
        worker: whose model it is.
        latency_ms: from the call of ``update`` to the program being ready to play.
    """

    reload: Reload
    text: str
    worker: str
    latency_ms: float


@dataclass
class Record:
    """All that happened.

    Attributes:
        calls: of ``update``, by worker.
        reloads: the plugin's records, in order.
        begun_monotonic_s: when the workers were started.
    """

    calls: dict[str, list[Call]]
    reloads: list[Reload] = field(default_factory=list)
    begun_monotonic_s: float = 0.0

    def add(self, source: str, line: dict[str, Any]) -> None:
        """Take in one line of a worker or of the plugin."""
        if source in self.calls:
            self.calls[source].append(Call(**line))
        elif "number" in line:
            self.reloads.append(Reload(**line))


def run(
    out: Path,
    rooms: Iterable[str],
    *,
    steps: int,
    min_interval: float,
    on_call: Callable[[str, Call], None],
    on_link: Callable[[str], None] | None = None,
) -> tuple[Record, list[Heard]]:
    """Train, publish, reload.

    Args:
        out: where the ``.dsp``, the config, the recording and the logs go.
        rooms: what to train, one worker each.
        steps: of each worker.
        min_interval: seconds between two reloads.
        on_call: told of every call of ``update``.
        on_link: told the link of a page that plays the models; None: none is served.

    Raises:
        ProgramError: a process failed, or the plugin would have crashed.
    """
    lines: queue.Queue[Line] = queue.Queue()
    record = Record(calls={room: [] for room in rooms})
    logs, kept = out / "logs", out / "heard"
    dsp, config = out / "demo.dsp", out / "faust-current-dsp.txt"
    for folder in (logs, kept):
        folder.mkdir(parents=True, exist_ok=True)
    for leftover in (*logs.iterdir(), *kept.iterdir(), dsp, config, *out.glob("demo*.mcap")):
        leftover.unlink(missing_ok=True)
    with ExitStack() as programs:

        def start(name: str, *arguments: str) -> Program:
            program = Program(name, list(arguments), lines, logs / f"{name}.log")
            programs.callback(program.end)
            return program

        bridge = start(
            "bridge",
            *("-m", "faustwire_bridge", "serve", "--print-ready", "--bind", "tcp://127.0.0.1:0"),
            *("--dsp-path", str(dsp), "--config-path", str(config)),
            *("--record", str(out / RECORDING)),
        )
        endpoints = await_line(bridge, lines, "endpoints", _READY_SECONDS)
        endpoint = next(one for one in endpoints if one.startswith("tcp://"))
        if on_link is not None:
            on_link(Page(["--endpoint", endpoint], endpoint).link)
        plugin = start(
            "plugin",
            *(str(EXAMPLES / "stand_in_plugin.py"), "--config", str(config)),
            *("--keep", str(kept)),
        )
        await_line(plugin, lines, "dsp", _READY_SECONDS)
        record.begun_monotonic_s = time.monotonic()
        workers = {
            room: start(
                room,
                *("-m", "demo.worker", room, "--endpoint", endpoint),
                *("--steps", str(steps), "--min-interval", str(min_interval)),
            )
            for room in record.calls
        }
        _follow(workers, {"bridge": bridge, "plugin": plugin}, lines, record, on_call)
        _await_reload(plugin, lines, record, hashlib.sha256(dsp.read_bytes()).hexdigest())
    heard = _heard(record, kept)
    if deaf := record.calls.keys() - {each.worker for each in heard}:
        raise plugin.failure(f"never loaded a program of {', '.join(sorted(deaf))}")
    return record, heard


def _follow(
    workers: dict[str, Program],
    services: dict[str, Program],
    lines: queue.Queue[Line],
    record: Record,
    on_call: Callable[[str, Call], None],
) -> None:
    training = set(workers)
    while training:
        try:
            source, line = lines.get(timeout=_SILENCE_SECONDS)
        except queue.Empty:
            raise workers[min(training)].failure("has hung") from None
        if line is not None:
            record.add(source, line)
            if source in workers:
                on_call(source, record.calls[source][-1])
        elif source in services:
            raise services[source].failure("ended while the workers were training")
        else:
            workers[source].check()
            training.discard(source)


def _await_reload(plugin: Program, lines: queue.Queue[Line], record: Record, sha256: str) -> None:
    """The plugin has until now what the file holds, or gets a moment to notice."""
    while not record.reloads or record.reloads[-1].sha256 != sha256:
        try:
            source, line = lines.get(timeout=_LAST_RELOAD_SECONDS)
        except queue.Empty:
            raise plugin.failure("did not load the last program") from None
        if line is None:
            raise ProgramError(f"{source} ended too early")
        record.add(source, line)


def _heard(record: Record, kept: Path) -> list[Heard]:
    heard = []
    for reload in record.reloads:
        if not reload.ok:
            continue
        text = (kept / f"{reload.number:05d}.dsp").read_text()
        worker = next(name for name in record.calls if text.startswith(f"// {name}\n"))
        published = [
            call.begun_monotonic_s
            for call in record.calls[worker]
            if call.published and call.begun_monotonic_s <= reload.noticed_monotonic_s
        ]
        latency_ms = 1e3 * (reload.monotonic_s - max(published, default=reload.monotonic_s))
        heard.append(Heard(reload, text, worker, latency_ms))
    return heard
