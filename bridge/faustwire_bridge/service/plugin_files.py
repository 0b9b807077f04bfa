"""The two files that the plugin reads, written so that it never sees half of one."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from faustwire.atomic_file import ReplacedFile
from faustwire.rendezvous import Rendezvous, file_path


class PluginFiles:
    """The ``.dsp`` and the plugin's config file.

    Nothing is buffered for a power cut (no fsync): the plugin reads through the page cache, and
    the next publish writes the whole file again.
    """

    def __init__(self, place: Rendezvous, config_path: str | Path) -> None:
        self.dsp_path = place.dsp_path
        self.config_path = file_path(config_path, "config_path")
        # The key: two bridges may share one config.
        self._dsp = ReplacedFile(self.dsp_path, place.key)
        self._config = ReplacedFile(self.config_path, place.key)
        self._directory: tuple[int, int] | None = None

    def clear_leftovers(self) -> None:
        """Remove temporary files of a bridge that was killed while it wrote."""
        for file in (self._dsp, self._config):
            with suppress(OSError):
                os.unlink(file.temporary)

    def write(self, program: str, *, rewrite_config: bool) -> None:
        """Write a program where the plugin finds it: the ``.dsp`` first, then its config.

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
