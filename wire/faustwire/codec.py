"""Bytes to messages and back. What comes out of ``decode`` is well-formed; all else is refused.

One message is one msgpack map: ``faustwire`` (the version of the protocol), ``type``, and the
fields of the message. Unknown fields are ignored, so that a version can grow; a field that changes
its meaning needs a new version.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import MISSING, fields
from typing import Any, TypeAlias

import msgpack
import numpy as np

from faustwire import controls, graph_codec, messages, validation
from faustwire.errors import FaustwireError, MessageError, shown
from faustwire.messages import Message

VERSION = 1
# A 256-channel dense matrix of double precision is half a MiB; 16 MiB is 32 of them.
MAX_BYTES = 16 * 2**20
# A Faust program of ours is some 50 KiB for 32 lines; text by hand is rarely longer.
MAX_PROGRAM = 4 * 2**20
# Names and details are read by people.
MAX_TEXT = 4096
MAX_METRICS = 64
# Lists and maps in one message, their elements counted: a few bytes can each stand for an object
# of 64 bytes, so this bounds what a hostile message can make us allocate.
MAX_ELEMENTS = 2**17

CHOICES = ("latest", "worker", "best", "first")

_Check: TypeAlias = Callable[[Any], Any]


def encode(message: Message) -> bytes:
    """The bytes of a message, ready for one frame.

    Raises:
        MessageError: longer than ``MAX_BYTES``, or text that is no Unicode (lone surrogates).
    """
    body = {"faustwire": VERSION, "type": _NAMES[type(message)], **_plain_fields(message)}
    try:
        data: bytes = msgpack.packb(body, default=_pack_other)
    except UnicodeEncodeError as problem:
        raise MessageError(f"text that can't be sent: {problem}") from problem
    if len(data) > MAX_BYTES:
        raise MessageError(f"the message has {len(data)} bytes; at most {MAX_BYTES}")
    return data


def decode(data: bytes) -> Message:
    """The message that bytes stand for, checked through and through.

    Raises:
        MessageError: not a message of this version, or one that breaks a limit; ``seq`` says which
            Snapshot or OwnProgram it was, if that much could be read.
    """
    body = _unpack(data)
    name = body.get("type")
    kind = _TYPES.get(name) if isinstance(name, str) else None
    if kind is None:
        raise MessageError(f"unknown type of message {shown(name)}")
    try:
        return kind(**_arguments(kind, body, _NAMES[kind]))
    except FaustwireError as problem:
        raise MessageError(str(problem), seq=seq_of(body)) from problem


def checked_fields(kind: type[Any], body: Mapping[str, Any], name: str) -> dict[str, Any]:
    """The fields of a message that a dataclass asks for, each checked by its name.

    Args:
        kind: a dataclass whose fields are named like those of a message.
        body: the message's fields as msgpack unpacked them.
        name: of the message, for errors.

    Returns:
        Arguments for ``kind``.

    Raises:
        MessageError: a field is missing or breaks its limit; ``seq`` as in ``decode``.
    """
    try:
        return _arguments(kind, body, name)
    except FaustwireError as problem:
        raise MessageError(str(problem), seq=seq_of(body)) from problem


def check_version(body: Mapping[str, Any]) -> None:
    """Refuse a message of another version.

    Raises:
        MessageError: it is not ``VERSION``.
    """
    version = body.get("faustwire")
    # An array is equal to nothing and everything.
    if type(version) is not int or version != VERSION:
        raise MessageError(
            f"protocol version {shown(version)}, this side speaks {VERSION}: "
            "install the same faustwire on both sides"
        )


def seq_of(body: Mapping[str, Any]) -> int | None:
    """The number of a Snapshot or OwnProgram; None if it has none that a verdict could carry."""
    seq = body.get("seq")
    return seq if type(seq) is int and 0 <= seq < 2**63 else None


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
            # Room is made for as many as a list says it has, before there is any.
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
    """Counts what a message unfolds to while it is unpacked."""

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
        return _array(items) if "shape" in items else items


def _no_extensions(code: int, _data: bytes) -> None:
    raise MessageError(f"msgpack extension type {code}: there are none in this protocol")


def _pack_other(value: object) -> dict[str, Any]:
    if not isinstance(value, np.ndarray):
        raise TypeError(f"{type(value).__name__} can't cross the wire")
    # Most models are float32: half the bytes, where nothing is lost.
    with np.errstate(over="ignore"):
        single = value.astype("<f4")
    if np.array_equal(single, value):
        return {"shape": value.shape, "f4": single.tobytes()}
    return {"shape": value.shape, "f8": value.astype("<f8", copy=False).tobytes()}


def _array(packed: dict[str, Any]) -> np.ndarray[Any, np.dtype[Any]]:
    shape = packed["shape"]
    kind = next((key for key in ("f4", "f8") if key in packed), None)
    if kind is None or not isinstance(packed[kind], bytes):
        raise MessageError("an array holds its bytes under f4 or f8")
    if not isinstance(shape, list) or not all(type(size) is int and size >= 0 for size in shape):
        raise MessageError("an array's shape is a list of sizes")
    if len(shape) > 4 or math.prod(shape) * int(kind[1]) != len(packed[kind]):
        raise MessageError(f"an array of shape {shape[:4]} and {len(packed[kind])} bytes of {kind}")
    return np.frombuffer(packed[kind], dtype=f"<{kind}").reshape(shape)


def _plain_fields(part: Any) -> dict[str, Any]:
    plain_fields = {name: _plain(getattr(part, key)) for key, name in _WIRE_NAMES[type(part)]}
    # A path in a detail may be longer than what the other side takes.
    if "detail" in plain_fields:
        plain_fields["detail"] = plain_fields["detail"][:MAX_TEXT]
    if "warnings" in plain_fields:
        plain_fields["warnings"] = [line[:MAX_TEXT] for line in plain_fields["warnings"]]
    return plain_fields


def _plain(value: Any) -> Any:
    """What msgpack packs for a field."""
    if isinstance(value, (str, int, float)) or value is None:
        return value.value if isinstance(value, messages.Reason) else value
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    if isinstance(value, _PARTS):
        return _plain_fields(value)
    if isinstance(value, Mapping):
        return controls.to_plain(value) if _are_sliders(value) else dict(value)
    return graph_codec.to_plain(value)


def _are_sliders(mapping: Mapping[str, object]) -> bool:
    return any(isinstance(value, controls.Slider) for value in mapping.values())


def _arguments(kind: type[Any], body: Mapping[str, Any], name: str) -> dict[str, Any]:
    arguments = {}
    for field in fields(kind):
        key = field.metadata.get("wire", field.name)
        if key in body:
            try:
                value = body[key]
                may_be_none = value is None and str(field.type).endswith("| None")
                arguments[field.name] = None if may_be_none else _CHECKS[key](value)
            except MessageError as problem:
                raise MessageError(f"{name}.{key}: {problem}") from None
        elif field.default is MISSING and field.default_factory is MISSING:
            raise MessageError(f"{name} without {key}")
    return arguments


def _part(kind: type[Any], name: str) -> _Check:
    """A map within a message."""

    def check(value: Any) -> Any:
        if not isinstance(value, dict):
            raise MessageError(f"{name} is a map")
        return kind(**_arguments(kind, value, name))

    return check


def _list(check: _Check, limit: int) -> _Check:
    def check_all(value: Any) -> tuple[Any, ...]:
        if not isinstance(value, list) or len(value) > limit:
            raise MessageError(f"a list of at most {limit} is wanted")
        return tuple(map(check, value))

    return check_all


def _text(limit: int) -> _Check:
    def check(value: Any) -> str:
        if not isinstance(value, str) or len(value) > limit:
            raise MessageError(f"text of at most {limit} characters is wanted")
        return value

    return check


def _integer(lowest: int) -> _Check:
    def check(value: Any) -> int:
        if type(value) is not int or not lowest <= value < 2**63:
            raise MessageError(f"{shown(value)} is no whole number from {lowest}")
        return value

    return check


def _seconds(value: Any) -> float:
    if type(value) not in (int, float) or not 0 <= value < math.inf:
        raise MessageError(f"{shown(value)} is no number of seconds")
    return float(value)


def _measured(value: Any) -> float:
    if type(value) not in (int, float) or not math.isfinite(value):
        raise MessageError(f"{shown(value)} is no measured number")
    return float(value)


def _rate(value: Any) -> float:
    if type(value) not in (int, float) or not 1 <= value <= 1e7:
        raise MessageError(f"a sampling rate of {shown(value)} Hz")
    return float(value)


def _flag(value: Any) -> bool:
    if not isinstance(value, bool):
        raise MessageError(f"{shown(value)} is neither true nor false")
    return value


def _metrics(value: Any) -> dict[str, float]:
    if not isinstance(value, dict) or len(value) > MAX_METRICS:
        raise MessageError(f"metrics are a map of at most {MAX_METRICS} numbers")
    if not all(type(number) in (int, float) for number in value.values()):
        raise MessageError("a metric is a number")
    if not all(isinstance(name, str) and len(name) <= MAX_TEXT for name in value):
        raise MessageError("a metric's name is text")
    return {name: float(number) for name, number in value.items()}


def _graph(value: Any) -> Any:
    # Making numbers of a stranger's signalling NaN warns; validation finds it.
    with np.errstate(invalid="ignore"):
        graph = graph_codec.from_plain(value)
    validation.check(graph)
    return graph


def _sliders(value: Any) -> dict[str, controls.Slider]:
    if not isinstance(value, dict):
        raise MessageError("controls are a map")
    if not all(choice is None or isinstance(choice, (bool, dict)) for choice in value.values()):
        raise MessageError("a control is true or a map")
    return controls.sliders(value)


def _reason(value: Any) -> messages.Reason:
    # Not Reason(value): its error would spell the value out.
    reason = _REASONS.get(value) if isinstance(value, str) else None
    if reason is None:
        raise MessageError(f"unknown reason {shown(value)}")
    return reason


def _due(value: Any) -> messages.Due:
    due: messages.Due = _part(messages.Due, "due")(value)
    if due.reason not in (messages.Reason.MIN_INTERVAL, messages.Reason.RELOAD_COST):
        raise MessageError(f"{due.reason} is no throttle of time")
    return due


def _choice(value: Any) -> messages.Choice:
    choice: messages.Choice = _part(messages.Choice, "follow")(value)
    needs_name = choice.kind in ("worker", "best")
    if choice.kind not in CHOICES or needs_name is not bool(choice.name):
        raise MessageError(
            "follow is latest, first, a worker of some name, or the best of some metric"
        )
    return choice


def _counts(value: Any) -> dict[str, int]:
    if not isinstance(value, dict) or len(value) > MAX_METRICS:
        raise MessageError("counts are a map")
    count = _integer(0)
    return {_text(64)(name): count(number) for name, number in value.items()}


_REASONS = {reason.value: reason for reason in messages.Reason}
# A field of one name means the same in every message.
_CHECKS: dict[str, _Check] = {
    "after": _seconds,
    "at": _measured,
    "call": _integer(1),
    "code": _text(MAX_PROGRAM),
    "compile_seconds": _measured,
    "connected": _flag,
    "controls": _sliders,
    "counts": _counts,
    "detail": _text(MAX_TEXT),
    "dsp_path": _text(MAX_TEXT),
    "due": _due,
    "events": _list(_part(messages.Event, "event"), 1024),
    "every": _integer(1),
    "follow": _choice,
    "followed": _flag,
    "force": _flag,
    "fs": _rate,
    "graph": _graph,
    "host": _text(MAX_TEXT),
    "incarnation": _text(64),
    "kind": _text(64),
    "larger": _flag,
    "last_seen": _measured,
    "margin_db": _measured,
    "metrics": _metrics,
    "min_interval": _seconds,
    "name": _text(validation.MAX_NAME),
    "now": _measured,
    "number": _integer(0),
    "peak_db": _measured,
    "pid": _integer(0),
    "newest_call": _integer(1),
    "playing_call": _integer(1),
    "playing_incarnation": _text(64),
    "playing_worker": _text(MAX_TEXT),
    "program": _text(64),
    "published": _flag,
    "rate": _seconds,
    "reason": _reason,
    "recording": _text(MAX_TEXT),
    "reloaded_at": _measured,
    "reloads": _integer(0),
    "rt60_seconds": _measured,
    "seq": _integer(0),
    "settle": _flag,
    "since": _measured,
    "user": _text(MAX_TEXT),
    "warnings": _list(_text(MAX_TEXT), 1024),
    "worker": _text(validation.MAX_NAME),
    "workers": _list(_part(messages.WorkerState, "worker"), 4096),
}
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
    "event": messages.Event,
    "state": messages.State,
}
_NAMES = {kind: name for name, kind in _TYPES.items()}
# What stands within messages.
_PARTS = (messages.Due, messages.Choice, messages.Event, messages.WorkerState)
# The attributes of each, with their names on the wire.
_WIRE_NAMES = {
    kind: [(field.name, field.metadata.get("wire", field.name)) for field in fields(kind)]
    for kind in (*_NAMES, *_PARTS)
}
