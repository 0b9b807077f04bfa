"""Paths of files that people name: absolute, real, and not led astray by another user."""

from __future__ import annotations

import os
import pwd
import stat
from pathlib import Path

from faustwire.errors import FaustwireError
from faustwire.utf8 import is_utf8

# As many as the system follows.
_MAX_LINKS = 40


class PathError(FaustwireError, ValueError):
    """A path that can't be used for one of the plugin's files."""


def file_path(path: str | Path, argument: str) -> Path:
    """The real, absolute path of a file that may not exist yet.

    The plugin resolves relative paths against the DAW's directory, and does not notice when the
    target of a link is replaced: it has to be told the real path.

    In a directory in which everybody may create files, such as ``/tmp``, another user can put a
    link in the place of a file that we are about to write. Links and files of others are therefore
    refused there, as the Linux kernel does with ``protected_symlinks`` and ``protected_regular``.

    Args:
        path: as a person wrote it; relative to the current directory.
        argument: what to call it in an error.

    Raises:
        PathError: it names a directory, a device or nothing, can't be written on one line, or
            belongs to somebody else.
    """
    text = os.fspath(path)
    if not isinstance(text, str) or not text.strip() or not _is_one_line(text):
        raise PathError(f"{argument}={text!r} names no file: give a path such as /tmp/live.dsp")
    named = expanded(text, argument)
    _check_links(named, argument)
    real = Path(os.path.realpath(named))
    if text.endswith(os.sep) or not real.name or real.is_dir():
        raise PathError(f"{argument}={text!r} is a directory: name a file in it")
    _check_target(real, f"{argument}={text!r}")
    _check_owner(real, "file", argument)
    return real


def target_path(path: str | Path, what: str, argument: str) -> Path:
    """The real, absolute path of a file or folder that is to be made, or written to.

    Args:
        path: as a person wrote it; relative to the current directory.
        what: kind of thing it is, for an error.
        argument: what to call it in an error.

    Raises:
        PathError: somebody else may have put it there, see ``check_ours``.
    """
    named = expanded(path, argument)
    check_ours(named, what, argument)
    # Not Path.resolve: some versions of Python raise RuntimeError where links lead in a circle.
    return Path(os.path.realpath(named))


def check_ours(path: str | Path, what: str, argument: str) -> None:
    """Check that another user can't have put something in a path's place.

    Args:
        path: of a file, a folder or a socket that may not exist yet.
        what: kind of thing it is, for an error.
        argument: what to call it in an error.

    Raises:
        PathError: in a directory in which everybody may create files, another user owns it or a
            link on the way to it.
    """
    named = Path(path)
    _check_links(named, argument)
    _check_owner(Path(os.path.realpath(named)), what, argument)


def expanded(path: str | Path, argument: str) -> Path:
    """A path with ``~`` replaced by a home directory.

    Args:
        path: as a person wrote it.
        argument: what to call it in an error.

    Raises:
        PathError: that home directory is not known.
    """
    try:
        return Path(path).expanduser()
    except RuntimeError as problem:
        raise PathError(
            f"{argument}={str(path)!r}: the home directory of this user is not known: set HOME, or "
            "write the path without ~"
        ) from problem


def owner_name(uid: int) -> str:
    """The name of a user, or its number where it has none."""
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"user {uid}"


def _check_target(real: Path, named: str) -> None:
    """Refuse what a path leads to, perhaps from the current directory or by a link."""
    if not _is_one_line(str(real)):
        raise PathError(f"{named} leads to {str(real)!r}, which can't be on one line")
    if real.exists() and not real.is_file():
        raise PathError(
            f"{named} is a device, a socket or a pipe, and would be replaced by a file: name "
            "another file"
        )
    if real.name != real.name.strip():
        # The plugin trims the line that names the file.
        raise PathError(f"{named} begins or ends with a space, which the plugin trims")


def _is_one_line(text: str) -> bool:
    # Neither a config line nor a message has bytes that are no text.
    return is_utf8(text) and not any(character in "\0\n\r" for character in text)


def _check_links(path: Path, argument: str) -> None:
    """Follow a path link by link, and refuse a link that another user may have put there."""
    parts = [*reversed(path.absolute().parts)]  # With each "..", which a link may come before.
    place, links = Path(parts.pop()), 0
    while parts:
        part = parts.pop()
        step = place.parent if part == os.pardir else place / part
        if part != os.pardir and step.is_symlink() and links < _MAX_LINKS:
            links += 1
            _check_owner(step, "link", argument)
            target = step.readlink()
            if target.is_absolute():
                place = Path(target.anchor)
            parts += reversed(target.parts[1:] if target.is_absolute() else target.parts)
        else:
            place = step


def _check_owner(path: Path, kind: str, argument: str) -> None:
    """Refuse what others may have put where everybody may create files."""
    try:
        status, folder = path.lstat(), path.parent.stat()
    except OSError:
        return  # Not there; who writes it finds out why it can't.
    shared = folder.st_mode & stat.S_ISVTX and folder.st_mode & stat.S_IWOTH
    trusted = {os.geteuid(), folder.st_uid} if kind == "link" else {os.geteuid()}
    if shared and status.st_uid not in trusted:
        raise PathError(
            f"{argument}: the {kind} {path} belongs to {owner_name(status.st_uid)}, and anybody "
            f"may create one in {path.parent}: have it removed, or name another file"
        )
