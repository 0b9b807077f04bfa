"""A snapshot as the bridge handles it: the few fields it decides by, and the bytes as they came.

Decoding a graph takes a lot of memory and a hundred times as long as reading these fields. It is
done once, in the process that judges the snapshot, under a memory limit.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any, TypeAlias

from faustwire import codec
from faustwire.errors import MessageError
from faustwire.field_checks import checked_fields, seq_of
from faustwire.field_spans import field_spans, plain_map, plain_value
from faustwire.limits import MAX_BYTES, MAX_NAME
from faustwire.messages import Bye, Follow, Hello, Listen, Message, OwnProgram, Ping, Watch


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

# What peers send, by the name of its type, and the names of the fields that are read of each.
_KINDS: dict[str, type[Any]] = {
    "snapshot": PackedSnapshot,
    "hello": Hello,
    "source": OwnProgram,
    "ping": Ping,
    "bye": Bye,
    "follow": Follow,
    "watch": Watch,
    "listen": Listen,
}
_FIELDS = {
    kind: [each.metadata.get("wire", each.name) for each in fields(kind) if each.name != "data"]
    for kind in _KINDS.values()
}
_ENVELOPE = ("faustwire", "type")
_WANTED = frozenset(_ENVELOPE).union(*_FIELDS.values())
_MAPS = ("metrics", "follow")


def read(data: bytes) -> Incoming:
    """Read a message that came to the bridge; a snapshot's graph, and what is unknown, is skipped.

    Args:
        data: one frame.

    Returns:
        A PackedSnapshot for a snapshot; any other message that a bridge is sent as ``codec.decode``
        gives it.

    Raises:
        MessageError: it is not a message to a bridge of this version, or exceeds a limit; ``seq``
            is the number of the Snapshot or OwnProgram, if it could be read.
    """
    spans = field_spans(data, _WANTED)
    envelope = {name: plain_value(spans[name]) for name in _ENVELOPE if name in spans}
    codec.check_version(envelope)
    name = envelope.get("type")
    kind = _KINDS.get(name) if isinstance(name, str) else None
    if kind is None:
        raise MessageError(f"a {codec.message_type(name).__name__} is sent by the bridge only")
    known = checked_fields(kind, _values(kind, str(name), spans), str(name))
    if kind is not PackedSnapshot:
        message: Message = kind(**known)
        return message
    # Longer names can't be followed, and are not worth being remembered.
    metrics = known.pop("metrics", {})
    short = {name: value for name, value in metrics.items() if len(name) <= MAX_NAME}
    return PackedSnapshot(**known, metrics=short, data=data)


def _values(kind: type[Any], name: str, spans: Mapping[str, memoryview]) -> dict[str, Any]:
    """The fields of a message of a kind, unpacked; ``seq`` is the first of them."""
    values: dict[str, Any] = {}
    for key in _FIELDS[kind]:
        if key not in spans:
            continue
        try:
            values[key] = _value(key, spans[key])
        except MessageError as problem:
            raise MessageError(f"{name}.{key}: {problem}", seq=seq_of(values)) from problem
    return values


def _value(key: str, packed: memoryview) -> Any:
    if key in _MAPS:
        return plain_map(packed)
    return plain_value(packed, most=MAX_BYTES) if key == "code" else plain_value(packed)
