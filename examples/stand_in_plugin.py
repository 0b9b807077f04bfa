"""Stands in for the hot-reload plugin "Faust Dynamic" where there is no DAW: same files.

It reads the config's first line, watches the config and the ``.dsp``'s directory, and compiles
every reload with libfaust in single precision, just as the plugin was measured to do. A program
that would take the DAW down ends it with exit code 70. One JSON line an event goes to stdout::

    python examples/stand_in_plugin.py --config /tmp/faust-current-dsp.txt

It counts the blocks of audio that a DAW would have got in time, and with ``--render`` it writes
what a listener would have heard. (``pip install 'faustwire[demo]'``.) Times named
``…_monotonic_s`` are ``time.monotonic()``, which processes of one machine share.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import json
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray
from watchdog.events import (
    FileClosedEvent,
    FileCreatedEvent,
    FileDeletedEvent,
    FileModifiedEvent,
    FileMovedEvent,
    FileSystemEvent,
    FileSystemEventHandler,
)
from watchdog.observers import Observer
from watchdog.observers.api import ObservedWatch

from faustwire_bridge.children.libfaust import CompiledProgram, CompileError, compile_program
from faustwire_bridge.recordings.wave_file import read_wave, write_wave
from stand_in_audio import DEFAULT_BLOCK_FRAMES, SAMPLE_RATE, Account, Load, listen, run_cost

DEFAULT_CONFIG_PATH = "/tmp/faust-current-dsp.txt"  # noqa: S108  (hard-wired in the plugin)
CRASH_EXIT_CODE = 70  # EX_SOFTWARE

Outcome: TypeAlias = Literal["loaded", "fallback", "missing", "misfit", "crashed"]

# Reading a file is no reason to reload; these are.
_RELOAD_ON: list[type[FileSystemEvent]] = [
    FileClosedEvent,
    FileCreatedEvent,
    FileDeletedEvent,
    FileModifiedEvent,
    FileMovedEvent,
]


@dataclass(frozen=True)
class Reload:
    """One load of a program, or what became of the attempt.

    Attributes:
        event: ``loaded``; ``fallback`` (can't be loaded at the start: the plugin plays a gain
            of its own); ``missing`` (no such file: it plays on); ``misfit`` (it runs, but with
            channels that the plugin has no buffers for); ``crashed`` (the DAW is gone).
        number: 0 at the start, then 1, 2, 3 …
        path: the config's first line, trimmed.
        noticed_monotonic_s: when the first event that asked for this reload arrived.
        begun_monotonic_s: when its compile began.
        monotonic_s: when the program was ready.
        wall_s: the same moment as seconds since the epoch.
        compile_ms: how long libfaust took: silence in the DAW.
        cost: processor time that a second of the program's sound takes; above 1, blocks are lost.
        blocks: that were due since the start, until the program was ready.
        delivered: how many of them came in time.
        bytes: the size of the program's text.
        sha256: of the program's text, hexadecimal.
        inputs: channels; 0 when there is no program.
        outputs: channels; 0 when there is no program.
        ok: whether a DAW would be happy.
        error: why not.
    """

    event: Outcome
    number: int
    path: str
    noticed_monotonic_s: float
    begun_monotonic_s: float
    monotonic_s: float
    wall_s: float
    compile_ms: float = 0.0
    cost: float = 0.0
    blocks: int = 0
    delivered: int = 0
    bytes: int = 0
    sha256: str = ""
    inputs: int = 0
    outputs: int = 0
    ok: bool = False
    error: str = ""


class StandInPlugin:
    """The plugin as seen from its files. ``start``, then ``run`` until ``stop`` or a crash.

    Args:
        config_path: its first line names the ``.dsp``; its directory must exist.
        report: is told of every load and its text, in the thread that calls ``start`` and ``run``.
        block_seconds: how often the audio callback comes round. The plugin looks for changes once a
            block, so what changes within one is one reload.
        survive: go on after a crash; a DAW would not.
    """

    def __init__(
        self,
        config_path: str | Path,
        report: Callable[[Reload, bytes], None],
        *,
        block_seconds: float = DEFAULT_BLOCK_FRAMES / SAMPLE_RATE,
        survive: bool = False,
    ) -> None:
        self.config_path = Path(config_path)
        self.dsp_path = ""
        self.crashed = False
        self.account = Account(block_seconds)
        self._report = report
        self._block_seconds = block_seconds
        self._survive = survive
        self._program: CompiledProgram | None = None
        self._loads = 0
        self._changed = threading.Event()
        self._stopping = threading.Event()
        self._noticed_s = 0.0
        self._observer = Observer()
        self._dsp_watch: ObservedWatch | None = None

    def start(self) -> None:
        """Load what the config names, if it can be loaded, and watch.

        What can't be loaded at the start is not watched: until the config is written again, the
        plugin plays a gain of its own and knows of no ``.dsp``.

        Raises:
            OSError: the config's directory does not exist.
        """
        self._observer.start()
        self._watch(self.config_path)
        self.dsp_path = self._configured_path()
        if not self.dsp_path:
            return
        self._noticed_s = time.monotonic()
        outcome = self._load(missing="fallback", refused="fallback")
        # What is loaded at the start is compiled before there is any audio.
        self.account = Account(self._block_seconds, self.account.cost)
        if outcome == "fallback":
            self.dsp_path = ""
        else:
            self._watch_dsp()

    def run(self) -> None:
        """Reload whenever a file changes; returns after ``stop``, or when the DAW would be gone."""
        while self._survive or not self.crashed:
            self._changed.wait()
            if self._stopping.is_set():
                return
            time.sleep(self._block_seconds)
            self._changed.clear()
            if self._stopping.is_set():  # it was told so between the two
                return
            self._reload()

    def stop(self) -> None:
        """End ``run`` from another thread."""
        self._stopping.set()
        self._changed.set()

    def close(self) -> None:
        """Stop watching."""
        self._observer.stop()
        self._observer.join()

    def _reload(self) -> None:
        configured = self._configured_path()
        if configured and configured != self.dsp_path:
            self.dsp_path = configured
            self._watch_dsp()
        if self.dsp_path:
            self._load(missing="missing", refused="crashed")

    def _load(self, *, missing: Outcome, refused: Outcome) -> Outcome:
        # The plugin frees the running program before it compiles the next one.
        self._program = None
        text, begun = b"", time.monotonic()
        try:
            text = Path(self.dsp_path).read_bytes()
            self._program = compile_program(
                text.decode(errors="replace"), name=Path(self.dsp_path).stem
            )
            event, error = _judge(self._program.n_in, self._program.n_out)
        except OSError as reason:
            event, error = missing, str(reason)
        except CompileError as reason:
            event, error = refused, str(reason)
        self.crashed = event == "crashed"
        self._report(self._record(event, text, begun, error), text)
        self._loads += 1
        return event

    def _record(self, event: Outcome, text: bytes, begun: float, error: str) -> Reload:
        ready, cost = time.monotonic(), 0.0
        if self._program is not None:
            cost = run_cost(self._program)
        if event != "missing":  # then it plays on
            self.account.loaded(begun, ready, cost)
        blocks, delivered = self.account.counts()
        return Reload(
            event=event,
            number=self._loads,
            path=self.dsp_path,
            noticed_monotonic_s=self._noticed_s,
            begun_monotonic_s=begun,
            monotonic_s=ready,
            wall_s=time.time() - (time.monotonic() - ready),
            compile_ms=round(1e3 * (ready - begun), 3) if self._program else 0.0,
            cost=round(cost, 4),
            blocks=blocks,
            delivered=delivered,
            bytes=len(text),
            sha256=hashlib.sha256(text).hexdigest(),
            inputs=self._program.n_in if self._program else 0,
            outputs=self._program.n_out if self._program else 0,
            ok=event == "loaded",
            error=error,
        )

    def _configured_path(self) -> str:
        try:
            lines = self.config_path.read_text(errors="surrogateescape").splitlines()
        except OSError:
            return ""
        return lines[0].strip() if lines else ""

    def _watch_dsp(self) -> None:
        if self._dsp_watch is not None:
            self._observer.unschedule(self._dsp_watch)
        self._dsp_watch = None
        # A directory that is not there is not watched, and nobody looks again.
        with contextlib.suppress(OSError):
            self._dsp_watch = self._watch(Path(self.dsp_path))

    def _watch(self, path: Path) -> ObservedWatch | None:
        folder = os.path.realpath(path.parent)
        if path is not self.config_path and folder == os.path.realpath(self.config_path.parent):
            return None  # One watch a directory: FSEvents refuses a second.
        handler = _Changes(self._on_change)
        return self._observer.schedule(handler, folder, event_filter=_RELOAD_ON)

    def _on_change(self, name: str) -> None:
        if name not in (self.config_path.name, Path(self.dsp_path).name):
            return
        if not self._changed.is_set():
            self._noticed_s = time.monotonic()
        self._changed.set()


class _Changes(FileSystemEventHandler):
    """Tells the name of the file that an event leaves behind."""

    def __init__(self, tell: Callable[[str], None]) -> None:
        self._tell = tell

    def on_any_event(self, event: FileSystemEvent) -> None:
        self._tell(Path(os.fsdecode(event.dest_path or event.src_path)).name)


def _judge(inputs: int, outputs: int) -> tuple[Outcome, str]:
    """What two buffers each way mean for a program with other channels."""
    if outputs > 2:
        return "crashed", f"{outputs} outputs: the plugin writes past its two buffers"
    if outputs < 2:
        return "misfit", f"{outputs} outputs: a channel is never written (stale memory)"
    if inputs > 2:
        return "misfit", f"{inputs} inputs: the plugin reads past its two buffers"
    return "loaded", ""


def main(arguments: Sequence[str] | None = None) -> int:
    """Watch until SIGINT or SIGTERM (exit code 0), or until the DAW would have crashed (70)."""
    options = _parser().parse_args(arguments)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.default_int_handler)
    loads: list[Load] = []
    plugin = StandInPlugin(
        options.config,
        _printer(options.keep, loads if options.render else None),
        block_seconds=options.block_frames / SAMPLE_RATE,
        survive=options.survive,
    )
    try:
        plugin.start()
        _print({"event": "ready", "config": str(plugin.config_path), "dsp": plugin.dsp_path})
        plugin.run()
    except KeyboardInterrupt:
        blocks, delivered = plugin.account.counts()
        _print({"event": "ended", "blocks": blocks, "delivered": delivered})
        if options.render:
            write_wave(
                options.render, _heard(loads, plugin.account.begun_s, blocks, options), SAMPLE_RATE
            )
        return 0
    except FileNotFoundError as error:
        print(f"can't watch {plugin.config_path}: {error}", file=sys.stderr)
        return 1
    finally:
        plugin.close()
    return CRASH_EXIT_CODE


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--config", default=DEFAULT_CONFIG_PATH, help="default: %(default)s")
    parser.add_argument(
        "--block-frames",
        type=int,
        default=DEFAULT_BLOCK_FRAMES,
        help="the DAW's buffer at 48 kHz; changes within one are one reload (default: %(default)s)",
    )
    parser.add_argument(
        "--survive", action="store_true", help="go on after a program that would crash the DAW"
    )
    parser.add_argument(
        "--keep", type=Path, metavar="DIR", help="copy each program that is loaded into DIR"
    )
    parser.add_argument(
        "--render",
        type=Path,
        metavar="WAV",
        help="at the end, write what a listener would have heard since the start",
    )
    parser.add_argument(
        "--input",
        type=Path,
        metavar="WAV",
        help="what the DAW sends, at 48 kHz, again and again (default: a click a second)",
    )
    return parser


def _heard(
    loads: Sequence[Load], begun_s: float, blocks: int, options: argparse.Namespace
) -> NDArray[np.float64]:
    """What came out of the plugin since it began: [2, samples]."""
    if options.input:
        sent, _fs = read_wave(options.input)
    else:
        sent = np.eye(1, SAMPLE_RATE)
    samples = blocks * options.block_frames
    signal = np.resize(sent[0], samples), np.resize(sent[-1], samples)
    begun = [
        replace(load, begun_s=load.begun_s - begun_s)
        if load.begun_s > begun_s
        else replace(load, begun_s=0.0, compile_s=0.0)
        for load in loads
    ]
    return listen(begun, np.stack(signal), block_frames=options.block_frames).audio


def _printer(keep: Path | None, loads: list[Load] | None) -> Callable[[Reload, bytes], None]:
    def report(reload: Reload, text: bytes) -> None:
        if loads is not None and reload.event != "missing":
            program = text.decode(errors="replace") if reload.outputs else ""
            begun, seconds = reload.begun_monotonic_s, reload.compile_ms / 1e3
            loads.append(Load(program, begun, seconds, reload.cost))
        if keep and reload.ok:
            keep.mkdir(parents=True, exist_ok=True)
            (keep / f"{reload.number:05d}.dsp").write_bytes(text)
        _print(asdict(reload))
        if reload.event == "crashed":
            print(f"THE DAW WOULD HAVE CRASHED: {reload.error}", file=sys.stderr, flush=True)

    return report


def _print(event: dict[str, object]) -> None:
    print(json.dumps(event), flush=True)


if __name__ == "__main__":
    sys.exit(main())
