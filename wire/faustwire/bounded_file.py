"""Files that are read whole, without ever waiting for one and only up to a size."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path


class UnusableFileError(OSError):
    """What stands at a path is not a regular file, or is too long; ``strerror`` says which."""


def read_bounded(path: Path, most_bytes: int) -> tuple[bytes, os.stat_result]:
    """Read a file, unless a pipe or a device has been put in its place.

    Args:
        path: of the file.
        most_bytes: how long it may be.

    Returns:
        Its content, and the status of the file that was read.

    Raises:
        UnusableFileError: it is not a regular file, or is longer.
        OSError: it can't be read.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise UnusableFileError(errno.EINVAL, "it is not a regular file", str(path))
        with os.fdopen(descriptor, "rb", closefd=False) as file:
            content = file.read(most_bytes + 1)
    finally:
        os.close(descriptor)
    if len(content) > most_bytes:
        raise UnusableFileError(errno.EFBIG, f"it is longer than {most_bytes} bytes", str(path))
    return content, status
