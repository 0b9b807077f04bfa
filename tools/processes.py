"""Resources of a process, from /proc."""

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
    """Processor time of a process so far, all threads included; 0 where it is unknown."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / _TICKS


def children(pid: int) -> list[int]:
    """Running child processes of a process."""
    try:
        tasks = list(Path(f"/proc/{pid}/task").iterdir())
        return [int(child) for task in tasks for child in (task / "children").read_text().split()]
    except OSError:
        return []


def descriptors(pid: int) -> int:
    """Number of open files and sockets of a process; 0 where it is unknown."""
    try:
        return len(list(Path(f"/proc/{pid}/fd").iterdir()))
    except OSError:
        return 0


def send_signal(pid: int, number: int) -> None:
    """Send a signal; a process that has already ended is not an error."""
    with suppress(ProcessLookupError):
        os.kill(pid, number)
