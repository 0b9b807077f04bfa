"""How many snapshots a bridge takes in a second, from how many workers, and how soon it answers.

A real bridge (``faustwire serve``), real connections that send the next snapshot when they have the
verdict on the last, and FLAMO's feedback delay network of 16 lines, each time a program that never
was. Prints medians over the rounds, and the ratio to one worker. Bridge and workers share the
machine: `bridge` and `workers` are the cores that each of them kept busy.

    PYTHONPATH=tools python benchmarks/bridge_throughput.py
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

warnings.filterwarnings("ignore")

import numpy as np  # noqa: E402
from rich.console import Console  # noqa: E402
from rich.table import Table  # noqa: E402

from bridges import Plugin, served  # noqa: E402
from faustwire import codec  # noqa: E402
from faustwire.messages import Snapshot  # noqa: E402
from faustwire_publisher.lowering import lower  # noqa: E402
from load import Plan, Tally, begin, processes, spread, tallies  # noqa: E402
from models import fdn  # noqa: E402
from processes import children, cpu_seconds, rss_mib  # noqa: E402

FS = 48000.0
# Throttled: all but the first are turned down by time. 0: nothing is.
KINDS = {"throttled": 3600.0, "published": 0.0}
# Of a gain from call to call: heard also beside the next worker's, which differs by 1e-3.
STEP = 6.5e-3


@dataclass(frozen=True)
class Figures:
    """What one round measured; times in seconds, memory in MiB, CPU in cores."""

    rate: float
    p50: float
    p99: float
    least: int
    most: int
    bridge_cpu: float
    workers_cpu: float
    rss_begin: float
    rss_end: float


def one_round(snapshot: Path, kind: str, workers: int, options: argparse.Namespace) -> Figures:
    """A fresh bridge, and this many workers at full speed."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "plugin"
        folder.mkdir()
        with served(Plugin(folder)) as bridge:
            plan = Plan(
                bridge.endpoint,
                str(snapshot),
                seconds=options.seconds,
                min_interval=KINDS[kind],
                step=STEP,
            )
            with processes(spread(plan, workers, options.processes)) as running:
                pid = bridge.process.pid
                family = [pid, *children(pid)]
                rss, cpu = rss_mib(pid), sum(map(cpu_seconds, family))
                begun = time.monotonic()
                begin(running)
                time.sleep(options.seconds)
                wall = time.monotonic() - begun
                family = [pid, *children(pid)]
                cpu = sum(map(cpu_seconds, family)) - cpu
                found = tallies(running)
                return _figures(found, kind, wall, cpu, (rss, rss_mib(pid)))


def _figures(
    found: Sequence[Tally], kind: str, wall: float, cpu: float, rss: tuple[float, float]
) -> Figures:
    _check(found, {"published"} if kind == "published" else {"published", "min-interval"})
    answered = [count for tally in found for count in tally.answered]
    latencies = np.concatenate([tally.latencies for tally in found])
    return Figures(
        rate=sum(answered) / wall,
        p50=float(np.percentile(latencies, 50)),
        p99=float(np.percentile(latencies, 99)),
        least=min(answered),
        most=max(answered),
        bridge_cpu=cpu / wall,
        workers_cpu=sum(tally.cpu_seconds for tally in found) / wall,
        rss_begin=rss[0],
        rss_end=rss[1],
    )


def _check(found: Sequence[Tally], expected: set[str]) -> None:
    """End where a verdict is missing, came twice or has another reason."""
    lost, twice = (sum(getattr(tally, field) for tally in found) for field in ("lost", "twice"))
    reasons = {reason for tally in found for reason in tally.reasons}
    if lost or twice or not reasons <= expected:
        sys.exit(f"{lost} verdicts lost, {twice} came twice, reasons {sorted(reasons)}")


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=4.0)
    parser.add_argument("--workers", type=int, nargs="*", default=[1, 8, 64])
    parser.add_argument("--lines", type=int, default=16)
    parser.add_argument("--processes", type=int, default=2, help="that the workers share")
    options = parser.parse_args()
    cases = [(kind, workers) for kind in KINDS for workers in options.workers]
    figures: dict[tuple[str, int], list[Figures]] = {case: [] for case in cases}
    with tempfile.TemporaryDirectory() as name:
        snapshot = Path(name) / "snapshot.msgpack"
        graph = lower(fdn(options.lines))
        snapshot.write_bytes(codec.encode(Snapshot(1, 1, FS, graph)))
        for _ in range(options.rounds):
            for case in cases:
                figures[case].append(one_round(snapshot, *case, options))
        size = snapshot.stat().st_size
    Console(width=120).print(_table(figures, options, size))


def _table(
    figures: dict[tuple[str, int], list[Figures]], options: argparse.Namespace, size: int
) -> Table:
    table = Table(
        title=f"an FDN of {options.lines} lines, {size / 1024:.1f} KiB a snapshot; medians of "
        f"{options.rounds} rounds of {options.seconds:g} s"
    )
    for column in (
        *("kind", "workers", "snapshots/s", "ratio", "p50 ms", "p99 ms", "a worker: least, most"),
        *("bridge", "workers", "MiB at start", "end"),
    ):
        table.add_column(column, justify="right")
    for (kind, workers), rounds in figures.items():
        median = {
            name: statistics.median(getattr(one, name) for one in rounds)
            for name in vars(rounds[0])
        }
        alone = statistics.median(one.rate for one in figures[kind, options.workers[0]])
        table.add_row(
            kind,
            str(workers),
            f"{median['rate']:.0f}",
            f"{median['rate'] / alone:.2f}",
            f"{median['p50'] * 1e3:.2f}",
            f"{median['p99'] * 1e3:.2f}",
            f"{median['least']:.0f}, {median['most']:.0f}",
            f"{median['bridge_cpu']:.2f}",
            f"{median['workers_cpu']:.2f}",
            f"{median['rss_begin']:.0f}",
            f"{median['rss_end']:.0f}",
        )
    return table


if __name__ == "__main__":
    main()
