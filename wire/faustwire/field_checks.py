"""What each field of a message may hold; everything else is refused with the field's name."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import MISSING, fields
from typing import Any, NamedTuple, TypeAlias

from faustwire import controls, messages
from faustwire.errors import FaustwireError, MessageError, shown
from faustwire.limits import MAX_METRICS, MAX_NAME, MAX_PROGRAM, MAX_TEXT
from faustwire.sampling_rate import rate_problem

_Check: TypeAlias = Callable[[Any], Any]

_CHOICES = ("latest", "worker", "best", "first")


def checked_fields(kind: type[Any], body: Mapping[str, Any], name: str) -> dict[str, Any]:
    """Check the fields of a message that a dataclass has, each according to its name.

    Args:
        kind: a dataclass whose fields are named like those of a message.
        body: the message's fields as msgpack unpacked them.
        name: of the message, for errors.

    Returns:
        Arguments for ``kind``.

    Raises:
        MessageError: a field is missing, or its value is not valid; ``seq`` as in ``codec.decode``.
    """
    try:
        return _arguments(kind, body, name)
    except FaustwireError as problem:
        raise MessageError(str(problem), seq=seq_of(body)) from problem


def seq_of(body: Mapping[str, Any]) -> int | None:
    """The number of a Snapshot or OwnProgram; None: it has none that a verdict could repeat."""
    seq = body.get("seq")
    return seq if type(seq) is int and 0 <= seq < 2**63 else None


def _arguments(kind: type[Any], body: Mapping[str, Any], name: str) -> dict[str, Any]:
    arguments = {}
    for field in _fields_of(kind):
        if field.key in body:
            try:
                value = body[field.key]
                is_none = value is None and field.may_be_none
                arguments[field.name] = None if is_none else field.check(value)
            except MessageError as problem:
                raise MessageError(f"{name}.{field.key}: {problem}") from None
        elif field.required:
            raise MessageError(f"{name} without {field.key}")
    return arguments


class _Field(NamedTuple):
    """A field of a message; ``key`` is its name on the wire."""

    name: str
    key: str
    check: _Check
    may_be_none: bool
    required: bool


# Looked up once, because every call reads messages.
_KNOWN: dict[type[Any], tuple[_Field, ...]] = {}


def _fields_of(kind: type[Any]) -> tuple[_Field, ...]:
    found = _KNOWN.get(kind)
    if found is None:
        found = _KNOWN[kind] = _looked_up(kind)
    return found


def _looked_up(kind: type[Any]) -> tuple[_Field, ...]:
    return tuple(
        _Field(
            field.name,
            key := field.metadata.get("wire", field.name),
            _CHECKS.get(key, _no_field),
            may_be_none=str(field.type).endswith("| None"),
            required=field.default is MISSING and field.default_factory is MISSING,
        )
        for field in fields(kind)
    )


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
            raise MessageError(f"expected a list of at most {limit} elements")
        return tuple(map(check, value))

    return check_all


def _text(limit: int) -> _Check:
    def check(value: Any) -> str:
        if not isinstance(value, str) or len(value) > limit:
            raise MessageError(f"expected text of at most {limit} characters")
        return value

    return check


def _integer(lowest: int) -> _Check:
    def check(value: Any) -> int:
        if type(value) is not int or not lowest <= value < 2**63:
            raise MessageError(f"{shown(value)} is not a whole number of at least {lowest}")
        return value

    return check


def _seconds(value: Any) -> float:
    if type(value) not in (int, float) or not 0 <= value < math.inf:
        raise MessageError(f"{shown(value)} is not a number of seconds")
    return float(value)


def _measured(value: Any) -> float:
    if type(value) not in (int, float) or not math.isfinite(value):
        raise MessageError(f"{shown(value)} is not a finite number")
    return float(value)


def _rate(value: Any) -> float:
    if type(value) not in (int, float):
        raise MessageError(f"a sampling rate of {shown(value)} Hz")
    if problem := rate_problem(value):
        raise MessageError(problem)
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
    import numpy as np  # noqa: PLC0415 - for graphs alone; see array_codec

    from faustwire import graph_codec, validation  # noqa: PLC0415 - likewise

    # Making numbers of a stranger's signalling NaN warns; validation finds it.
    with np.errstate(invalid="ignore"):
        graph = graph_codec.from_dicts(value)
    validation.check(graph)
    return graph


def _sliders(value: Any) -> dict[str, controls.Slider]:
    if not isinstance(value, dict):
        raise MessageError("controls are a map")
    if not all(choice is None or isinstance(choice, (bool, dict)) for choice in value.values()):
        raise MessageError("a control is true or a map")
    return controls.sliders(value)


def _packed(value: Any) -> bytes:
    if not isinstance(value, bytes):
        raise MessageError("expected the bytes of a message")
    return value


def _no_field(_value: Any) -> Any:
    raise MessageError("it is not a field of a message")


def _reason(value: Any) -> messages.Reason:
    # Not Reason(value): its error would spell the value out.
    reason = _REASONS.get(value) if isinstance(value, str) else None
    if reason is None:
        raise MessageError(f"unknown reason {shown(value)}")
    return reason


def _due(value: Any) -> messages.Due:
    due: messages.Due = _part(messages.Due, "due")(value)
    if due.reason not in (messages.Reason.MIN_INTERVAL, messages.Reason.RELOAD_COST):
        raise MessageError(f"{due.reason} is not a throttle of time")
    return due


def _choice(value: Any) -> messages.Choice:
    choice: messages.Choice = _part(messages.Choice, "follow")(value)
    needs_name = choice.kind in ("worker", "best")
    if choice.kind not in _CHOICES or needs_name is not bool(choice.name):
        raise MessageError(
            "follow is latest, first, a worker with its name, or best with the name of a metric"
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
    "heard_call": _integer(0),
    "host": _text(MAX_TEXT),
    "incarnation": _text(64),
    "kind": _text(64),
    "larger": _flag,
    "last_seen": _measured,
    "load": _measured,
    "margin_db": _measured,
    "metrics": _metrics,
    "min_interval": _seconds,
    "name": _text(MAX_NAME),
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
    "snapshot": _packed,
    "user": _text(MAX_TEXT),
    "warnings": _list(_text(MAX_TEXT), 1024),
    "worker": _text(MAX_NAME),
    "workers": _list(_part(messages.WorkerState, "worker"), 4096),
}
