"""A snapshot as the bridge handles it: the few fields it decides by, and the bytes as they came.

Decoding a graph takes a lot of memory and a hundred times as long as reading these fields. It is
done once, in the process that judges the snapshot, under a memory limit.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import msgpack

from faustwire import codec
from faustwire.errors import MessageError
from faustwire.field_checks import checked_fields, seq_of
from faustwire.limits import MAX_NAME
from faustwire.messages import Message, Snapshot

# Fields of a message that are looked at; a version may grow, and today's largest has nine.
_MAX_FIELDS = 256
# Of one field that is read here: 64 metrics with long names. What a stranger packs into one byte
# may take a hundred in memory.
_MAX_VALUE_BYTES = 2**17
_MAX_KEY_BYTES = 256
# A byte below this is a whole number by itself, in msgpack.
_FIXED_NUMBERS = 0x80


@dataclass(frozen=True)
class PackedSnapshot:
    """A Snapshot of which only what decides about its turn has been read and checked.

    Attributes:
        seq, call, force: as in ``faustwire.messages.Snapshot``.
        metrics: likewise, without those whose names are longer than 256 characters.
        data: the whole message as it came; ``codec.decode`` makes a Snapshot of it, or refuses it.
    """

    seq: int
    call: int
    force: bool = False
    metrics: Mapping[str, float] = field(default_factory=dict)
    data: bytes = field(default=b"", repr=False)


Incoming: TypeAlias = Message | PackedSnapshot

_WANTED = frozenset({"faustwire", "type", "seq", "call", "force", "metrics"})


def read(data: bytes) -> Incoming:
    """Read a message that came to the bridge; a snapshot's graph is not decoded.

    Args:
        data: one frame.

    Returns:
        A PackedSnapshot for a snapshot; any other message as ``codec.decode`` gives it.

    Raises:
        MessageError: it is not a message of this version, or exceeds a limit; ``seq`` is the number
            of the Snapshot or OwnProgram, if it could be read.
    """
    fields = _header(data)
    if fields.get("type") != "snapshot":
        message = codec.decode(data)
        if not isinstance(message, Snapshot):
            return message
        # Its type is given twice, and the last one counts, as for every reader of msgpack.
        fields = {name: getattr(message, name) for name in ("seq", "call", "force", "metrics")}
    else:
        codec.check_version(fields)
    known = checked_fields(PackedSnapshot, fields, "snapshot")
    # Longer names can't be followed, and are not worth being remembered.
    metrics = known.pop("metrics", {})
    short = {name: value for name, value in metrics.items() if len(name) <= MAX_NAME}
    return PackedSnapshot(**known, metrics=short, data=data)


def _header(data: bytes) -> dict[str, Any]:
    """The wanted fields of a message, unpacked; of a message that is no snapshot, some of them."""
    if len(data) > codec.MAX_BYTES:
        raise MessageError(f"the message has {len(data)} bytes; at most {codec.MAX_BYTES}")
    # Keys are text: no list and no map is made of one.
    unpacker = msgpack.Unpacker(
        max_buffer_size=codec.MAX_BYTES,
        max_str_len=_MAX_KEY_BYTES,
        max_array_len=0,
        max_map_len=0,
        max_bin_len=_MAX_KEY_BYTES,
    )
    unpacker.feed(data)
    found: dict[str, Any] = {}
    try:
        for _ in range(_field_count(unpacker)):
            key = unpacker.unpack()
            start = unpacker.tell()
            unpacker.skip()
            if key in _WANTED:
                found[key] = _value(data[start : unpacker.tell()], key, found)
            if found.get("type", "snapshot") != "snapshot":
                return found
    except MessageError:
        raise
    # msgpack raises its own errors, ValueErrors, UnicodeDecodeErrors, and TypeErrors for keys.
    except (ValueError, TypeError, msgpack.UnpackException) as problem:
        raise MessageError(
            f"not msgpack: {type(problem).__name__} {str(problem)[:80]}"
        ) from problem
    if unpacker.tell() != len(data):
        raise MessageError("not msgpack: there are bytes behind the message")
    return found


def _field_count(unpacker: msgpack.Unpacker) -> int:
    try:
        count = int(unpacker.read_map_header())
    except (ValueError, msgpack.UnpackException) as problem:
        raise MessageError("a message is a map") from problem
    if count > _MAX_FIELDS:
        raise MessageError(f"the message has {count} fields; at most {_MAX_FIELDS}")
    return count


def _value(packed: bytes, key: str, found: dict[str, Any]) -> Any:
    if len(packed) == 1 and packed[0] < _FIXED_NUMBERS:
        return packed[0]
    if len(packed) > _MAX_VALUE_BYTES:
        problem = f"{key} has {len(packed)} bytes; at most {_MAX_VALUE_BYTES}"
        raise MessageError(problem, seq=seq_of(found))
    return _map(packed) if key == "metrics" else msgpack.unpackb(packed)


def _map(packed: bytes) -> Any:
    """A map of plain values, key by key: whole maps get interned keys, which some Pythons keep."""
    unpacker = msgpack.Unpacker(max_buffer_size=_MAX_VALUE_BYTES, max_array_len=0, max_map_len=0)
    unpacker.feed(packed)
    try:
        count = unpacker.read_map_header()
    except ValueError:
        return msgpack.unpackb(packed)
    return {unpacker.unpack(): unpacker.unpack() for _ in range(count)}
