"""What goes into the core: messages that arrived, outcomes of its instructions, time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from faustwire.packed_snapshot import Incoming
from faustwire_bridge.core.compile_report import LOAD_FS, Report
from faustwire_bridge.core.refusal import Refusal
from faustwire_bridge.core.sound_limits import Assessment


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
    """A message came from a peer.

    Attributes:
        peer: routing id that ZeroMQ gave the connection.
        message: what came; a snapshot's graph is still packed.
        user: whose key it was; None on a listener without keys, where every right is granted.
        size: bytes on the wire.
    """

    peer: bytes
    message: Incoming
    user: User | None = None
    size: int = 0


@dataclass(frozen=True)
class Unreadable:
    """Bytes came that are not a valid message.

    Attributes:
        peer: routing id of the connection.
        problem: what is wrong with them.
        seq: number of the snapshot or source they were meant as; None: not known.
    """

    peer: bytes
    problem: str
    seq: int | None


@dataclass(frozen=True)
class Lost:
    """The peer's connection no longer exists."""

    peer: bytes


@dataclass(frozen=True)
class Revoked:
    """A user has lost its key or a right of it, and its connections are closed."""

    user: str


@dataclass(frozen=True)
class Judged:
    """The last ``Judge`` is done.

    Attributes:
        program: Faust text; empty where there is a refusal.
        refusal: why the snapshot can't be written in Faust; None: it can.
        warnings: what the program can't do as asked, one line each.
        assessment: how it would sound; None where the plugin has this very program already.
        change_db: by how much the response differs from that of what plays, in dB; infinite where
            the two can't be compared; None: nothing was compared.
        structure: digest of the program's structure; empty: not computed.
        fs: sampling rate in Hz that the model is for.
    """

    program: str = ""
    refusal: Refusal | None = None
    warnings: tuple[str, ...] = ()
    assessment: Assessment | None = None
    change_db: float | None = None
    structure: bytes = b""
    fs: float = LOAD_FS


@dataclass(frozen=True)
class JudgeFailed:
    """The last ``Judge`` gave no result: it took too much time or memory, or could not begin."""

    problem: str


@dataclass(frozen=True)
class Compiled:
    """libfaust finished the last ``Compile``, with a program or with an error."""

    report: Report


@dataclass(frozen=True)
class CompileFailed:
    """The last ``Compile`` gave no result: libfaust aborted, hung or took too much."""

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
    """The last ``Write`` failed; each file is whole, either the old or the new one."""

    problem: str


Outcome: TypeAlias = (
    Judged | JudgeFailed | Compiled | CompileFailed | Unchecked | Written | WriteFailed
)


@dataclass(frozen=True)
class FinishedAside:
    """What was set aside is done.

    Attributes:
        outcome: of the ``Judge`` or ``Compile`` that was set aside.
    """

    outcome: Outcome


@dataclass(frozen=True)
class DspChanged:
    """Somebody else has changed or removed the ``.dsp``."""


@dataclass(frozen=True)
class Noticed:
    """The service has something to tell people; fields as in ``faustwire.messages.Event``."""

    kind: str
    detail: str


@dataclass(frozen=True)
class Tick:
    """The time that ``Core.deadline`` gave has come."""


CoreEvent: TypeAlias = (
    Arrived | Unreadable | Lost | Revoked | Outcome | FinishedAside | DspChanged | Noticed | Tick
)
