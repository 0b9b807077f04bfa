"""The messages between a worker and the bridge, one frozen type each; see ``docs/wire.md``.

A worker says Hello, then sends Snapshots, Sources and Pings, one at a time, and Bye. The bridge
answers Hello with Welcome, Snapshot and Source with a Verdict, Ping with Pong, and what it can't
make sense of with Rejection.
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
    """

    worker: str
    incarnation: str
    host: str = ""
    pid: int = 0
    every: int = 1
    min_interval: float = 0.5


@dataclass(frozen=True)
class Snapshot:
    """The model as it was at one call of ``update``.

    Attributes:
        seq: numbers this worker's Snapshots and Sources, from 1; the Verdict names it.
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
class Source:
    """Faust text of the caller's own; no throttle applies. ``seq`` as in Snapshot."""

    seq: int
    code: str


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
    """

    pid: int
    host: str
    dsp_path: str


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
        seq: of the Snapshot or Source it answers; 0 where none was sent.
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


ToBridge: TypeAlias = Hello | Snapshot | Source | Ping | Bye
ToWorker: TypeAlias = Welcome | Verdict | Pong | Rejection
Message: TypeAlias = ToBridge | ToWorker
