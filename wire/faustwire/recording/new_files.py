"""The files of a recording: names that sort, never one that is taken, locked while written."""

from __future__ import annotations

import errno
import fcntl
import os
import re
from contextlib import suppress
from datetime import datetime, timezone
from pathlib import Path

# How many names are tried; existing files are never overwritten.
_MAX_NAMES = 1000
_SUFFIX = ".mcap"


class NewFiles:
    """The names of the files: sortable, and never the name of an existing file."""

    def __init__(self, target: Path, now_ns: int, stem: str) -> None:
        self._file = target if target.suffix == _SUFFIX else None
        self._folder = target.parent if self._file else target
        started = datetime.fromtimestamp(now_ns // 10**9, timezone.utc)
        safe = re.sub(r"[^\w.-]", "_", stem)[:64]
        self._beginning = (
            # An underscore comes after the dot of the first file's name.
            f"{target.stem}_" if self._file else f"faustwire-{started:%Y%m%dT%H%M%SZ}-{safe}-"
        )
        self._number = 0
        self._folder.mkdir(parents=True, exist_ok=True)

    def open_next(self) -> tuple[int, Path]:
        """Make the next file; returns its descriptor and its path."""
        for _ in range(_MAX_NAMES):
            self._number += 1
            path = self._folder / f"{self._beginning}{self._number:04}{_SUFFIX}"
            if self._file and self._number == 1:
                path = self._file
            try:
                descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)
            except FileExistsError:
                continue  # A bridge that is started again finds the files of the one before.
            # By this readers know that it is still written; the system releases it after a kill.
            with suppress(OSError):  # A file system without locks: readers can't tell then.
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return descriptor, path
        raise FileExistsError(errno.EEXIST, f"{_MAX_NAMES} names are taken", str(path))
