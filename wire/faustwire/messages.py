"""The messages to and from the bridge, one frozen type each; see ``docs/wire.md``.

A worker says Hello, then sends Snapshots, OwnPrograms and Pings, one at a time, and Bye. The bridge
answers Hello with Welcome, Snapshot and OwnProgram with a Verdict, and Ping with Pong. Rejection is
the answer to what it can't make sense of and to what its sender has no right to. Whoever steers
sends Follow and gets Steered. Watchers get a State each time something has changed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import TypeAlias

from faustwire.controls import Slider
from faustwire.graph import Node


class Reason(str, Enum):
    """Why a call ended as it did; the list is closed."""

    # The bridge's.
    PUBLISHED = "published"  # a new .dsp was written, the plugin reloads
    UNCHANGED = "unchanged"  # the plugin has this very program already
    EVERY = "every"  # not one of the every-th calls
    MIN_INTERVAL = "min-interval"  # too soon after the last reload
    RELOAD_COST = "reload-cost"  # too soon for what the last program took to compile
    NOT_FOLLOWED = "not-followed"  # the plugin follows another worker
    REFUSED = "refused"  # can't be played
    TOO_LOUD = "too-loud"  # louder than a limit, or suddenly much louder than what plays
    UNSTABLE = "unstable"  # a loop that grows
    MISFIT = "misfit"  # the plugin can't take it: channels, sliders
    DOES_NOT_COMPILE = "does-not-compile"  # libfaust refuses it, aborts, hangs, or needs too much
    WRITE_FAILED = "write-failed"  # the disk or its permissions
    # The publisher's own.
    NON_FINITE = "non-finite"  # the model holds NaN or infinite values
    NO_BRIDGE = "no-bridge"  # none reached, or none that answers within the timeout
    HANDED_OVER = "handed-over"  # wait=False: on its way, `last` will tell
    SUPERSEDED = "superseded"  # a newer snapshot took its place before its turn came

    def __str__(self) -> str:
        return self.value


# What comes of the model or the disk, not of time, and holds until it is over.
HOLDS_BACK = frozenset(
    {
        Reason.REFUSED,
        Reason.TOO_LOUD,
        Reason.UNSTABLE,
        Reason.MISFIT,
        Reason.DOES_NOT_COMPILE,
        Reason.WRITE_FAILED,
        Reason.NON_FINITE,
        Reason.NO_BRIDGE,
    }
)


@dataclass(frozen=True)
class Hello:
    """The first message of every connection: who is there.

    Attributes:
        worker: the name people know this worker by.
        incarnation: random text, new for every HotReload object: namesakes and restarts differ.
        host: name of the worker's machine.
        pid: its process there.
        every: at most every n-th call of this worker is published.
        min_interval: seconds at least between two reloads of the plugin, as this worker wants it.
        settle: the newest snapshot that time alone turned down is to be written later.
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
        seq: numbers this worker's Snapshots and OwnPrograms, from 1; the Verdict names it.
        call: numbers its calls of ``update``, from 1, those included that were never sent.
        fs: sampling rate, Hz.
        graph: what to play.
        name: of the program, for its header.
        force: no throttle applies.
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
    """Is anybody there? Sent while there is nothing else to send."""


@dataclass(frozen=True)
class Bye:
    """The worker leaves."""


@dataclass(frozen=True)
class Welcome:
    """The answer to Hello.

    Attributes:
        pid: the bridge's process.
        host: the bridge's machine.
        dsp_path: the file it keeps, on that machine.
        recording: the file or directory that it records to; empty: it does not.
    """

    pid: int
    host: str
    dsp_path: str
    recording: str = ""


@dataclass(frozen=True)
class Due:
    """Which later calls can be due; a worker need not send the others, unless forced.

    Attributes:
        call: a call that qualifies by number; so does every ``every``-th after it.
        every: that period.
        after: seconds from this verdict before which time turns every call down.
        reason: why time does: "min-interval" or "reload-cost".
    """

    call: int
    every: int
    after: float
    reason: Reason = Reason.MIN_INTERVAL


