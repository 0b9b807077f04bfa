"""What a process costs, as Linux tells it."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

_TICKS = os.sysconf("SC_CLK_TCK")
_PAGE_MIB = os.sysconf("SC_PAGE_SIZE") / 2**20


def rss_mib(pid: int | None = None) -> float:
    """Resident memory of a process (default: this one); 0 if it is gone, or there is no /proc."""
    try:
        fields = Path(f"/proc/{pid or 'self'}/statm").read_text().split()
    except OSError:
        return 0.0
    return int(fields[1]) * _PAGE_MIB


def cpu_seconds(pid: int) -> float:
    """What a process has computed so far, its threads included; 0 where that is not known."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / _TICKS


def children(pid: int) -> list[int]:
    """The processes that a process has started and that still run."""
    try:
        tasks = list(Path(f"/proc/{pid}/task").iterdir())
        return [int(child) for task in tasks for child in (task / "children").read_text().split()]
    except OSError:
        return []


def descriptors(pid: int) -> int:
    """How many files and sockets a process has open; 0 where that is not known."""
    try:
        return len(list(Path(f"/proc/{pid}/fd").iterdir()))
    except OSError:
        return 0


def send_signal(pid: int, number: int) -> None:
    """As os.kill, but whoever is gone already is fine."""
    with suppress(ProcessLookupError):
        os.kill(pid, number)
