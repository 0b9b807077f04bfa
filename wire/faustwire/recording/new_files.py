"""The files of a recording: names that sort, never one that is taken, locked while written."""

from __future__ import annotations

import errno
import os
import re
from datetime import datetime, timezone
from pathlib import Path

from faustwire.file_lock import hold

# How many names are tried; existing files are never overwritten.
_MAX_NAMES = 1000
_SUFFIX = ".mcap"


class NewFiles:
    """The names of the files: sortable, and never the name of an existing file."""

    def __init__(self, target: Path, now_ns: int, stem: str) -> None:
        """Make the folder, if need be.

        Args:
            target: a file that ends in ``.mcap``; otherwise the folder.
            now_ns: Unix time, ns, for the names.
            stem: part of the names of files in a folder.

        Raises:
            OSError: the folder can't be made.
        """
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
        """Make the next file.

        Returns:
            Its descriptor and its path.

        Raises:
            OSError: it can't be made, or too many names are taken.
        """
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
            hold(descriptor)
            return descriptor, path
        raise FileExistsError(errno.EEXIST, f"{_MAX_NAMES} names are taken", str(path))
