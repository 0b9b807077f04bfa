"""A file that no reader ever sees half written."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path


class ReplacedFile:
    """A file that is only ever replaced as a whole, in one step.

    On the way of every publish, hence os and not pathlib, and as few system calls as there can be.
    """

    def __init__(self, path: Path, key: str) -> None:
        """Nothing is written yet.

        Args:
            path: the file.
            key: tells the temporary files of several writers apart.
        """
        self._path = os.fspath(path)
        # A fixed name, so that what a killed writer left is found again.
        self.temporary = os.fspath(path.with_name(f".{path.name}.{key}.tmp"))
        self._written: tuple[int, int, int] | None = None

    def intact(self) -> bool:
        """Whether the file is still the one that was written last."""
        if self._written is None:
            return False
        try:
            return self._written == _identity(os.stat(self._path))
        except OSError:
            return False

    def forget(self) -> None:
        """The file counts as somebody else's."""
        self._written = None

    def write(self, content: bytes) -> None:
        """Replace the file, keeping its mode; a new one gets the umask's."""
        self._written = None
        try:
            status = self._replace(content)
        except FileNotFoundError:
            os.makedirs(os.path.dirname(self._path), exist_ok=True)
            status = self._replace(content)
        self._written = _identity(status)

    def _replace(self, content: bytes) -> os.stat_result:
        descriptor = self._open()
        try:
            try:
                with suppress(FileNotFoundError):
                    os.fchmod(descriptor, os.stat(self._path).st_mode & 0o7777)
                _write_all(descriptor, content)
                status = os.fstat(descriptor)
            finally:
                os.close(descriptor)
            os.replace(self.temporary, self._path)
        except BaseException:
            with suppress(OSError):
                os.unlink(self.temporary)
            raise
        return status

    def _open(self) -> int:
        # O_EXCL: nobody may have put a link there, in a directory that others write to.
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL
        try:
            return os.open(self.temporary, flags, 0o666)
        except FileExistsError:
            os.unlink(self.temporary)
            return os.open(self.temporary, flags, 0o666)


def _identity(status: os.stat_result) -> tuple[int, int, int]:
    return status.st_ino, status.st_size, status.st_mtime_ns


def _write_all(descriptor: int, content: bytes) -> None:
    # A disk that is almost full takes a part first and says so with the next.
    while content:
        content = content[os.write(descriptor, content) :]
