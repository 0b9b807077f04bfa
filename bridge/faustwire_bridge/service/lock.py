"""One bridge for each ``.dsp``: a lock file that names its holder."""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from faustwire.errors import FaustwireError
from faustwire.rendezvous import Rendezvous


class LockedError(FaustwireError, RuntimeError):
    """Another bridge keeps this ``.dsp``."""


@contextmanager
def locked(place: Rendezvous) -> Iterator[int]:
    """Hold the ``.dsp`` for as long as the block runs; the system lets go when the process dies.

    Yields:
        The lock file's descriptor, for ``sign``.

    Raises:
        LockedError: another bridge holds it, and which.
    """
    descriptor = _acquire(place)
    try:
        yield descriptor
    finally:
        # Removed while still locked, so that nobody else can be the one who loses it.
        if _is_current(descriptor, place.lock_path):
            place.lock_path.unlink()
        os.close(descriptor)


def sign(descriptor: int, endpoints: Sequence[str]) -> None:
    """Write down who holds the lock, for the error of whoever comes next."""
    signature = json.dumps({"pid": os.getpid(), "endpoints": list(endpoints)})
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, signature.encode(), 0)


def _acquire(place: Rendezvous) -> int:
    while True:
        place.prepare()
        descriptor = os.open(place.lock_path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = _holder(descriptor)
            os.close(descriptor)
            raise LockedError(
                f"{place.dsp_path} is kept by another bridge ({holder}): use that one, stop it, "
                "or choose another --dsp-path"
            ) from None
        if _is_current(descriptor, place.lock_path):
            return descriptor
        # Its holder removed it between our open and our lock.
        os.close(descriptor)


def _is_current(descriptor: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), path.stat())
    except FileNotFoundError:
        return False


def _holder(descriptor: int) -> str:
    try:
        signature = json.loads(os.pread(descriptor, 4096, 0))
        return f"pid {signature['pid']}, endpoints {', '.join(signature['endpoints'])}"
    except (ValueError, KeyError, TypeError):
        return "it is just starting"
