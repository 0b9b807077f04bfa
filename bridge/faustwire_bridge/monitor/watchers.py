"""Which programs watch a directory for changes, as a hot-reload plugin's host does."""

from __future__ import annotations

import math
import os
import re
import socket
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from faustwire.messages import State

_PROC = Path("/proc")
# fdinfo of an inotify descriptor, see proc_pid_fdinfo(5): inode and device in hex.
_WATCH = re.compile(r"^inotify wd:\S+ ino:([0-9a-f]+) sdev:([0-9a-f]+)", re.MULTILINE)
# The kernel's own numbers of devices: 12 bits of major before 20 bits of minor.
_MINOR_BITS = 20
# Looking through all processes takes milliseconds.
_LOOK_SECONDS = 2.0


class PluginWatch:
    """Whether some program on this machine watches a bridge's ``.dsp``, looked up now and then."""

    def __init__(self) -> None:
        self._looked_at = -math.inf
        self._found: bool | None = None

    def is_watched(self, state: State, now: float) -> bool | None:
        """Whether a plugin is there to hear of what is written.

        Args:
            state: the bridge's.
            now: seconds on a clock that never goes back.

        Returns:
            None: it is not known, since the bridge is on another machine, or the system does not
            tell.
        """
        if now - self._looked_at >= _LOOK_SECONDS:
            self._looked_at = now
            self._found = _is_watched(state)
        return self._found


def _is_watched(state: State) -> bool | None:
    if state.host != socket.gethostname():
        return None
    try:
        found = watchers(Path(os.path.realpath(state.dsp_path)).parent)
    except OSError:
        return None
    return None if found is None else bool(found)


def watchers(folder: Path) -> list[str] | None:
    """Find the programs that watch a directory with inotify.

    Args:
        folder: the directory.

    Returns:
        Name and process of each that this user may look at; None: this system does not tell.
    """
    if not (_PROC / "self" / "fdinfo").is_dir():
        return None
    status = folder.stat()
    device = os.major(status.st_dev) << _MINOR_BITS | os.minor(status.st_dev)
    wanted = (status.st_ino, device)
    return [
        f"{_name(process)} (pid {process.name})"
        for process in sorted(_PROC.glob("[0-9]*"))
        if wanted in _watches(process)
    ]


def _watches(process: Path) -> Iterator[tuple[int, int]]:
    """What a process watches, as far as it may be looked at; processes come and go."""
    with suppress(OSError):
        for descriptor in (process / "fd").iterdir():
            with suppress(OSError):
                if "inotify" in os.fspath(descriptor.readlink()):
                    told = (process / "fdinfo" / descriptor.name).read_text()
                    for inode, device in _WATCH.findall(told):
                        yield int(inode, 16), int(device, 16)


def _name(process: Path) -> str:
    try:
        return (process / "comm").read_text().strip()
    except OSError:
        return "a program"
