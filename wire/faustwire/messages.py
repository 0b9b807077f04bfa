"""The messages to and from the bridge, one frozen type each; see ``docs/wire.md``.

A worker says Hello, then sends Snapshots, OwnPrograms and Pings, one at a time, and Bye. The bridge
answers Hello with Welcome, Snapshot and OwnProgram with a Verdict, and Ping with Pong. Rejection is
the answer to what it can't make sense of and to what its sender has no right to. Whoever steers
sends Follow and gets Steered. Who watches sends Watch and gets the next State, again and again.
Who listens sends Listen and gets the newest snapshot of a worker that may be heard.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeAlias

from faustwire.bridge_state import Choice, Event, State, WorkerState
from faustwire.controls import Slider
from faustwire.reason import HOLDS_BACK, Reason

if TYPE_CHECKING:
    # Its arrays are numpy's, which the bridge does without; see array_codec.
    from faustwire.graph import Node

__all__ = [
    "HOLDS_BACK",
    "Bye",
    "Choice",
    "Due",
    "Event",
    "Follow",
    "Heard",
    "Hello",
    "Listen",
    "Message",
    "OwnProgram",
    "Ping",
    "Pong",
    "Reason",
    "Rejection",
    "Snapshot",
    "State",
    "Steered",
    "ToBridge",
    "ToPeer",
    "Verdict",
    "Watch",
    "Welcome",
    "WorkerState",
]


# How the warning of a verdict begins whose program libfaust has not compiled before.
NOT_CHECKED = "not checked: "
# How the warning begins that a DAW which asks for the knobs' values may crash.
MAY_CRASH = "may crash the DAW: "


@dataclass(frozen=True)
class Hello:
    """The first message of every connection: who is there.

    Attributes:
        worker: the name people know this worker by.
        incarnation: random text, new for every HotReload object: namesakes and restarts differ.
        host: name of the worker's machine.
        pid: its process there.
        every: at most every n-th call of this worker is published.
        min_interval: the least time between two reloads of the plugin that this worker asks for,
            seconds.
        settle: whether the newest snapshot that only a throttle of time held back is to be
            published once the time has passed.
    """

    worker: str
    incarnation: str
    host: str = ""
    pid: int = 0
    every: int = 1
    min_interval: float = 0.5
    settle: bool = False


@dataclass(frozen=True)
class Snapshot:
    """The model as it was at one call of ``update``.

    Attributes:
        seq: number among this worker's Snapshots and OwnPrograms, from 1; the Verdict repeats it.
        call: number of the call of ``update``, from 1; calls that were not sent are counted.
        fs: sampling rate, Hz.
        graph: the model.
        name: of the program, for its header.
        force: whether to publish regardless of any throttle.
        controls: the macro controls, by name.
        metrics: losses and the like, by name.
    """

    seq: int
    call: int
    fs: float
    graph: Node
    name: str = "FDN"
    force: bool = False
    controls: Mapping[str, Slider] = field(default_factory=dict)
    metrics: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class OwnProgram:
    """A Faust program of the caller's own; no throttle applies. On the wire its type is "source".

    Attributes:
        seq: as in Snapshot.
        program: its text; on the wire the field is called "code".
    """

    seq: int
    program: str = field(metadata={"wire": "code"})


@dataclass(frozen=True)
class Ping:
    """Asks for a Pong; sent while there is nothing else to send."""


@dataclass(frozen=True)
class Bye:
    """The worker leaves."""


@dataclass(frozen=True)
class Welcome:
    """The answer to Hello.

    Attributes:
        pid: the bridge's process.
        host: the bridge's machine.
        dsp_path: the ``.dsp`` file that it writes, on that machine.
        recording: the file or directory that it records to; empty: it does not record.
    """

    pid: int
    host: str
    dsp_path: str
    recording: str = ""


@dataclass(frozen=True)
class Due:
    """Which later calls can be published; a worker need not send the others, unless forced.

    Attributes:
        call: the number of a call that can be; so can every ``every``-th call after it.
        every: period of the calls that can be.
        after: for how long after this verdict no call can be published, seconds.
        reason: the throttle that causes this pause: "min-interval" or "reload-cost".
    """

    call: int
    every: int
    after: float
    reason: Reason = Reason.MIN_INTERVAL


@dataclass(frozen=True)
class Verdict:
    """How a call ended.

    Attributes:
        seq: of the Snapshot or OwnProgram that it answers; 0 where none was sent.
        published: whether a new ``.dsp`` was written, so that the plugin reloads.
        reason: why.
        detail: one line for people.
        warnings: what the program could not do as asked, a line each.
        due: which later calls can be published; None: the bridge wants to see every call.
        compile_seconds: how long libfaust takes to compile a program of this structure, for which
            the plugin is silent when it reloads; None: not known.
        peak_db: the largest gain from any input to any output at any frequency, dB; None where a
            bound on it was enough.
        margin_db: loop-gain margin, dB: how far the gain around the model's loops stays below one,
            for any lengths of their delays; inconclusive below 0.
        rt60_seconds: the time in which the model's slowest mode decays by 60 dB, or an upper bound
            on it.
        load: processor time that a second of its sound takes, as a part of one core of the bridge's
            machine; None: not measured.
    """

    seq: int
    published: bool
    reason: Reason
    detail: str = ""
    warnings: tuple[str, ...] = ()
    due: Due | None = None
    compile_seconds: float | None = None
    peak_db: float | None = None
    margin_db: float | None = None
    rt60_seconds: float | None = None
    load: float | None = None


@dataclass(frozen=True)
class Pong:
    """The answer to Ping."""


@dataclass(frozen=True)
class Rejection:
    """A message was not understood or not allowed, or its worker has to say Hello again."""

    detail: str


@dataclass(frozen=True)
class Follow:
    """Asks that the plugin follow another worker; needs the right to steer, and no Hello."""

    follow: Choice


@dataclass(frozen=True)
class Steered:
    """The answer to Follow, once it is done. ``detail``: one line for people."""

    detail: str


@dataclass(frozen=True)
class Watch:
    """Asks for the next State; needs the right to watch, and no Hello.

    Attributes:
        number: of the last State that came; 0: none yet, or over another connection.
    """

    number: int = 0


@dataclass(frozen=True)
class Listen:
    """Asks for the newest judged snapshot of a worker; needs the right to watch, and no Hello.

    Attributes:
        incarnation: of the worker.
        heard_call: of the snapshot that was heard last, and only a newer one is wanted; 0: none.
    """

    incarnation: str
    heard_call: int = 0


@dataclass(frozen=True)
class Heard:
    """The answer to Listen: a snapshot that may be heard, or why it may not.

    Attributes:
        incarnation: of the worker.
        call: the number of its call.
        reason: of the verdict on it.
        detail: one line for people.
        margin_db, rt60_seconds: as in Verdict.
        snapshot: the Snapshot's bytes as they came; empty: it may not be heard.
    """

    incarnation: str
    call: int
    reason: Reason
    detail: str = ""
    margin_db: float | None = None
    rt60_seconds: float | None = None
    snapshot: bytes = field(default=b"", repr=False)


ToBridge: TypeAlias = Hello | Snapshot | OwnProgram | Ping | Bye | Follow | Watch | Listen
ToPeer: TypeAlias = Welcome | Verdict | Pong | Rejection | Steered | Heard
Message: TypeAlias = ToBridge | ToPeer | Event | State
