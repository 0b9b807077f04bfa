"""Memory that is free is the system's again."""

from __future__ import annotations

import ctypes

import pytest

from faustwire_bridge.service.resource_limits import give_back_small_blocks, resident_bytes

_MIB = 2**20
# As libzmq's queues of messages are made of.
_BLOCK_BYTES = 2**14
_BLOCKS = 64 * _MIB // _BLOCK_BYTES


@pytest.mark.skipif(
    not resident_bytes() or not hasattr(ctypes.CDLL(None), "malloc_trim"),
    reason="there is no glibc, or no /proc/self/statm",
)
def test_what_a_queue_of_small_messages_leaves_behind_is_given_back() -> None:
    libc = ctypes.CDLL(None)
    libc.malloc.restype = ctypes.c_void_p
    libc.free.argtypes = [ctypes.c_void_p]
    give_back_small_blocks()
    before = resident_bytes()
    blocks = [libc.malloc(_BLOCK_BYTES) for _ in range(_BLOCKS)]
    for block in blocks:
        ctypes.memset(block, 1, _BLOCK_BYTES)
    # One that is in use behind them keeps all of them, unless they are asked for.
    *blocks, last = blocks
    for block in blocks:
        libc.free(block)
    assert resident_bytes() > before + 48 * _MIB, "the control"
    give_back_small_blocks()
    assert resident_bytes() < before + 16 * _MIB
    libc.free(last)
