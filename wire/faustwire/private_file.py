"""Files that only this user may read or change, in a folder of which the same is true."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from pathlib import Path

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
        _check(path.parent, path.parent.stat(), stat.S_ISDIR, "700")
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    except FileNotFoundError:
        return ""
    with os.fdopen(descriptor, "rb") as file:
        _check(path, os.fstat(descriptor), stat.S_ISREG, "600")
        content = file.read(_MAX_BYTES + 1)
    if len(content) > _MAX_BYTES:
        raise KeyFileError(f"{path} is longer than {_MAX_BYTES} bytes: is it another file?")
    try:
        return content.decode()
    except UnicodeDecodeError as problem:
        raise KeyFileError(f"{path} is no text: restore it, or remove it") from problem


def _check(path: Path, status: os.stat_result, kind: Callable[[int], bool], mode: str) -> None:
    if not kind(status.st_mode):
        raise KeyFileError(f"{path} is not what it should be: move it away")
    if status.st_uid != os.getuid():
        raise KeyFileError(f"{path} belongs to somebody else, so it proves nothing: move it away")
    if status.st_mode & 0o077:
        raise KeyFileError(f"others can get at {path}: chmod {mode} {path}")
