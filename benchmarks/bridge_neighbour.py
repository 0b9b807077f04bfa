"""How long a worker waits for its verdict beside one that publishes a large model at full speed.

A real bridge. The one worker publishes FLAMO's dense feedback delay network of 64 lines, each time
a program that never was, and sends the next when it has the verdict on the last. The other one
publishes 16 lines twenty times a second. Both do so for a while before anything is timed, so that
libfaust has compiled both structures once.

    PYTHONPATH=tools python benchmarks/bridge_neighbour.py
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import warnings
from dataclasses import replace
from pathlib import Path

warnings.filterwarnings("ignore")

import numpy as np  # noqa: E402
from rich.console import Console  # noqa: E402
from rich.table import Table  # noqa: E402

from bridges import Plugin, served  # noqa: E402
from faustwire import codec  # noqa: E402
from faustwire.messages import Snapshot  # noqa: E402
from faustwire_publisher.lowering import lower  # noqa: E402
from load import Plan, Tally, begin, processes, tallies  # noqa: E402
from models import fdn  # noqa: E402

FS = 48000.0
# Between two snapshots of the honest worker.
PACE_SECONDS = 0.05
# Of one gain, from call to call: a change that is heard.
STEP = 1e-3
# So that the large model is published on a busy machine as well.
_PATIENT = ("--compile-timeout", "120", "--max-load", "1000")


def snapshot(folder: Path, lines: int) -> str:
    """A file with a snapshot of this many lines."""
    path = folder / f"{lines}.msgpack"
    path.write_bytes(codec.encode(Snapshot(1, 1, FS, lower(fdn(lines)))))
    return str(path)


def one_case(folder: Path, neighbour: int, options: argparse.Namespace) -> tuple[Tally, Tally]:
    """A fresh bridge, an honest worker and its neighbour; what became of each."""
    plugin = folder / f"plugin-{neighbour}"
    plugin.mkdir()
    with served(Plugin(plugin), *_PATIENT) as bridge:
        honest = Plan(bridge.endpoint, snapshot(folder, options.lines), pace=PACE_SECONDS)
        large = Plan(bridge.endpoint, snapshot(folder, neighbour), first=1)
        for seconds in (options.warm_up, options.seconds):
            plans = [replace(plan, seconds=seconds, step=STEP) for plan in (honest, large)]
            with processes(plans) as running:
                begin(running)
                found, beside = tallies(running)
    return found, beside


def main() -> None:
    """Print the table; fails where a verdict is lost."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seconds", type=float, default=15.0)
    parser.add_argument(
        "--warm-up", type=float, default=12.0, help="until libfaust has compiled 64 dense lines, s"
    )
    parser.add_argument("--lines", type=int, default=16)
    parser.add_argument("--neighbours", type=int, nargs="*", default=[16, 64])
    options = parser.parse_args()
    table = Table(title=f"a worker of {options.lines} lines for {options.seconds:g} s")
    for column in ("beside, lines", "p50 ms", "p99 ms", "published/s", "published/s beside"):
        table.add_column(column, justify="right")
    with tempfile.TemporaryDirectory() as name:
        for neighbour in options.neighbours:
            both = one_case(Path(name), neighbour, options)
            if any(tally.lost or tally.twice for tally in both):
                sys.exit(f"verdicts were lost, or came twice: {both}")
            p50, p99 = np.percentile(both[0].latencies, (50, 99)) * 1e3
            rates = (f"{t.reasons.get('published', 0) / options.seconds:.1f}" for t in both)
            table.add_row(str(neighbour), f"{p50:.1f}", f"{p99:.1f}", *rates)
    Console(width=100).print(table)


if __name__ == "__main__":
    main()
