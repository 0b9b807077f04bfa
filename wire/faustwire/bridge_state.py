"""What a bridge tells those who watch it: whom it follows, who is there, what has happened."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from faustwire.reason import Reason


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
