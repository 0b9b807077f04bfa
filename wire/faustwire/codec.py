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

from faustwire import controls, messages, plain, validation
from faustwire.errors import FaustwireError, MessageError
from faustwire.messages import Message

VERSION = 1
# A 256-channel dense matrix of double precision is half a MiB; 16 MiB is 32 of them.
MAX_BYTES = 16 * 2**20
# A Faust program of ours is some 50 KiB for 32 lines; text by hand is rarely longer.
MAX_CODE = 4 * 2**20
# Names and details are read by people.
MAX_TEXT = 4096
MAX_METRICS = 64
# Lists and maps in one message, their elements counted: a few bytes can each stand for an object
# of 64 bytes, so this bounds what a hostile message can make us allocate.
MAX_ELEMENTS = 2**17

_Check: TypeAlias = Callable[[Any], Any]


def encode(message: Message) -> bytes:
    """The bytes of a message, ready for one frame.

    Raises:
        MessageError: longer than ``MAX_BYTES``, or text that is no Unicode (lone surrogates).
    """
    body: dict[str, Any] = {"faustwire": VERSION, "type": _NAMES[type(message)]}
    for field in fields(message):
        body[field.name] = _plain(getattr(message, field.name))
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
            Snapshot or Source it was, if that much could be read.
    """
    body = _unpack(data)
    name = body.get("type")
    kind = _TYPES.get(name) if isinstance(name, str) else None
    if kind is None:
        raise MessageError(f"unknown type of message {str(name)[:40]!r}")
    seq = body.get("seq")
    try:
        return kind(**_arguments(kind, body))
    except FaustwireError as problem:
        known = seq if isinstance(seq, int) and not isinstance(seq, bool) else None
        raise MessageError(str(problem), seq=known) from problem


def _unpack(data: bytes) -> dict[str, Any]:
    if len(data) > MAX_BYTES:
        raise MessageError(f"the message has {len(data)} bytes; at most {MAX_BYTES}")
    budget = _Budget()
    try:
        body = msgpack.unpackb(
            data, object_hook=budget.map, list_hook=budget.list, ext_hook=_no_extensions
        )
    except MessageError:
        raise
    # msgpack raises its own errors, ValueErrors, and UnicodeDecodeErrors.
    except (ValueError, TypeError, msgpack.UnpackException) as problem:
        raise MessageError(f"not msgpack: {type(problem).__name__}") from problem
    if not isinstance(body, dict):
        raise MessageError("a message is a map")
    if body.get("faustwire") != VERSION:
        raise MessageError(
            f"protocol version {str(body.get('faustwire'))[:20]}, this side speaks {VERSION}: "
            "install the same faustwire on both sides"
        )
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
        raise MessageError(f"an array of shape {shape[:5]} and {len(packed[kind])} bytes of {kind}")
    return np.frombuffer(packed[kind], dtype=f"<{kind}").reshape(shape)


def _plain(value: Any) -> Any:
    """What msgpack packs for a field."""
    if isinstance(value, (str, int, float, tuple)) or value is None:
        return value.value if isinstance(value, messages.Reason) else value
    if isinstance(value, messages.Due):
        return {**vars(value), "reason": value.reason.value}
    if isinstance(value, Mapping):
        return controls.to_plain(value) if _are_sliders(value) else dict(value)
    return plain.to_plain(value)


def _are_sliders(mapping: Mapping[str, object]) -> bool:
    return any(isinstance(value, controls.Slider) for value in mapping.values())


def _arguments(kind: type[Message], body: Mapping[str, Any]) -> dict[str, Any]:
    arguments = {}
    for field in fields(kind):
        if field.name in body:
            try:
                arguments[field.name] = _CHECKS[field.name](body[field.name])
            except MessageError as problem:
                raise MessageError(f"{_NAMES[kind]}.{field.name}: {problem}") from None
        elif field.default is MISSING and field.default_factory is MISSING:
            raise MessageError(f"{_NAMES[kind]} without {field.name}")
    return arguments


def _text(limit: int) -> _Check:
    def check(value: Any) -> str:
        if not isinstance(value, str) or len(value) > limit:
            raise MessageError(f"text of at most {limit} characters is wanted")
        return value

    return check


def _integer(lowest: int) -> _Check:
    def check(value: Any) -> int:
        if type(value) is not int or not lowest <= value < 2**63:
            raise MessageError(f"{str(value)[:40]} is no whole number from {lowest}")
        return value

    return check


def _seconds(value: Any) -> float:
    if type(value) not in (int, float) or not 0 <= value < math.inf:
        raise MessageError(f"{str(value)[:40]} is no number of seconds")
    return float(value)


def _measured(value: Any) -> float | None:
    if value is None:
        return None
    if type(value) not in (int, float) or not math.isfinite(value):
        raise MessageError(f"{str(value)[:40]} is no measured number")
    return float(value)


def _rate(value: Any) -> float:
    if type(value) not in (int, float) or not 1 <= value <= 1e7:
        raise MessageError(f"a sampling rate of {str(value)[:40]} Hz")
    return float(value)


def _flag(value: Any) -> bool:
    if not isinstance(value, bool):
        raise MessageError(f"{str(value)[:40]} is neither true nor false")
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
    graph = plain.from_plain(value)
    validation.check(graph)
    return graph


def _sliders(value: Any) -> dict[str, controls.Slider]:
    if not isinstance(value, dict):
        raise MessageError("controls are a map")
    return controls.sliders(value)


def _reason(value: Any) -> messages.Reason:
    try:
        return messages.Reason(value)
    except ValueError:
        raise MessageError(f"unknown reason {str(value)[:40]!r}") from None


def _due(value: Any) -> messages.Due | None:
    if value is None:
        return None
    if not isinstance(value, dict) or not {"call", "every", "after"} <= value.keys():
        raise MessageError("due holds call, every and after")
    count = _integer(1)
    reason = _reason(value.get("reason", messages.Reason.MIN_INTERVAL))
    if reason not in (messages.Reason.MIN_INTERVAL, messages.Reason.RELOAD_COST):
        raise MessageError(f"{reason} is no throttle of time")
    return messages.Due(
        count(value["call"]), count(value["every"]), _seconds(value["after"]), reason
    )


def _lines(value: Any) -> tuple[str, ...]:
    if not isinstance(value, list):
        raise MessageError("warnings are a list")
    return tuple(map(_text(MAX_TEXT), value))


# A field of one name means the same in every message.
_CHECKS: dict[str, _Check] = {
    "call": _integer(1),
    "code": _text(MAX_CODE),
    "compile_seconds": _measured,
    "controls": _sliders,
    "detail": _text(MAX_TEXT),
    "dsp_path": _text(MAX_TEXT),
    "due": _due,
    "every": _integer(1),
    "force": _flag,
    "fs": _rate,
    "graph": _graph,
    "host": _text(MAX_TEXT),
    "incarnation": _text(64),
    "margin_db": _measured,
    "metrics": _metrics,
    "min_interval": _seconds,
    "name": _text(validation.MAX_NAME),
    "peak_db": _measured,
    "pid": _integer(0),
    "published": _flag,
    "reason": _reason,
    "rt60_seconds": _measured,
    "seq": _integer(0),
    "warnings": _lines,
    "worker": _text(validation.MAX_NAME),
}
_TYPES: dict[str, type[Message]] = {
    "hello": messages.Hello,
    "snapshot": messages.Snapshot,
    "source": messages.Source,
    "ping": messages.Ping,
    "bye": messages.Bye,
    "welcome": messages.Welcome,
    "verdict": messages.Verdict,
    "pong": messages.Pong,
    "rejection": messages.Rejection,
}
_NAMES = {kind: name for name, kind in _TYPES.items()}
