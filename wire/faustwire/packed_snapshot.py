"""A snapshot as the bridge handles it: the few fields it decides by, and the bytes as they came.

Decoding a graph takes a lot of memory and a hundred times as long as reading these fields. It is
done once, in the process that judges the snapshot, under a memory limit.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any, TypeAlias, get_args

from faustwire import codec
from faustwire.errors import MessageError
from faustwire.field_checks import checked_fields, seq_of
from faustwire.field_spans import field_spans, plain_map, plain_value
from faustwire.limits import MAX_BYTES, MAX_NAME
from faustwire.messages import Message, Snapshot, ToBridge


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

# What peers send, and the names of the fields that are read of each.
_TO_BRIDGE = frozenset(get_args(ToBridge))
_FIELDS = {
    kind: [each.metadata.get("wire", each.name) for each in fields(kind) if each.name != "data"]
    for kind in (PackedSnapshot, *_TO_BRIDGE - {Snapshot})
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
    sent = codec.message_type(name)
    if sent not in _TO_BRIDGE:
        raise MessageError(f"a {sent.__name__} is sent by the bridge only")
    kind: type[Any] = PackedSnapshot if sent is Snapshot else sent
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
