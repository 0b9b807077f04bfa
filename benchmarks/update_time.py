"""What ``update`` takes from the training loop: ours and adac's side by side, in one run.

For FDNs of 4 to 32 lines with a trained orthogonal feedback matrix, delays made with ``unit=1`` and
absorption filters in the loop, which adac understands, too. The calls of the two alternate, so that
whatever else the machine does meets both, and before each comes a step of the training, as in a
real loop. Prints medians and ratios (ours / adac's).
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
import time
import warnings
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

warnings.filterwarnings("ignore")

import adac  # noqa: E402
import torch  # noqa: E402
from flamo.processor import dsp, system  # noqa: E402
from rich.console import Console  # noqa: E402
from rich.table import Table  # noqa: E402

from faustwire import HotReload  # noqa: E402

FS = 48000
NFFT = 4096
# Of a loop that is timed as a whole.
STEPS = 5


class FDN:
    """A FLAMO feedback delay network whose parameters can be nudged."""

    def __init__(self, lines: int, *, filters: bool) -> None:
        options = {"nfft": NFFT, "device": "cpu"}
        delays = dsp.parallelDelay(size=(lines,), max_len=2000, isint=True, unit=1, **options)
        self.matrix = dsp.Matrix(
            size=(lines, lines), matrix_type="orthogonal", requires_grad=True, **options
        )
        feedback = OrderedDict(mixing=self.matrix)
        if filters:
            absorption = dsp.parallelSOSFilter(size=(lines,), n_sections=1, **options)
            section = torch.tensor([0.45, 0.4, 0.0, 1.0, -0.1, 0.0])
            absorption.assign_value(section[None, :, None].expand(1, 6, lines).clone())
            feedback["absorption"] = absorption
        core = OrderedDict(
            input_gain=dsp.Gain(size=(lines, 1), requires_grad=True, **options),
            loop=system.Recursion(fF=delays, fB=system.Series(feedback)),
            output_gain=dsp.Gain(size=(1, lines), requires_grad=True, **options),
        )
        self.model = system.Shell(system.Series(core), dsp.FFT(NFFT), dsp.iFFT(NFFT))

        self._impulse = torch.zeros(1, NFFT, 1)
        self._impulse[0, 0, 0] = 1.0
        self._optimizer = torch.optim.SGD(self.model.parameters(), lr=1e-3)

    def step(self) -> None:
        """A real step of a training; makes every publish a new program."""
        self._optimizer.zero_grad()
        self.model(self._impulse).square().mean().backward()
        self._optimizer.step()
        with torch.no_grad():
            self.matrix.param.add_(1e-3)


def timed(call: Callable[[], bool], expected: bool) -> float:
    """Seconds that a call took, which must have ended as expected."""
    start = time.perf_counter()
    result = call()
    seconds = time.perf_counter() - start
    if result is not expected:
        raise SystemExit(f"update returned {result}, expected {expected}")
    return seconds


def until_written(path: Path, before: int) -> float:
    """Seconds until a new file stands at ``path``."""
    start = time.perf_counter()
    while os.stat(path).st_ino == before:  # noqa: PTH116 - polled at full speed
        if time.perf_counter() - start > 10:
            raise SystemExit(f"{path} was not written within 10 s")
    return time.perf_counter() - start


@dataclass
class Contenders:
    """A model, and the HotReloads that publish it."""

    fdn: FDN
    folder: Path
    theirs: Any
    theirs_throttled: Any
    ours: HotReload
    ours_throttled: HotReload
    ours_free: HotReload


@contextmanager
def contenders(lines: int, *, filters: bool) -> Iterator[Contenders]:
    """Each with files of its own, and past its first publish."""
    with tempfile.TemporaryDirectory() as name, ExitStack() as stack:
        folder = Path(name)

        def paths(stem: str) -> dict[str, Any]:
            return {
                "dsp_path": str(folder / f"{stem}.dsp"),
                "config_path": str(folder / f"{stem}.txt"),
            }

        hours = 3600.0
        found = Contenders(
            FDN(lines, filters=filters),
            folder,
            adac.HotReload(FS, min_interval=0, **paths("adac")),
            adac.HotReload(FS, min_interval=hours, **paths("adac-throttled")),
            stack.enter_context(HotReload(FS, min_interval=0, **paths("wait"))),
            stack.enter_context(HotReload(FS, min_interval=hours, **paths("throttled"))),
            stack.enter_context(HotReload(FS, min_interval=0, wait=False, **paths("free"))),
        )
        for live in (found.theirs, found.theirs_throttled, found.ours, found.ours_throttled):
            live.update(found.fdn.model)
        found.ours_free.update(found.fdn.model)
        found.ours_free.flush()
        yield found


def call_times(with_: Contenders, rounds: int) -> dict[str, float]:
    """Median seconds of each kind of call; the calls alternate, a training step before each."""
    fdn, free = with_.fdn, with_.ours_free
    free_path = with_.folder / "free.dsp"
    times: dict[str, list[float]] = {}
    for _ in range(rounds):
        for name, live, expected in (
            ("adac", with_.theirs, True),
            ("ours", with_.ours, True),
            ("adac throttled", with_.theirs_throttled, False),
            ("ours throttled", with_.ours_throttled, False),
        ):
            fdn.step()
            seconds = timed(partial(live.update, fdn.model), expected)
            times.setdefault(name, []).append(seconds)
        fdn.step()
        before = free_path.stat().st_ino
        called = timed(partial(free.update, fdn.model), expected=True)
        times.setdefault("ours wait=False", []).append(called)
        times.setdefault("ours to file", []).append(called + until_written(free_path, before))
        free.flush()
        if not free.last.published:
            raise SystemExit(f"not published: {free.last}")
    return {name: statistics.median(values) for name, values in times.items()}


def loop_times(with_: Contenders, rounds: int) -> dict[str, float]:
    """Median seconds that a step of the loop takes longer when each is published.

    The whole price: what other threads take from the training is in it, too.
    """
    fdn = with_.fdn
    calls: dict[str, Callable[[], object]] = {
        "nothing": lambda: None,
        "adac": lambda: with_.theirs.update(fdn.model),
        "ours": lambda: with_.ours.update(fdn.model),
        "ours wait=False": lambda: with_.ours_free.update(fdn.model),
    }
    times: dict[str, list[float]] = {name: [] for name in calls}
    for _ in range(rounds):
        for name, call in calls.items():
            start = time.perf_counter()
            for _ in range(STEPS):
                fdn.step()
                call()
            times[name].append((time.perf_counter() - start) / STEPS)
            with_.ours_free.flush()
    median = {name: statistics.median(values) for name, values in times.items()}
    bare = median.pop("nothing")
    return {name: seconds - bare for name, seconds in median.items()}


def main() -> None:
    """Print the two tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=200)
    parser.add_argument("--lines", type=int, nargs="*", default=[4, 8, 16, 32])
    parser.add_argument("--no-filters", action="store_true", help="no filters in the loop")
    options = parser.parse_args()
    torch.set_num_threads(1)
    calls = Table(title="what a call of update takes, ms; ratio = ours / adac's")
    for column in ("lines", "adac", "wait=True", "ratio", "wait=False", "ratio", "to file"):
        calls.add_column(column, justify="right")
    for column in ("throttled: adac, us", "ours, us"):
        calls.add_column(column, justify="right")
    loops = Table(title="how much longer a published step of the loop takes, ms")
    for column in ("lines", "adac", "wait=True", "ratio", "wait=False", "ratio"):
        loops.add_column(column, justify="right")
    for lines in options.lines:
        with contenders(lines, filters=not options.no_filters) as with_:
            call = call_times(with_, options.rounds)
            loop = loop_times(with_, options.rounds // 4)
        throttled = [f"{call[name] * 1e6:.0f}" for name in ("adac throttled", "ours throttled")]
        to_file = f"{call['ours to file'] * 1e3:.2f}"
        calls.add_row(str(lines), *beside(call), to_file, *throttled)
        loops.add_row(str(lines), *beside(loop))
    Console(width=110).print(calls, loops)


def beside(seconds: dict[str, float]) -> list[str]:
    """Adac's time, and ours with their ratios, as cells."""
    cells = [f"{seconds['adac'] * 1e3:.2f}"]
    for name in ("ours", "ours wait=False"):
        cells += [f"{seconds[name] * 1e3:.2f}", f"{seconds[name] / seconds['adac']:.2f}"]
    return cells


if __name__ == "__main__":
    main()
