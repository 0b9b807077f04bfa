"""Files that only this user may read or change, in a folder that is private, too."""

from __future__ import annotations

import os
from pathlib import Path

from faustwire.bounded_file import UnusableFileError, read_bounded
from faustwire.key_lines import KeyFileError

# Far more than anybody enrols; a file is read whole.
_MAX_BYTES = 2**20


def read_private(path: Path) -> str:
    """Read a file's text.

    Args:
        path: the file; its folder is looked at, too.

    Returns:
        The text; empty if there is no such file.

    Raises:
        KeyFileError: others could read or change it, or put another in its place.
    """
    try:
        _check(path.parent, path.parent.stat(), "700")
        content, status = read_bounded(path, _MAX_BYTES)
    except FileNotFoundError:
        return ""
    except UnusableFileError as problem:
        raise KeyFileError(f"{path}: {problem.strerror}; move it away") from problem
    _check(path, status, "600")
    try:
        return content.decode()
    except UnicodeDecodeError as problem:
        raise KeyFileError(f"{path} is not text: restore it, or remove it") from problem


def _check(path: Path, status: os.stat_result, mode: str) -> None:
    if status.st_uid != os.getuid():
        raise KeyFileError(f"{path} belongs to somebody else, so it proves nothing: move it away")
    if status.st_mode & 0o077:
        raise KeyFileError(f"other users can access {path}: chmod {mode} {path}")
