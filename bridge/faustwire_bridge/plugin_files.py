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
        # Fixed names, so that what a killed bridge left is found again; the key keeps two bridges
        # that share one config apart.
        self._dsp_temporary = self.dsp_path.with_name(f".{self.dsp_path.name}.{place.key}.tmp")
        self._config_temporary = self.config_path.with_name(
            f".{self.config_path.name}.{place.key}.tmp"
        )
        self._written: tuple[int, int, int] | None = None
        self._directory: tuple[int, int] | None = None

    def clear_leftovers(self) -> None:
        """Remove what a bridge that was killed while writing has left."""
        for temporary in (self._dsp_temporary, self._config_temporary):
            with suppress(OSError):
                temporary.unlink()

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
        self._written = None
        _replace(self.dsp_path, program.encode(), self._dsp_temporary)
        status = self.dsp_path.parent.stat()
        directory = (status.st_dev, status.st_ino)
        # The plugin's watch dies with the directory; it looks again when its config is written.
        moved = self._directory not in (None, directory)
        self._point_config(rewrite=rewrite_config or moved)
        self._directory = directory
        self._written = _identity(self.dsp_path)

    def intact(self) -> bool:
        """Whether the ``.dsp`` is still the one that ``write`` left there last."""
        return self._written is not None and self._written == _identity(self.dsp_path)

    def _point_config(self, *, rewrite: bool) -> None:
        """Keep the first line naming the ``.dsp``; the lines below are the user's.

        The plugin reloads on every write of its config, so one that is right is left alone.
        """
        try:
            lines = self.config_path.read_bytes().splitlines(keepends=True)
        except FileNotFoundError:
            lines = []
        wanted = os.fsencode(self.dsp_path)
        if lines and lines[0].strip() == wanted and not rewrite:
            return
        content = b"".join([wanted + b"\n", *lines[1:]])
        _replace(self.config_path, content, self._config_temporary)


def _identity(path: Path) -> tuple[int, int, int] | None:
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_ino, status.st_size, status.st_mtime_ns


def _replace(path: Path, content: bytes, temporary: Path) -> None:
    """Replace a file in one step, keeping its mode; a new one gets the umask's."""
    try:
        _write_new(temporary, content, path)
    except FileNotFoundError:
        path.parent.mkdir(parents=True, exist_ok=True)
        _write_new(temporary, content, path)


def _write_new(temporary: Path, content: bytes, path: Path) -> None:
    with suppress(FileNotFoundError):
        temporary.unlink()
    # O_EXCL: nobody may have put a link there, in a directory that others write to.
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            with suppress(FileNotFoundError):
                os.fchmod(descriptor, path.stat().st_mode & 0o7777)
        os.replace(temporary, path)  # noqa: PTH105 - hot path
    except BaseException:
        with suppress(OSError):
            temporary.unlink()
        raise
