"""What goes into the core: messages that arrived, outcomes of its instructions, time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from faustwire.messages import Message
from faustwire_bridge.core.compile_report import Report
from faustwire_bridge.core.sound_limits import Sound


@dataclass(frozen=True)
class User:
    """Whose key a connection was opened with.

    Attributes:
        name: the one that the key was enrolled under.
        rights: some of ``faustwire.key_ring.RIGHTS``.
    """

    name: str
    rights: frozenset[str]


@dataclass(frozen=True)
class Arrived:
    """A message came from a peer (the routing id that ZeroMQ gave its connection).

    Attributes:
        peer: that id.
        message: what came.
        user: None at a door that asks for no key: whoever can reach that one may do everything.
        size: bytes on the wire.
    """

    peer: bytes
    message: Message
    user: User | None = None
    size: int = 0


@dataclass(frozen=True)
class Unreadable:
    """Bytes came that are no message; ``seq`` if they were once meant as a numbered one."""

    peer: bytes
    problem: str
    seq: int | None


@dataclass(frozen=True)
class Lost:
    """The peer's connection is no more."""

    peer: bytes


@dataclass(frozen=True)
class Judged:
    """The last ``Judge`` is done.

    Attributes:
        program: Faust text; empty: it can't be written in Faust.
        refusal: why not, one line on what to do.
        warnings: what could not be done as asked, a line each.
        sound: how it would sound; None where that was not asked for, because the plugin has it.
    """

    program: str = ""
    refusal: str = ""
    warnings: tuple[str, ...] = ()
    sound: Sound | None = None


@dataclass(frozen=True)
class JudgeFailed:
    """The last ``Judge`` did not come to an end: it took too long or too much."""

    problem: str


@dataclass(frozen=True)
class Compiled:
    """The last ``Compile`` came to an end, a good or a bad one."""

    report: Report


@dataclass(frozen=True)
class CompileFailed:
    """The last ``Compile`` did not come to an end: libfaust aborted, hung or took too much."""

    problem: str


@dataclass(frozen=True)
class Unchecked:
    """The last ``Compile`` can't be done on this machine."""

    why: str


@dataclass(frozen=True)
class Written:
    """The last ``Write`` is done."""


@dataclass(frozen=True)
class WriteFailed:
    """The last ``Write`` could not be done; the files are whole, the old ones or the new."""

    problem: str


@dataclass(frozen=True)
class DspChanged:
    """Somebody else has changed or removed the ``.dsp``."""


@dataclass(frozen=True)
class Noticed:
    """The shell has something to tell people; the fields are those of a message Event."""

    kind: str
    detail: str


@dataclass(frozen=True)
class Tick:
    """``Core.deadline`` has come."""


Outcome: TypeAlias = (
    Judged | JudgeFailed | Compiled | CompileFailed | Unchecked | Written | WriteFailed
)
Event: TypeAlias = Arrived | Unreadable | Lost | Outcome | DspChanged | Noticed | Tick
