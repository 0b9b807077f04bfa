"""Memory and file descriptors of this process: measured, raised, given back."""

from __future__ import annotations

import ctypes
import errno
import os
import resource
from contextlib import suppress

# Blocks from here on are the system's again as soon as they are free. By default glibc raises this
# each time it frees one, to 32 MiB, and keeps what a flood has left.
_LARGE_BLOCK_BYTES = 2**18
_M_MMAP_THRESHOLD = -3
# Connections are file descriptors; a thousand idle ones must not keep us from writing a .dsp.
_DESCRIPTORS = 4096
_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


def resident_bytes() -> int:
    """Bytes of memory that this process occupies now; 0 where the system does not tell."""
    try:
        # A busy bridge looks a hundred times a second: no more than three system calls.
        descriptor = os.open("/proc/self/statm", os.O_RDONLY | os.O_CLOEXEC)
        try:
            return int(os.read(descriptor, 256).split()[1]) * _PAGE_BYTES
        finally:
            os.close(descriptor)
    except OSError:
        return 0


def descriptors_left() -> int:
    """Number of files and sockets that this process may still open, as far as the system tells."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        return soft - len(os.listdir("/proc/self/fd"))  # noqa: PTH208 - four times a second
    except OSError as problem:
        # To look takes one, too.
        return 0 if problem.errno in (errno.EMFILE, errno.ENFILE) else soft


def give_back_large_blocks() -> None:
    """Return large freed blocks to the system at once; without glibc this does nothing."""
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).mallopt(_M_MMAP_THRESHOLD, _LARGE_BLOCK_BYTES)


def give_back_small_blocks() -> None:
    """Return all free memory to the system, block by block; without glibc this does nothing."""
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).malloc_trim(0)


def allow_many_descriptors() -> None:
    """Raise this process's limit of descriptors, as far as the system allows."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _DESCRIPTORS if hard == resource.RLIM_INFINITY else min(hard, _DESCRIPTORS)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        with suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
