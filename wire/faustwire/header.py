"""A few fields of a message, read or replaced without unpacking the rest.

For recordings, where there are many messages and the graph of most is of no interest. What is read
here has not been checked; ``codec.decode`` does that.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import msgpack

from faustwire.codec import MAX_BYTES
from faustwire.errors import MessageError

# Of one value: 64 metrics with long names stay far below; what is longer is no field to glance at.
_MAX_VALUE_BYTES = 2**16
# Of a message: there are ten fields at most, and a version may grow.
_MAX_FIELDS = 256
_MAX_NAME = 64


def glance(data: bytes, *names: str) -> dict[str, Any]:
    """Read some fields of a message.

    Args:
        data: the message.
        names: of the fields; "type" is one as well.

    Returns:
        Those that are there and of modest size, by name.

    Raises:
        MessageError: not a msgpack map of fields.
    """
    return {
        name: _value(data[start:end])
        for name, start, end in _fields(data)
        if name in names and end - start <= _MAX_VALUE_BYTES
    }


def retouched(data: bytes, changes: Mapping[str, Any]) -> bytes:
    """The same message with other values for some fields; all other bytes stay as they are.

    Args:
        data: the message.
        changes: the values, by field; those that the message has already change nothing.

    Raises:
        MessageError: not a msgpack map of fields.
    """
    spans = {name: (start, end) for name, start, end in _fields(data)}
    missing = {name: value for name, value in changes.items() if name not in spans}
    at, pieces = 0, []
    if missing:
        at = _header(data)
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


def _header(data: bytes) -> int:
    unpacker = msgpack.Unpacker(None, max_buffer_size=MAX_BYTES)
    unpacker.feed(data)
    unpacker.read_map_header()
    return int(unpacker.tell())


def _value(packed: bytes) -> Any:
    try:
        return msgpack.unpackb(packed)
    except (ValueError, TypeError, msgpack.UnpackException) as problem:
        raise MessageError(f"not msgpack: {type(problem).__name__}") from problem
