"""The numbers by which libzmq tells connections apart, so that nobody can guess the next one."""

from __future__ import annotations

import ctypes
import secrets
from contextlib import suppress


def draw_routing_ids() -> None:
    """Have the next ROUTER socket of this process number its connections from anywhere.

    libzmq 4.3.5 numbers them one after the other from what the C library's ``rand`` gives, which is
    the same in every process. A peer may choose its own number, and libzmq aborts the process when
    it comes to one that is taken (``ok`` in socket_base.cpp).
    """
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).srand(ctypes.c_uint(secrets.randbits(32)))
