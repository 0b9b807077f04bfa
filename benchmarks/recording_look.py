"""Find calls and times in a long recording, and read it; see ``recording.py``.

A process of its own, without torch, so that its memory is that of reading.

    python benchmarks/recording_look.py FILE COUNT
"""

from __future__ import annotations

import json
import resource
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from faustwire import recording
from faustwire.header import read_header

SECOND = 10**9
START_NS = 1_795_000_000 * SECOND


def rss_mb() -> float:
    """The most memory that this process has had so far."""
    status = Path("/proc/self/status")
    if status.exists():  # What getrusage says there includes the process that started this one.
        line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
        return int(line.split()[1]) * 1024 / 1e6
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6


def timed(what: Callable[[], object]) -> float:
    """Milliseconds that a call takes."""
    begun = time.perf_counter()
    what()
    return 1e3 * (time.perf_counter() - begun)


def look(path: Path, count: int) -> None:
    """Find calls and times, then read it all, and print the figures as JSON."""
    rss = rss_mb()
    random = np.random.default_rng(1)
    opened: list[recording.Recording] = []
    opening = timed(lambda: opened.append(recording.Recording(path)))
    read = opened[0]
    first = timed(lambda: read.find(count // 8, "w2"))
    calls = [int(call) for call in random.integers(1, count // 4, 50)]
    finding = [timed(lambda call=call: read.find(call, "w1")) for call in calls]  # type: ignore[misc]
    for call in calls:
        item = read.find(call, "w1")
        seen = read_header(item.data) if item else None
        assert seen is not None  # noqa: S101
        assert seen.call == call  # noqa: S101
    times = [START_NS + int(at) * SECOND // 1000 for at in random.integers(0, count, 50)]
    seeking = [timed(lambda at=at: next(read.items(at))) for at in times]  # type: ignore[misc]
    begun = time.perf_counter()
    assert sum(1 for _ in read) >= count - 1000  # noqa: S101
    seconds = time.perf_counter() - begun
    figures = {
        "first": opening + first,
        "find": statistics.median(finding),
        "find_most": max(finding),
        "seek": statistics.median(seeking),
        "seek_most": max(seeking),
        "read": count / seconds,
        "rss_begin": rss,
        "rss_end": rss_mb(),
    }
    print(json.dumps(figures))


if __name__ == "__main__":
    look(Path(sys.argv[1]), int(sys.argv[2]))
