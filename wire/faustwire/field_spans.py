"""The fields of a message one by one, so that nothing is made of those that nobody wants.

A stranger's message may have a hundred thousand lists in a field that no version knows: to unpack
them takes a hundred times as long as to skip them, and as much more memory. And msgpack interns the
keys of the maps that it makes, which some Pythons keep for as long as they run.
"""

from __future__ import annotations

from collections.abc import Set as AbstractSet
from typing import Any, TypeAlias

import msgpack

from faustwire.errors import MessageError
from faustwire.limits import MAX_BYTES, MAX_METRICS

# Fields of a message that are looked at; a version may grow, and today's largest has nine.
_MAX_FIELDS = 256
_MAX_KEY_BYTES = 256
# Of one value: 64 metrics with long names. What is packed into one byte may take a hundred in
# memory.
_MAX_VALUE_BYTES = 2**17
# A byte below this is a whole number by itself, in msgpack.
_FIXED_NUMBERS = 0x80

Spans: TypeAlias = dict[str, memoryview]


def field_spans(data: bytes, wanted: AbstractSet[str]) -> Spans:
    """Find the fields of a message.

    Args:
        data: the message.
        wanted: names of the fields to find.

    Returns:
        The bytes of each one's value by name; of one that is given twice the last one's, as for
        every reader of msgpack.

    Raises:
        MessageError: it is no map, is cut off, or has too many fields.
    """
    if len(data) > MAX_BYTES:
        raise MessageError(f"the message has {len(data)} bytes; at most {MAX_BYTES}")
    # Keys are text: no list and no map is made of one.
    unpacker = msgpack.Unpacker(
        # Else it gets a mebibyte of memory, which takes longer than all the rest.
        read_size=len(data),
        max_buffer_size=MAX_BYTES,
        max_str_len=_MAX_KEY_BYTES,
        max_array_len=0,
        max_map_len=0,
        max_bin_len=_MAX_KEY_BYTES,
    )
    unpacker.feed(data)
    view, found = memoryview(data), {}
    try:
        for _ in range(_field_count(unpacker)):
            key = unpacker.unpack()
            start = unpacker.tell()
            unpacker.skip()
            if key in wanted:
                found[key] = view[start : unpacker.tell()]
    except MessageError:
        raise
    # msgpack raises its own errors, ValueErrors, UnicodeDecodeErrors, and TypeErrors for keys.
    except (ValueError, TypeError, msgpack.UnpackException) as problem:
        raise _no_msgpack(problem) from problem
    if unpacker.tell() != len(data):
        raise MessageError("not msgpack: there are bytes behind the message")
    return found


def plain_value(packed: memoryview, *, most: int = _MAX_VALUE_BYTES) -> Any:
    """Unpack text, bytes, a number, true, false or nothing.

    Args:
        packed: the value.
        most: bytes that it may have.

    Returns:
        The value; of an empty list or map that, since nothing is in it.

    Raises:
        MessageError: it is too long, or a list or map.
    """
    if len(packed) == 1 and packed[0] < _FIXED_NUMBERS:
        return packed[0]
    _check_length(packed, most)
    try:
        return msgpack.unpackb(packed, max_array_len=0, max_map_len=0)
    except (ValueError, TypeError, msgpack.UnpackException) as problem:
        raise _no_msgpack(problem) from problem


def plain_map(packed: memoryview) -> Any:
    """Unpack a map of plain values.

    Args:
        packed: the value.

    Returns:
        The map; what is no map as ``plain_value`` gives it.

    Raises:
        MessageError: it is too long, has too many keys, or a list or map in it.
    """
    _check_length(packed, _MAX_VALUE_BYTES)
    unpacker = msgpack.Unpacker(
        read_size=len(packed), max_buffer_size=_MAX_VALUE_BYTES, max_array_len=0, max_map_len=0
    )
    unpacker.feed(packed)
    try:
        count = unpacker.read_map_header()
    except (ValueError, msgpack.UnpackException):
        return plain_value(packed)
    if count > MAX_METRICS:
        raise MessageError(f"{count} keys; at most {MAX_METRICS}")
    try:
        return {unpacker.unpack(): unpacker.unpack() for _ in range(count)}
    except (ValueError, TypeError, msgpack.UnpackException) as problem:
        raise _no_msgpack(problem) from problem


def _field_count(unpacker: msgpack.Unpacker) -> int:
    try:
        count = int(unpacker.read_map_header())
    except (ValueError, msgpack.UnpackException) as problem:
        raise MessageError("a message is a map") from problem
    if count > _MAX_FIELDS:
        raise MessageError(f"the message has {count} fields; at most {_MAX_FIELDS}")
    return count


def _check_length(packed: memoryview, most: int) -> None:
    if len(packed) > most:
        raise MessageError(f"{len(packed)} bytes; at most {most}")


def _no_msgpack(problem: Exception) -> MessageError:
    return MessageError(f"not msgpack: {type(problem).__name__} {str(problem)[:80]}")
