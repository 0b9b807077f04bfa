"""The folder of this machine's keys: its files read and changed line by line."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from faustwire.file_lock import HeldError, file_lock
from faustwire.file_path import PathError, expanded
from faustwire.key_lines import KeyFileError, first_field
from faustwire.private_file import read_private

_PATIENCE_SECONDS = 2.0


class KeyFolder:
    """Files of lines in one folder, for this user alone; made when one is first written."""

    def __init__(self, folder: str | Path | None = None) -> None:
        """Name the folder; nothing is read yet.

        Args:
            folder: None: the environment's FAUSTWIRE_KEYS, else ``~/.config/faustwire/keys``. A
                user without a home directory, as in some containers, has no keys there.

        Raises:
            PathError: the named folder is in a home directory that is not known.
        """
        named = folder or os.environ.get("FAUSTWIRE_KEYS")
        self._folder: Path | None = None
        if named:
            self._folder = expanded(named, "keys").absolute()
        else:
            with suppress(PathError):
                self._folder = expanded("~/.config/faustwire/keys", "keys").absolute()

    @property
    def folder(self) -> Path:
        """Where the keys are.

        Raises:
            KeyFileError: this user has no home directory, and no folder is named.
        """
        if self._folder is None:
            raise KeyFileError(
                "this user has no home directory, so there is no place for keys: name a folder "
                "with --keys or FAUSTWIRE_KEYS"
            )
        return self._folder

    @property
    def is_there(self) -> bool:
        """Whether there is a folder of keys."""
        return self._folder is not None and self._folder.is_dir()

    def __str__(self) -> str:
        return "no home directory" if self._folder is None else str(self._folder)

    def _read(self, name: str) -> str:
        """A file's text; empty if there is none.

        Raises:
            KeyFileError: others could read or change it, or put another in its place.
        """
        if self._folder is None:
            return ""
        return read_private(self.folder / name)

    def _lines(self, name: str) -> Iterator[tuple[str, str]]:
        """The lines that say something, each with where it stands."""
        for number, line in enumerate(self._read(name).splitlines(), start=1):
            if first_field(line):
                yield line, f"line {number} of {self.folder / name}"

    @contextmanager
    def _edited(self, name: str) -> Iterator[list[str]]:
        """The lines of a file to change, comments too; written back in one step."""
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        try:
            with file_lock(self.folder / f".{name}.lock", patience_seconds=_PATIENCE_SECONDS):
                lines = self._read(name).splitlines()
                yield lines
                self._replace(name, lines)
        except HeldError as problem:
            raise KeyFileError(f"another `faustwire keys` is at work: {problem}") from problem

    def _replace(self, name: str, lines: list[str]) -> None:
        new = self.folder / f".{name}.new"
        new.unlink(missing_ok=True)  # A process that was killed may have left one.
        with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            try:
                file.writelines(f"{line}\n" for line in lines)
                file.flush()
                os.fsync(file.fileno())
                new.replace(self.folder / name)
            except BaseException:
                new.unlink()
                raise
