"""A few fields of a message, read or replaced without unpacking the rest of it.

For recordings, where there are many messages and the graphs of most are not needed. Nothing that is
read here has been checked; ``codec.decode`` does that.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import msgpack

from faustwire.codec import MAX_BYTES
from faustwire.errors import MessageError

# Of one value: 64 metrics with long names stay far below it.
_MAX_VALUE_BYTES = 2**16
# Of a message: there are ten fields at most, and a version may grow.
_MAX_FIELDS = 256
_MAX_NAME = 64
_HEADER = frozenset({"type", "seq", "call"})
# The header's fields in each type of message, so that a graph or a program that follows them is
# not even skipped.
_HEADERS: dict[Any, frozenset[str]] = {
    "snapshot": _HEADER,
    "source": frozenset({"type", "seq"}),
    "verdict": frozenset({"type", "seq"}),
    "hello": frozenset({"type"}),
    "ping": frozenset({"type"}),
    "bye": frozenset({"type"}),
    "follow": frozenset({"type"}),
}


class Header(NamedTuple):
    """What a message seems to be.

    Attributes:
        type: in lower case, as on the wire.
        seq: its number; None where it has none.
        call: the number of the call of ``update`` it came from; None where it has none.
    """

    type: str
    seq: int | None = None
    call: int | None = None


def read_header(data: bytes) -> Header | None:
    """Read the type and the numbers of a message, in as little time as possible.

    Args:
        data: the message.

    Returns:
        Its header; None: it is not a message.
    """
    if len(data) > MAX_BYTES:
        return None
    # What is wanted is neither a list nor a map; what is skipped is not made.
    unpacker = msgpack.Unpacker(max_buffer_size=MAX_BYTES, max_array_len=0, max_map_len=0)
    unpacker.feed(data)
    found: dict[str, Any] = {}
    try:
        for _ in range(min(unpacker.read_map_header(), _MAX_FIELDS)):
            key = unpacker.unpack()
            if key in _HEADER:
                found[key] = unpacker.unpack()
            else:
                unpacker.skip()
            if found.keys() >= _HEADERS.get(found.get("type"), _HEADER):
                break
    # msgpack raises its own errors, ValueErrors, UnicodeDecodeErrors, and TypeErrors for keys.
    except (ValueError, TypeError, msgpack.UnpackException):
        return None
    kind = found.get("type")
    if not isinstance(kind, str):
        return None
    return Header(kind, _number(found.get("seq")), _number(found.get("call")))


def _number(value: object) -> int | None:
    return value if type(value) is int else None


def read_fields(data: bytes, *names: str) -> dict[str, Any]:
    """Read some fields of a message.

    Args:
        data: the message.
        names: of the fields; "type" is one as well.

    Returns:
        The fields that are there and whose values have at most 64 KiB, by name.

    Raises:
        MessageError: the data are not a msgpack map.
    """
    return {
        name: _value(data[start:end])
        for name, start, end in _fields(data)
        if name in names and end - start <= _MAX_VALUE_BYTES
    }


def with_fields(data: bytes, changes: Mapping[str, Any]) -> bytes:
    """Give some fields of a message other values; all other bytes stay as they are.

    Args:
        data: the message.
        changes: the values by field name; a value that the message has already changes nothing.

    Returns:
        The changed message.

    Raises:
        MessageError: the data are not a msgpack map.
    """
    spans = {name: (start, end) for name, start, end in _fields(data)}
    missing = {name: value for name, value in changes.items() if name not in spans}
    at, pieces = 0, []
    if missing:
        at = _map_header_bytes(data)
        pieces.append(msgpack.Packer().pack_map_header(len(spans) + len(missing)))
    for name, (start, end) in spans.items():
        if name in changes and _value(data[start:end]) != changes[name]:
            pieces += [data[at:start], msgpack.packb(changes[name])]
            at = end
    pieces.append(data[at:])
    pieces += [msgpack.packb(part) for pair in missing.items() for part in pair]
    return b"".join(pieces)


def _fields(data: bytes) -> Iterator[tuple[str, int, int]]:
    """Each field's name, and where its value begins and ends."""
    if len(data) > MAX_BYTES:
        raise MessageError(f"the message has {len(data)} bytes; at most {MAX_BYTES}")
    unpacker = msgpack.Unpacker(None, max_buffer_size=MAX_BYTES)
    unpacker.feed(data)
    try:
        for _ in range(min(unpacker.read_map_header(), _MAX_FIELDS)):
            before = unpacker.tell()
            unpacker.skip()
            start = unpacker.tell()
            unpacker.skip()
            yield str(_value(data[before : min(start, before + _MAX_NAME)])), start, unpacker.tell()
    # msgpack raises its own errors, ValueErrors, and UnicodeDecodeErrors.
    except (ValueError, TypeError, msgpack.UnpackException) as problem:
        raise MessageError(f"not msgpack: {type(problem).__name__}") from problem


def _map_header_bytes(data: bytes) -> int:
    unpacker = msgpack.Unpacker(None, max_buffer_size=MAX_BYTES)
    unpacker.feed(data)
    unpacker.read_map_header()
    return int(unpacker.tell())


def _value(packed: bytes) -> Any:
    try:
        return msgpack.unpackb(packed)
    except (ValueError, TypeError, msgpack.UnpackException) as problem:
        raise MessageError(f"not msgpack: {type(problem).__name__}") from problem
