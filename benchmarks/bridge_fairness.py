"""Is everybody served while 64 workers push as fast as they can? Workers, who steers, who watches.

A real bridge, FLAMO's feedback delay network of 16 lines, every snapshot a new program that is
published if its turn comes. Five times a second somebody changes whom the plugin follows, and
somebody watches. In the second row no worker waits for its verdicts: three of its snapshots are on
their way, so that the newest has to win.

    PYTHONPATH=tools python benchmarks/bridge_fairness.py
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
import warnings
from collections import Counter
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

warnings.filterwarnings("ignore")

import numpy as np  # noqa: E402
import zmq  # noqa: E402
from rich.console import Console  # noqa: E402
from rich.table import Table  # noqa: E402

from bridges import Plugin, served  # noqa: E402
from faustwire import codec  # noqa: E402
from faustwire.messages import Choice, Follow, Snapshot, State, Steered, Watch  # noqa: E402
from faustwire_publisher.lowering import lower  # noqa: E402
from load import Plan, Tally, begin, processes, spread, tallies  # noqa: E402
from models import fdn  # noqa: E402

FS = 48000.0
# Between two changes of whom the plugin follows.
STEER_SECONDS = 0.2


@dataclass
class Seen:
    """What it was like for the others; seconds."""

    follow: list[float] = field(default_factory=list)
    states: list[float] = field(default_factory=list)

    @property
    def gaps(self) -> list[float]:
        """Between two states."""
        return [after - before for before, after in pairwise(self.states)]


def look_on(endpoint: str, seconds: float) -> Seen:
    """Steer and watch."""
    seen = Seen()
    context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
    context.setsockopt(zmq.LINGER, 0)
    with context.socket(zmq.DEALER) as steering, context.socket(zmq.DEALER) as watching:
        steering.connect(endpoint)
        watching.connect(endpoint)
        watching.send(codec.encode(Watch()))
        poller = zmq.Poller()
        for one in (steering, watching):
            poller.register(one, zmq.POLLIN)
        end, next_at, asked = time.monotonic() + seconds, 0.0, 0.0
        while (now := time.monotonic()) < end:
            if not asked and now >= next_at:
                steering.send(codec.encode(Follow(Choice())))
                asked, next_at = now, now + STEER_SECONDS
            ready = dict(poller.poll(50))
            if steering in ready:
                answer = codec.decode(steering.recv())
                if not isinstance(answer, Steered):
                    sys.exit(f"steering is refused: {answer}")
                seen.follow.append(time.monotonic() - asked)
                asked = 0.0
            if watching in ready:
                state = codec.decode(watching.recv())
                if not isinstance(state, State):
                    sys.exit(f"watching is refused: {state}")
                seen.states.append(time.monotonic())
                watching.send(codec.encode(Watch(state.number)))
    context.term()
    return seen


def one_case(snapshot: Path, credit: int, options: argparse.Namespace) -> tuple[list[Tally], Seen]:
    """A fresh bridge, its workers, and the onlookers."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "plugin"
        folder.mkdir()
        with served(Plugin(folder)) as bridge:
            plan = Plan(bridge.endpoint, str(snapshot), seconds=options.seconds, credit=credit)
            with processes(spread(plan, options.workers, options.processes)) as running:
                begin(running)
                seen = look_on(bridge.endpoint, options.seconds)
                return tallies(running), seen


def main() -> None:
    """Print the table; fails where somebody was not served."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seconds", type=float, default=15.0)
    parser.add_argument("--workers", type=int, default=64)
    parser.add_argument("--lines", type=int, default=16)
    parser.add_argument("--processes", type=int, default=2, help="that the workers share")
    options = parser.parse_args()
    table = Table(title=f"{options.workers} workers at full speed for {options.seconds:g} s")
    for column in (
        *("on their way", "verdicts/s", "a worker: least, most", "superseded", "newest lost"),
        *("Follow p50 ms", "p99", "states/s", "largest gap ms"),
    ):
        table.add_column(column, justify="right")
    with tempfile.TemporaryDirectory() as name:
        snapshot = Path(name) / "snapshot.msgpack"
        snapshot.write_bytes(codec.encode(Snapshot(1, 1, FS, lower(fdn(options.lines)))))
        for credit in (1, 3):
            found, seen = one_case(snapshot, credit, options)
            table.add_row(str(credit), *_cells(found, seen, options.seconds))
    Console(width=120).print(table)


def _cells(found: list[Tally], seen: Seen, seconds: float) -> list[str]:
    answered = [count for tally in found for count in tally.answered]
    reasons = sum((Counter(tally.reasons) for tally in found), Counter[str]())
    newest = [reason for tally in found for reason in tally.newest]
    lost = sum(tally.lost + tally.twice for tally in found)
    passed_over = newest.count("superseded") + newest.count("")
    if lost or passed_over or not min(answered):
        sys.exit(f"{lost} verdicts lost or twice, {passed_over} newest passed over, {answered}")
    p50, p99 = np.percentile(seen.follow, (50, 99)) * 1e3
    return [
        f"{sum(answered) / seconds:.0f}",
        f"{min(answered)}, {max(answered)}",
        f"{reasons['superseded']} of {reasons.total()}",
        str(passed_over),
        f"{p50:.1f}",
        f"{p99:.0f}",
        f"{len(seen.states) / seconds:.1f}",
        f"{max(seen.gaps) * 1e3:.0f}",
    ]


if __name__ == "__main__":
    main()
