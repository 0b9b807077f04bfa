"""The few fields of a message that tell what it is, without unpacking the rest of it."""

from __future__ import annotations

from typing import Any, NamedTuple

import msgpack

from faustwire.codec import MAX_BYTES

_WANTED = ("type", "seq", "call")
# A message of this protocol has some ten fields.
_MAX_FIELDS = 64


class Peek(NamedTuple):
    """What a message seems to be; only ``codec.decode`` knows whether it is one.

    Attributes:
        type: in lower case, as on the wire.
        seq, call: None where it has none.
    """

    type: str
    seq: int | None = None
    call: int | None = None


def peek(data: bytes) -> Peek | None:
    """Look at a message; None: it is none."""
    if len(data) > MAX_BYTES:
        return None
    # What is wanted is no list and no map; what is skipped is not made.
    unpacker = msgpack.Unpacker(max_buffer_size=MAX_BYTES, max_array_len=0, max_map_len=0)
    unpacker.feed(data)
    found: dict[str, Any] = {}
    try:
        for _ in range(min(unpacker.read_map_header(), _MAX_FIELDS)):
            key = unpacker.unpack()
            if key in _WANTED:
                found[key] = unpacker.unpack()
            else:
                unpacker.skip()
            if found.keys() >= _FIELDS.get(found.get("type"), _ALL):
                break
    # msgpack raises its own errors, ValueErrors, UnicodeDecodeErrors, and TypeErrors for keys.
    except (ValueError, TypeError, msgpack.UnpackException):
        return None
    kind = found.get("type")
    if not isinstance(kind, str):
        return None
    return Peek(kind, _number(found.get("seq")), _number(found.get("call")))


def _number(value: object) -> int | None:
    return value if type(value) is int else None


_ALL = frozenset(_WANTED)
# What there is to find in each type, so that a graph or a text behind it is not even skipped.
_FIELDS: dict[Any, frozenset[str]] = {
    "snapshot": _ALL,
    "source": frozenset({"type", "seq"}),
    "verdict": frozenset({"type", "seq"}),
    "hello": frozenset({"type"}),
    "ping": frozenset({"type"}),
    "bye": frozenset({"type"}),
    "follow": frozenset({"type"}),
}
