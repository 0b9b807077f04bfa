"""The two files that the plugin reads, written so that it never sees half of one."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from faustwire.rendezvous import Rendezvous, file_path


class PluginFiles:
    """The ``.dsp`` and the plugin's config file.

    Nothing is buffered for a power cut (no fsync): the plugin reads through the page cache, and
    the next publish writes the whole file again.
    """

    def __init__(self, place: Rendezvous, config_path: str | Path) -> None:
        self.dsp_path = place.dsp_path
        self.config_path = file_path(config_path, "config_path")
        self._dsp = _Replaced(self.dsp_path, place.key)
        self._config = _Replaced(self.config_path, place.key)
        self._directory: tuple[int, int] | None = None

    def clear_leftovers(self) -> None:
        """Remove what a bridge that was killed while writing has left."""
        for file in (self._dsp, self._config):
            with suppress(OSError):
                os.unlink(file.temporary)

    def write(self, program: str, *, rewrite_config: bool) -> None:
        """Put a program where the plugin finds it: the ``.dsp`` first, then its config.

        Args:
            program: Faust text.
            rewrite_config: write the config even if it is right already. A plugin that started
                before there was a ``.dsp`` notices nothing else.

        Raises:
            OSError: the disk is full, a directory can't be written …; a file that was there before
                is whole, either the old or the new one.
        """
        self._dsp.write(program.encode())
        status = os.stat(self.dsp_path.parent)
        directory = (status.st_dev, status.st_ino)
        # The plugin's watch dies with the directory; it looks again when its config is written.
        moved = self._directory not in (None, directory)
        try:
            self._point_config(rewrite=rewrite_config or moved)
        except OSError:
            self._dsp.forget()
            raise
        self._directory = directory

    def intact(self) -> bool:
        """Whether the ``.dsp`` is still the one that ``write`` left there last."""
        return self._dsp.intact()

    def _point_config(self, *, rewrite: bool) -> None:
        """Keep the first line naming the ``.dsp``; the lines below are the user's.

        The plugin reloads on every write of its config, so one that is right is left alone.
        """
        if not rewrite and self._config.intact():
            return
        try:
            lines = self.config_path.read_bytes().splitlines(keepends=True)
        except FileNotFoundError:
            lines = []
        wanted = os.fsencode(self.dsp_path)
        if lines and lines[0].strip() == wanted and not rewrite:
            return
        self._config.write(b"".join([wanted + b"\n", *lines[1:]]))


class _Replaced:
    """A file that is only ever replaced as a whole, in one step.

    On the way of every publish, hence os and not pathlib, and as few system calls as there can be.
    """

    def __init__(self, path: Path, key: str) -> None:
        self._path = os.fspath(path)
        # A fixed name, so that what a killed bridge left is found again; the key keeps two bridges
        # that share one config apart.
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