@dataclass(frozen=True)
class Verdict:
    """How a call ended.

    Attributes:
        seq: of the Snapshot or OwnProgram it answers; 0 where none was sent.
        published: a new ``.dsp`` was written and the plugin reloads.
        reason: one of the closed list.
        detail: one line for people.
        warnings: what the program could not do as asked, a line each.
        due: None where the bridge wants to see every call.
        compile_seconds: what libfaust takes for a program of this structure: the plugin's silence
            at a reload; None where that is not known.
        peak_db: the largest gain from any input to any output at any frequency.
        margin_db: by so much the gain around the model's loops stays below one, whatever their
            delays are; below 0 it decides nothing.
        rt60_seconds: the model's slowest decay by 60 dB, or a time it does not exceed.
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


@dataclass(frozen=True)
class Pong:
    """Yes."""


@dataclass(frozen=True)
class Rejection:
    """The bridge could not make sense of a message, or has not met this worker: say Hello again."""

    detail: str


@dataclass(frozen=True)
class Choice:
    """Whom the plugin follows.

    Attributes:
        kind: "latest" (whoever has a due snapshot), "worker" (the one of that name), "best" (whose
            metric is best so far), "first" (who came first, until it leaves).
        name: of the worker or the metric. A worker's may end in # and the first characters of its
            incarnation, where namesakes are to be told apart.
        larger: the best metric is the largest, not the smallest.
    """

    kind: str = "latest"
    name: str = ""
    larger: bool = False

    def __str__(self) -> str:
        return " ".join([self.kind, *filter(None, [self.name, "larger" if self.larger else ""])])


@dataclass(frozen=True)
class Follow:
    """Have the plugin follow another worker; needs the right to steer, and no Hello."""

    follow: Choice


@dataclass(frozen=True)
class Steered:
    """The answer to Follow: it is done. ``detail``: one line for people."""

    detail: str


@dataclass(frozen=True)
class Event:
    """Something that happened at the bridge and is worth a line.

    Attributes:
        number: of this bridge's events, from 1, without gaps.
        at: when, seconds on the bridge's clock (``State.now`` is on the same).
        kind: one of the list in ``docs/wire.md``.
        detail: one line for people.
        worker, incarnation: whom it is about; empty: nobody.
        call: number of the call it is about.
        reason: why a call was held back.
        program: SHA-256 of the program's text that was written, in hex.
        compile_seconds: what libfaust takes for it.
    """

    number: int
    at: float
    kind: str
    detail: str = ""
    worker: str = ""
    incarnation: str = ""
    call: int | None = None
    reason: Reason | None = None
    program: str = ""
    compile_seconds: float | None = None


@dataclass(frozen=True)
class WorkerState:
    """One worker, as the bridge sees it; times are seconds on the bridge's clock.

    Attributes:
        worker, incarnation, host, pid: as in its Hello.
        user: the name that its key was enrolled under; empty: it needed none.
        connected: whether it is there; False: it has left, or vanished.
        followed: whether what it sends would be heard now.
        since: when it came.
        last_seen: when it last sent anything.
        newest_call: its number; None: there was none yet.
        metrics: of its newest snapshot.
        reason, detail: of the last verdict on one of its calls; None: there was none yet.
        counts: how many of its calls ended with each reason.
        rate: snapshots a second, lately.
    """

    worker: str
    incarnation: str
    host: str
    pid: int
    user: str
    connected: bool
    followed: bool
    since: float
    last_seen: float
    newest_call: int | None
    metrics: Mapping[str, float]
    reason: Reason | None
    detail: str
    counts: Mapping[str, int]
    rate: float


@dataclass(frozen=True)
class State:
    """All that a watcher may know, whole each time, so that one that is lost does no harm.

    Attributes:
        number: of this bridge's states, rising.
        now: seconds on the bridge's clock.
        pid, host, dsp_path, recording: as in Welcome.
        follow: whom the plugin follows.
        playing_worker, playing_incarnation, playing_call: whose snapshot the plugin has, and which;
            empty: none yet, or text of somebody's own.
        reloads: how often the plugin was made to reload.
        reloaded_at: when last, on the bridge's clock; None: not yet.
        compile_seconds: what libfaust took for what plays: the silence at that reload.
        workers: in the order in which they came; those that left lately are among them.
        events: the last ones, oldest first; ``number`` shows which are new.
    """

    number: int
    now: float
    pid: int
    host: str
    dsp_path: str
    recording: str
    follow: Choice
    playing_worker: str
    playing_incarnation: str
    playing_call: int | None
    reloads: int
    reloaded_at: float | None
    compile_seconds: float | None
    workers: tuple[WorkerState, ...]
    events: tuple[Event, ...]


ToBridge: TypeAlias = Hello | Snapshot | OwnProgram | Ping | Bye | Follow
ToPeer: TypeAlias = Welcome | Verdict | Pong | Rejection | Steered
Message: TypeAlias = ToBridge | ToPeer | Event | State
