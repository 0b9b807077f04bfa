"""What the core was told beside messages, as bytes for a recording, and back.

A recording's topic ``core``. Together with the messages as they came, it is all that a replay needs
to have the core decide again.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import asdict, fields
from typing import Any, TypeAlias

import msgpack

from faustwire.errors import MessageError, shown
from faustwire_bridge.core import events
from faustwire_bridge.core.compile_report import Control, Report
from faustwire_bridge.core.events import CoreEvent
from faustwire_bridge.core.program_imports import MAX_EXPANDED

# The longest is a report with its sliders, and with a program that libfaust has expanded.
MAX_BYTES = 2**20 + 4 * MAX_EXPANDED
_MAX_CONTROLS = 4096

_Check: TypeAlias = Callable[[Any], Any]


def encode(event: CoreEvent) -> bytes:
    """The bytes of an event.

    Raises:
        KeyError: one that has no place in the journal: a message is recorded as it came.
    """
    aside = {}
    if isinstance(event, events.FinishedAside):
        event, aside = event.outcome, {"aside": True}
    body: dict[str, Any] = {"event": _NAMES[type(event)], **aside}
    if not isinstance(event, events.Judged):
        # Most are flat; asdict copies what is in them, one by one.
        body |= {k: asdict(v) if isinstance(v, Report) else v for k, v in vars(event).items()}
    # Problems name files, whose names may not be valid Unicode.
    data: bytes = msgpack.packb(body, unicode_errors="surrogateescape")
    return data


def decode(data: bytes) -> CoreEvent:
    """The event that bytes stand for, checked: a recording may come from a stranger.

    Raises:
        MessageError: none that is known, or fields that make no sense.
    """
    if len(data) > MAX_BYTES:
        raise MessageError(f"the event has {len(data)} bytes; at most {MAX_BYTES}")
    try:
        body = msgpack.unpackb(
            data, unicode_errors="surrogateescape", max_array_len=_MAX_CONTROLS, max_map_len=64
        )
    except (ValueError, TypeError, msgpack.UnpackException) as problem:
        raise MessageError(f"not msgpack: {type(problem).__name__}") from problem
    name = body.get("event") if isinstance(body, dict) else None
    kind = _TYPES.get(name) if isinstance(name, str) else None
    if kind is None:
        raise MessageError(f"unknown event {shown(name)}")
    # What was judged follows from the snapshot; a recording only tells when it was.
    event: CoreEvent = events.Judged() if kind is events.Judged else _made(kind, body)
    if body.get("aside") is not True:
        return event
    if not isinstance(event, _ASIDE):
        raise MessageError(f"{shown(name)} is nothing that is set aside")
    return events.FinishedAside(event)


def _made(kind: type[Any], body: Mapping[str, Any]) -> Any:
    """An object of a type from a map that holds each of its fields, but for later ones."""
    arguments = {}
    for field in fields(kind):
        if field.name in _LATER and field.name not in body:
            continue
        if field.name not in body:
            raise MessageError(f"{kind.__name__} without {field.name}")
        arguments[field.name] = _CHECKS[field.name](body[field.name])
    return kind(**arguments)


def _of_type(*kinds: type) -> _Check:
    def check(value: Any) -> Any:
        if type(value) not in kinds:
            raise MessageError(f"{shown(value)} is none of {', '.join(k.__name__ for k in kinds)}")
        return value

    return check


def _number(value: Any) -> float:
    # Text that grows has an infinite peak.
    if type(value) not in (int, float) or math.isnan(value):
        raise MessageError(f"{shown(value)} is not a number")
    return float(value)


def _part(kind: type[Any]) -> _Check:
    def check(value: Any) -> Any:
        if not isinstance(value, dict):
            raise MessageError(f"a {kind.__name__} is a map")
        return _made(kind, value)

    return check


def _controls(value: Any) -> tuple[Control, ...]:
    if not isinstance(value, list):
        raise MessageError("controls are a list")
    return tuple(map(_part(Control), value))


def _maybe(check: _Check) -> _Check:
    return lambda value: None if value is None else check(value)


_text = _of_type(str)
_whole = _of_type(int)
# A field of one name means the same in every event.
_CHECKS: dict[str, _Check] = {
    "address": _text,
    "controls": _controls,
    "detail": _text,
    "forbidden": _of_type(bool),
    "init": _number,
    "kind": _text,
    "level": _maybe(_number),
    "load": _maybe(_number),
    "max": _number,
    "min": _number,
    "n_in": _whole,
    "n_out": _whole,
    "peak": _maybe(_number),
    "peak_in": _text,
    "peer": _of_type(bytes),
    "problem": _text,
    "program": _text,
    "report": _part(Report),
    "seconds": _number,
    "seq": _maybe(_whole),
    "shows": _of_type(bool),
    "unplayed": _text,
    "user": _text,
    "why": _text,
}
# Fields that the first recordings don't have; they have defaults.
_LATER = {"forbidden", "program", "level", "load", "peak_in", "unplayed"}
_TYPES: dict[str, type[CoreEvent]] = {
    "lost": events.Lost,
    "revoked": events.Revoked,
    "unreadable": events.Unreadable,
    "judged": events.Judged,
    "judge-failed": events.JudgeFailed,
    "compiled": events.Compiled,
    "compile-failed": events.CompileFailed,
    "unchecked": events.Unchecked,
    "written": events.Written,
    "write-failed": events.WriteFailed,
    "dsp-changed": events.DspChanged,
    "noticed": events.Noticed,
    "tick": events.Tick,
}
_ASIDE = (
    *(events.Judged, events.JudgeFailed),
    *(events.Compiled, events.CompileFailed, events.Unchecked),
)
_NAMES = {kind: name for name, kind in _TYPES.items()}
