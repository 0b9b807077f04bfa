"""``make demo``: trainings, a bridge and a stand-in plugin, on this machine, in about a minute."""

from __future__ import annotations

import argparse
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from demo import tables
from demo.picture import Change, draw
from demo.programs import ProgramError
from demo.rooms import ROOMS
from demo.session import RECORDING, Heard, Record, run
from demo.sound import Response, impulse_response, save
from demo.worker import Call


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the demo.

    Returns:
        0; 1 when a process failed or the plugin would have taken a DAW down; 130 after Ctrl-C.
    """
    options = _parser().parse_args(arguments)
    out: Path = options.out.resolve()
    out.mkdir(parents=True, exist_ok=True)
    for name in ("demo.png", *(f"{sound}.wav" for room in ROOMS for sound in _sounds(room))):
        (out / name).unlink(missing_ok=True)
    # Whatever ends the demo, its children end with it.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    console = Console()
    try:
        with _progress(console) as progress:
            record, heard = run(
                out,
                ROOMS,
                steps=options.steps,
                min_interval=options.min_interval,
                on_call=_Bars(progress, options.steps),
                on_link=_open if options.listen else None,
            )
    except ProgramError as error:
        console.print(str(error), style="red", markup=False)
        return 1
    except KeyboardInterrupt:
        return 130
    console.print(tables.workers(record), tables.plugin(record, heard))
    for path in _leave(out, record, heard):
        console.print(f"  {path.relative_to(out.parent)}", highlight=False)
    recording = os.path.relpath(out / RECORDING)
    console.print(f"hear each step in the browser:  faustwire listen {recording}", soft_wrap=True)
    return 0 if all(reload.ok for reload in record.reloads) else 1


def _open(link: str) -> None:
    """Nothing: whoever serves the page says its link, and opens it where there is a screen."""


def _leave(out: Path, record: Record, heard: Sequence[Heard]) -> list[Path]:
    """Write the sounds and the picture; tells all files that are worth a look."""
    changes: dict[str, Change] = {}
    for name in record.calls:
        texts = [each.text for each in heard if each.worker == name]
        changes[name] = Change(impulse_response(texts[0]), impulse_response(texts[-1]))
    sounds: dict[str, Response] = {}
    for name, change in changes.items():
        sounds |= zip(_sounds(name), (change.before, change.after), strict=True)
    picture = out / "demo.png"
    draw(record, heard, changes, picture)
    return [out / "demo.dsp", *save(sounds, out), picture]


def _sounds(room: str) -> tuple[str, str]:
    return f"{room}-before", f"{room}-after"


class _Bars:
    """A progress bar for each worker, moved by its calls of ``update``."""

    def __init__(self, progress: Progress, steps: int) -> None:
        self._progress = progress
        self._published = dict.fromkeys(ROOMS, 0)
        self._tasks = {
            name: progress.add_task(name, total=steps, note="starting") for name in ROOMS
        }

    def __call__(self, worker: str, call: Call) -> None:
        self._published[worker] += call.published
        note = f"decay off by {call.decay_db:5.2f} dB, {self._published[worker]} published"
        self._progress.update(self._tasks[worker], completed=call.step, note=note)


def _progress(console: Console) -> Progress:
    return Progress(
        TextColumn("{task.description:8}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("{task.fields[note]}"),
        console=console,
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m demo",
        description="Two trainings publish through one bridge to a stand-in plugin.",
    )
    parser.add_argument(
        "--out", type=Path, default=Path("demo-out"), help="for what it leaves: %(default)s"
    )
    parser.add_argument(
        "--steps", type=int, default=250, help="of each optimiser (default: %(default)s)"
    )
    parser.add_argument(
        "--listen", action="store_true", help="serve the page that plays the models meanwhile"
    )
    parser.add_argument(
        "--min-interval",
        type=float,
        default=0.5,
        metavar="SECONDS",
        help="between two reloads (default: %(default)s)",
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())
