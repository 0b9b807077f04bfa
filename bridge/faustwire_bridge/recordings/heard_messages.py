"""What a listener was sent, as a recording keeps it: without the snapshot that it already has."""

from __future__ import annotations

from dataclasses import replace

import msgpack

from faustwire import codec
from faustwire.messages import Heard


def without_snapshot(heard: Heard) -> bytes:
    """A message ``heard`` without its snapshot, and with the number of the bytes left out.

    Args:
        heard: what was sent.

    Returns:
        A message that ``codec.decode`` reads, with a field ``left_out``.
    """
    body = msgpack.unpackb(codec.encode(replace(heard, snapshot=b"")))
    data: bytes = msgpack.packb({**body, "left_out": len(heard.snapshot)})
    return data
