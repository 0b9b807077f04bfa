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
from collections.abc import Callable
from pathlib import Path
from typing import Any

warnings.filterwarnings("ignore")

import adac  # noqa: E402
import torch  # noqa: E402
from flamo.processor import dsp, system  # noqa: E402
from rich.console import Console  # noqa: E402
from rich.table import Table  # noqa: E402

from faustwire_publisher import HotReload  # noqa: E402

FS = 48000
NFFT = 4096


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


def measure(lines: int, rounds: int, folder: Path, *, filters: bool) -> dict[str, list[float]]:
    """Times in seconds by what was measured, of calls that alternate."""
    fdn = FDN(lines, filters=filters)

    def paths(name: str) -> dict[str, Any]:
        return {"dsp_path": str(folder / f"{name}.dsp"), "config_path": str(folder / f"{name}.txt")}

    times: dict[str, list[float]] = {}
    theirs = adac.HotReload(FS, min_interval=0, **paths("adac"))
    theirs_throttled = adac.HotReload(FS, min_interval=3600, **paths("adac-throttled"))
    with (
        HotReload(FS, min_interval=0, **paths("wait")) as ours,
        HotReload(FS, min_interval=3600, **paths("throttled")) as ours_throttled,
        HotReload(FS, min_interval=0, wait=False, **paths("no-wait")) as ours_free,
    ):
        for hot_reload in (theirs, theirs_throttled, ours, ours_throttled, ours_free):
            hot_reload.update(fdn.model)
        ours_free.flush()
        free_path = folder / "no-wait.dsp"
        for _ in range(rounds):
            for name, call, expected in (
                ("adac", lambda: theirs.update(fdn.model), True),
                ("ours", lambda: ours.update(fdn.model), True),
                ("adac throttled", lambda: theirs_throttled.update(fdn.model), False),
                ("ours throttled", lambda: ours_throttled.update(fdn.model), False),
            ):
                fdn.step()
                times.setdefault(name, []).append(timed(call, expected))
            fdn.step()
            before = free_path.stat().st_ino
            called = timed(lambda: ours_free.update(fdn.model), expected=True)
            times.setdefault("ours wait=False", []).append(called)
            to_file = called + until_written(free_path, before)
            times.setdefault("ours to file", []).append(to_file)
            ours_free.flush()
            if not ours_free.last.published:
                raise SystemExit(f"not published: {ours_free.last}")
    return times


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=200)
    parser.add_argument("--lines", type=int, nargs="*", default=[4, 8, 16, 32])
    parser.add_argument("--no-filters", action="store_true", help="no filters in the loop")
    options = parser.parse_args()
    torch.set_num_threads(1)
    table = Table(title="update(model), median of alternating calls; ratio = ours / adac's")
    columns = ["lines", "adac", "wait=True", "ratio", "wait=False", "ratio", "to file", "ratio"]
    for column in [*columns, "throttled adac", "ours"]:
        table.add_column(column, justify="right")
    for lines in options.lines:
        with tempfile.TemporaryDirectory() as folder:
            times = measure(lines, options.rounds, Path(folder), filters=not options.no_filters)
        median = {name: statistics.median(values) for name, values in times.items()}

        def ratio(name: str, median: dict[str, float] = median) -> str:
            return f"{median[name] / median['adac']:.2f}"

        table.add_row(
            str(lines),
            f"{median['adac'] * 1e3:.2f} ms",
            f"{median['ours'] * 1e3:.2f} ms",
            ratio("ours"),
            f"{median['ours wait=False'] * 1e3:.2f} ms",
            ratio("ours wait=False"),
            f"{median['ours to file'] * 1e3:.2f} ms",
            ratio("ours to file"),
            f"{median['adac throttled'] * 1e6:.1f} us",
            f"{median['ours throttled'] * 1e6:.1f} us",
        )
    Console(width=110).print(table)


if __name__ == "__main__":
    main()
