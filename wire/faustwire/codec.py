"""Messages to bytes and back. What ``decode`` returns is well-formed; anything else is refused.

One message is one msgpack map: ``faustwire`` (the version of the protocol), ``type``, and the
fields of the message. Unknown fields are ignored, so that a version can grow; a field that changes
its meaning needs a new version.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import Any

import msgpack

from faustwire import controls, messages
from faustwire.errors import MessageError, shown
from faustwire.field_checks import checked_fields
from faustwire.limits import MAX_BYTES, MAX_ELEMENTS, MAX_METRICS, MAX_PROGRAM, MAX_TEXT
from faustwire.messages import Message

# The limits are a part of the protocol, and known by its name elsewhere.
__all__ = [
    "MAX_BYTES",
    "MAX_ELEMENTS",
    "MAX_METRICS",
    "MAX_PROGRAM",
    "MAX_TEXT",
    "UNKNOWN_TYPE",
    "VERSION",
    "check_version",
    "decode",
    "encode",
    "message_type",
]

VERSION = 1
# How an older side turns down what it does not know; a part of the protocol, too.
UNKNOWN_TYPE = "unknown type of message"


# Of most messages. Otherwise msgpack gets a quarter of a mebibyte of memory for each, which takes a
# bridge longer than all the rest. (It has had the option since 1.1.)
_BUFFER = {"buf_size": 2**12} if msgpack.version >= (1, 1) else {}


def encode(message: Message) -> bytes:
    """The bytes of a message, for one frame.

    Raises:
        MessageError: it is longer than ``MAX_BYTES``, or has text with lone surrogates or a whole
            number of more than 64 bits.
    """
    body = {"faustwire": VERSION, "type": _NAMES[type(message)], **_plain_fields(message)}
    try:
        data: bytes = msgpack.packb(body, default=_pack_other, **_BUFFER)
    except UnicodeEncodeError as problem:
        raise MessageError(f"text that can't be sent: {problem}") from problem
    if len(data) > MAX_BYTES:
        raise MessageError(f"the message has {len(data)} bytes; at most {MAX_BYTES}")
    return data


def decode(data: bytes) -> Message:
    """The message in these bytes, with every field checked.

    Raises:
        MessageError: it is not a message of this version, or exceeds a limit; ``seq`` is the number
            of the Snapshot or OwnProgram, if it could be read.
    """
    body = _unpack(data)
    kind = message_type(body.get("type"))
    return kind(**checked_fields(kind, body, _NAMES[kind]))


def message_type(name: object) -> type[Message]:
    """The type of messages of a name.

    Args:
        name: the field ``type`` as it came.

    Returns:
        The class.

    Raises:
        MessageError: there is none of that name.
    """
    kind = _TYPES.get(name) if isinstance(name, str) else None
    if kind is None:
        raise MessageError(f"{UNKNOWN_TYPE} {shown(name)}")
    return kind


def check_version(body: Mapping[str, Any]) -> None:
    """Check the version of a message.

    Raises:
        MessageError: it is not ``VERSION``.
    """
    version = body.get("faustwire")
    # Comparing an array gives an array.
    if type(version) is not int or version != VERSION:
        raise MessageError(
            f"protocol version {shown(version)}, this side speaks {VERSION}: "
            "install the same faustwire on both sides"
        )


def _unpack(data: bytes) -> dict[str, Any]:
    if len(data) > MAX_BYTES:
        raise MessageError(f"the message has {len(data)} bytes; at most {MAX_BYTES}")
    budget = _Budget()
    try:
        body = msgpack.unpackb(
            data,
            object_hook=budget.map,
            list_hook=budget.list,
            ext_hook=_no_extensions,
            # msgpack allocates as many elements as a list claims to have.
            max_array_len=MAX_ELEMENTS,
            max_map_len=MAX_ELEMENTS,
        )
    except MessageError:
        raise
    # msgpack raises its own errors, ValueErrors, and UnicodeDecodeErrors.
    except (ValueError, TypeError, msgpack.UnpackException) as problem:
        raise MessageError(
            f"not msgpack: {type(problem).__name__} {str(problem)[:80]}"
        ) from problem
    if not isinstance(body, dict):
        raise MessageError("a message is a map")
    check_version(body)
    return body


class _Budget:
    """Counts the elements of a message while it is unpacked."""

    def __init__(self) -> None:
        self.left = MAX_ELEMENTS

    def _spend(self, count: int) -> None:
        self.left -= 1 + count
        if self.left < 0:
            raise MessageError(f"the message has more than {MAX_ELEMENTS} elements")

    def list(self, items: list[Any]) -> list[Any]:
        self._spend(len(items))
        return items

    def map(self, items: dict[str, Any]) -> Any:
        self._spend(len(items))
        if "shape" not in items:
            return items
        from faustwire import array_codec  # noqa: PLC0415 - see array_codec

        return array_codec.unpack(items)


def _no_extensions(code: int, _data: bytes) -> None:
    raise MessageError(f"msgpack extension type {code}: there are none in this protocol")


def _pack_other(value: object) -> dict[str, Any]:
    if isinstance(value, int):
        raise MessageError("a whole number of more than 64 bits can't be sent")
    from faustwire import array_codec  # noqa: PLC0415 - see array_codec

    return array_codec.pack(value)


def _plain_fields(part: Any) -> dict[str, Any]:
    plain_fields = {}
    for key, name in _WIRE_NAMES[type(part)]:
        value = getattr(part, key)
        plain_fields[name] = value if type(value) in _PLAIN else _plain(value)
    # A path in a detail may be longer than the other side accepts.
    if "detail" in plain_fields:
        plain_fields["detail"] = plain_fields["detail"][:MAX_TEXT]
    if "warnings" in plain_fields:
        plain_fields["warnings"] = [line[:MAX_TEXT] for line in plain_fields["warnings"]]
    return plain_fields


def _plain(value: Any) -> Any:
    """The value that msgpack packs for a field."""
    if isinstance(value, (str, bytes, int, float)) or value is None:
        return value.value if isinstance(value, messages.Reason) else value
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    if isinstance(value, _PARTS):
        return _plain_fields(value)
    if isinstance(value, Mapping):
        return controls.to_overrides(value) if _are_sliders(value) else dict(value)
    from faustwire import graph_codec  # noqa: PLC0415 - see array_codec

    return graph_codec.to_dicts(value)


def _are_sliders(mapping: Mapping[str, object]) -> bool:
    return any(isinstance(value, controls.Slider) for value in mapping.values())


# Most fields of most messages; a bridge answers thousands of calls a second.
_PLAIN = frozenset({str, bytes, int, float, bool, type(None)})
_TYPES: dict[str, type[Message]] = {
    "hello": messages.Hello,
    "snapshot": messages.Snapshot,
    "source": messages.OwnProgram,
    "ping": messages.Ping,
    "bye": messages.Bye,
    "welcome": messages.Welcome,
    "verdict": messages.Verdict,
    "pong": messages.Pong,
    "rejection": messages.Rejection,
    "follow": messages.Follow,
    "steered": messages.Steered,
    "watch": messages.Watch,
    "listen": messages.Listen,
    "heard": messages.Heard,
    "event": messages.Event,
    "state": messages.State,
}
_NAMES = {kind: name for name, kind in _TYPES.items()}
# The maps within messages.
_PARTS = (messages.Due, messages.Choice, messages.Event, messages.WorkerState)
# The attributes of each, with their names on the wire.
_WIRE_NAMES = {
    kind: [(field.name, field.metadata.get("wire", field.name)) for field in fields(kind)]
    for kind in (*_NAMES, *_PARTS)
}
