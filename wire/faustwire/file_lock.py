"""Locks between processes: a locked file that the system releases when its holder dies."""

from __future__ import annotations

import errno
import fcntl
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from faustwire.errors import FaustwireError

_PAUSE_SECONDS = 0.02
# What a holder writes about itself: a process and its endpoints.
_MAX_NOTE_BYTES = 4096


class HeldError(FaustwireError, RuntimeError):
    """Another process, or another part of this one, holds the lock.

    Attributes:
        note: what the holder has written into the file; empty: nothing yet.
    """

    def __init__(self, path: Path, note: bytes) -> None:
        super().__init__(f"{path} is locked by another process: wait until it has ended")
        self.note = note


@contextmanager
def file_lock(
    path: Path, *, patience_seconds: float = 0.0, prepare: Callable[[], None] | None = None
) -> Iterator[int]:
    """Hold a lock for as long as the block runs.

    A file that a killed process has left behind is not locked, and is taken over. The file is
    removed at the end.

    Args:
        path: of the lock file; made for this user alone if it is not there.
        patience_seconds: how long to wait for another holder.
        prepare: called before each try, for a folder that others may remove meanwhile.

    Yields:
        The file's descriptor, for a note about the holder.

    Raises:
        HeldError: somebody else holds the lock for longer than that.
        OSError: the file can't be made, or a link stands in its place.
    """
    descriptor = _acquire(path, time.monotonic() + patience_seconds, prepare)
    try:
        yield descriptor
    finally:
        # Removed while it is still locked, so that nobody else's new file is.
        if _is_current(descriptor, path):
            path.unlink()
        os.close(descriptor)


def write_note(descriptor: int, note: bytes) -> None:
    """Replace what a lock file says about its holder.

    Args:
        descriptor: of the locked file.
        note: at most 4096 bytes.

    Raises:
        OSError: there is no room.
    """
    os.ftruncate(descriptor, 0)
    if os.pwrite(descriptor, note, 0) != len(note):
        raise OSError(errno.ENOSPC, "no room for a few bytes about this process")


def hold(descriptor: int) -> None:
    """Show others that a file is being written, until it is closed or this process dies.

    Nothing is shown on a file system without locks.
    """
    with suppress(OSError):
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)


def is_held(file: BinaryIO) -> bool:
    """Whether another process holds a file; False on a file system without locks."""
    try:
        fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    fcntl.flock(file, fcntl.LOCK_UN)
    return False


def _acquire(path: Path, until: float, prepare: Callable[[], None] | None) -> int:
    while True:
        if prepare is not None:
            prepare()
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if _is_current(descriptor, path):
                return descriptor
            # Its holder removed it between our open and our lock.
            os.close(descriptor)
            continue
        except BlockingIOError:
            note = os.pread(descriptor, _MAX_NOTE_BYTES, 0)
            os.close(descriptor)
        if time.monotonic() >= until:
            raise HeldError(path, note)
        time.sleep(_PAUSE_SECONDS)


def _is_current(descriptor: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), path.stat())
    except FileNotFoundError:
        return False
