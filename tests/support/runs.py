"""Recorded runs made by hand: workers that send gains, and the bridge's answers."""

from __future__ import annotations

import hashlib
from typing import Any

from faustwire import codec, recording
from faustwire.messages import Bye, Event, Hello, Message, OwnProgram, Reason, Snapshot, Verdict
from graphs import gain

Said = tuple[recording.Channel, bytes]


def channel(name: str, topic: str = recording.IN, **hello: Any) -> recording.Channel:
    """Channel of a worker whose incarnation is its name and a 1."""
    made = Hello(name, hello.pop("incarnation", f"{name}-1"), **hello)
    return recording.of_worker(topic, name.encode(), made, None, ())


def says(name: str, message: Message, **hello: Any) -> Said:
    """A worker says something."""
    return channel(name, **hello), codec.encode(message)


def sends(name: str, call: int, value: float, **hello: Any) -> Said:
    """A worker sends a gain with its ``call``-th call, which is its ``call``-th message as well."""
    force = hello.pop("force", False)
    loss = {"loss": 1 / call}
    snapshot = Snapshot(call, call, 48000.0, gain(value), force=force, metrics=loss)
    return says(name, snapshot, **hello)


def publishes(name: str, seq: int, code: str) -> Said:
    """A worker publishes text of its own."""
    return says(name, OwnProgram(seq, code))


def leaves(name: str) -> Said:
    """A worker says Bye."""
    return says(name, Bye())


def answers(name: str, seq: int, reason: Reason) -> Said:
    """The bridge answers a worker."""
    verdict = Verdict(seq, reason is Reason.PUBLISHED, reason)
    return channel(name, recording.OUT), codec.encode(verdict)


def tells(number: int, kind: str, name: str, call: int | None, code: str = "", **more: Any) -> Said:
    """The bridge's event about a call, or about text of a worker's own."""
    whom = name, f"{name}-1", call
    program = hashlib.sha256(code.encode()).hexdigest() if code else ""
    event = Event(number, float(number), kind, "", *whom, program=program, **more)
    return recording.of_bridge(recording.EVENT), codec.encode(event)
