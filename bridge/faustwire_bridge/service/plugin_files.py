"""The two files that the plugin reads, written so that it never sees half of one."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from faustwire.atomic_file import ReplacedFile
from faustwire.bounded_file import read_bounded
from faustwire.file_path import PathError, file_path
from faustwire.rendezvous import Rendezvous

# The plugin reads one line, and people note a few others below it.
_MAX_CONFIG_BYTES = 2**20


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
        # Held open: the inode of a directory that is gone is given to the next one at once.
        self._directory: int | None = None
        # What the plugin was told last: the config may go with the directory.
        self._named = b""

    def clear_leftovers(self) -> None:
        """Remove temporary files of a bridge that was killed while it wrote."""
        for file in (self._dsp, self._config):
            with suppress(OSError):
                os.unlink(file.temporary)

    def prepare(self) -> None:
        """Make sure that both files can be written, and make their directories if need be.

        Raises:
            PathError: one of them can't be.
        """
        _check_writable(self._dsp, self.dsp_path, "--dsp-path")
        _check_writable(self._config, self.config_path, "--config-path")

    def write(self, program: str, *, rewrite_config: bool) -> None:
        """Write a program where the plugin finds it: the ``.dsp`` first, then its config.

        Args:
            program: Faust text.
            rewrite_config: write the config even if it is right already. A plugin that started
                before there was a ``.dsp`` notices nothing else; so it is written as well where
                the ``.dsp`` is missing.

        Raises:
            OSError: the disk is full, a directory can't be written …; a file that was there before
                is whole, either the old or the new one.
        """
        self._dsp.hold()
        try:
            existed = self._dsp.write(program.encode())
            made_anew = self._made_anew() if self._directory is not None else not existed
            self._point_config(rewrite=rewrite_config or not existed, renamed=made_anew)
            if made_anew or self._directory is None:
                self._hold_directory()
        except OSError:
            self._dsp.forget()
            self.tidy()
            raise

    def tidy(self) -> None:
        """Free the program that was replaced last; to be called when nobody waits."""
        self._dsp.let_go()

    def close(self) -> None:
        """Let go of the directory; the files stay."""
        self.tidy()
        if self._directory is not None:
            os.close(self._directory)
            self._directory = None

    def intact(self) -> bool:
        """Whether the ``.dsp`` is still the one that ``write`` left there last."""
        return self._dsp.intact()

    def _made_anew(self) -> bool:
        """Whether the directory was replaced since the last write: the plugin does not watch it."""
        assert self._directory is not None, "there was a write"  # noqa: S101
        return not os.path.samestat(os.fstat(self._directory), os.stat(self.dsp_path.parent))

    def _hold_directory(self) -> None:
        self.close()
        self._directory = os.open(self.dsp_path.parent, os.O_RDONLY | os.O_CLOEXEC)

    def _point_config(self, *, rewrite: bool, renamed: bool) -> None:
        """Keep the first line naming the ``.dsp``; the lines below are the user's.

        The plugin reloads on every write of its config, so one that is right is left alone. It
        watches a directory anew only where the path changes, so one that was made anew is given
        its other spelling: DIR/live.dsp, DIR/./live.dsp. So is one that may have been made anew
        before this bridge was there: its ``.dsp`` is missing, and the config names that already.

        Args:
            rewrite: write it even if it is right.
            renamed: write it with the other spelling.
        """
        if not rewrite and not renamed and self._config.intact():
            return
        try:
            config, _ = read_bounded(self.config_path, _MAX_CONFIG_BYTES)
            lines = config.splitlines(keepends=True)
        except FileNotFoundError:
            lines = []
        named = lines[0].strip() if lines else b""
        wanted = self._spelling(named or self._named, renamed=renamed)
        if wanted != named or rewrite:
            self._config.write(b"".join([wanted + b"\n", *lines[1:]]))
        self._named = wanted

    def _spelling(self, named: bytes, *, renamed: bool) -> bytes:
        """How the config is to name the ``.dsp``, given how it does so far."""
        plain = os.fsencode(self.dsp_path)
        other = os.fsencode(f"{self.dsp_path.parent}/./{self.dsp_path.name}")
        if named == other:
            return plain if renamed else other
        return other if renamed and named == plain else plain


def _check_writable(file: ReplacedFile, path: Path, option: str) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        os.close(os.open(file.temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
        os.unlink(file.temporary)
    except OSError as problem:
        raise PathError(
            f"{path} can't be written: {problem.strerror}; choose another {option}"
        ) from problem
