"""Files that are replaced as a whole, so that no reader sees one half written."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

# Linux alone has it: to refer to a file, without opening it.
_O_PATH: int = getattr(os, "O_PATH", 0)


class ReplacedFile:
    """A file that is only ever replaced as a whole, in one step.

    Every publish writes one, hence os instead of pathlib, and as few system calls as possible.
    """

    def __init__(self, path: Path, key: str) -> None:
        """Name the file; nothing is written yet.

        Args:
            path: of the file.
            key: part of the temporary file's name, different for each writer.
        """
        self._path = os.fspath(path)
        # A fixed name, so that the temporary file of a killed writer is found and replaced.
        self.temporary = os.fspath(path.with_name(f".{path.name}.{key}.tmp"))
        self._written: tuple[int, int, int] | None = None
        self._held: int | None = None

    def intact(self) -> bool:
        """Whether the file is still the one that was written here last."""
        if self._written is None:
            return False
        try:
            return self._written == _identity(os.stat(self._path))
        except OSError:
            return False

    def forget(self) -> None:
        """Regard the file as written by somebody else."""
        self._written = None

    def hold(self) -> None:
        """Keep the file that stands there, also when it is replaced, until ``let_go``.

        To free it takes the system as long as all else of a write.
        """
        self.let_go()
        if _O_PATH:
            with suppress(OSError):
                self._held = os.open(self._path, _O_PATH | os.O_CLOEXEC)

    def let_go(self) -> None:
        """Let the system free what ``hold`` has kept."""
        held, self._held = self._held, None
        if held is not None:
            os.close(held)

    def write(self, content: bytes) -> bool:
        """Replace the file, keeping its mode; a new one gets the mode that the umask leaves.

        Args:
            content: of the file.

        Returns:
            Whether there was one before.

        Raises:
            OSError: it can't be written; the old file is still there.
        """
        self._written = None
        before = self._mode()
        try:
            status = self._replace(content, before)
        except FileNotFoundError:
            os.makedirs(os.path.dirname(self._path), exist_ok=True)
            status = self._replace(content, before)
        self._written = _identity(status)
        return before is not None

    def _mode(self) -> int | None:
        try:
            return os.stat(self._path).st_mode & 0o7777
        except FileNotFoundError:
            return None

    def _replace(self, content: bytes, mode: int | None) -> os.stat_result:
        descriptor = self._open()
        try:
            try:
                if mode is not None:
                    os.fchmod(descriptor, mode)
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
    # A disk that is almost full accepts a part of the content, and fails at the next call.
    while content:
        content = content[os.write(descriptor, content) :]
