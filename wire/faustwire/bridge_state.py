"""What a bridge shows to those who watch it: whom it follows, who is there, what has happened."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from faustwire.reason import Reason

# The kinds of events that say that something was published.
PUBLISHED = ("published", "settled")
# Counted beside the reasons: publications of a snapshot whose call had ended before.
PUBLISHED_LATER = ("settled", "followed")


def published_count(counts: Mapping[str, int]) -> int:
    """How often snapshots of a worker were published.

    Args:
        counts: of the verdicts by reason, and of what was published later.

    Returns:
        At their calls and later.
    """
    return sum(counts.get(name, 0) for name in (Reason.PUBLISHED.value, *PUBLISHED_LATER))


@dataclass(frozen=True)
class Choice:
    """Which worker the plugin follows.

    Attributes:
        kind: "latest" (any worker whose snapshot is due), "worker" (the one of that name), "best"
            (the one whose metric is best so far), or "first" (the one that connected first, until
            it leaves).
        name: of the worker, as in ``worker_name``, or of the metric.
        larger: whether the best metric is the largest instead of the smallest.
    """

    kind: str = "latest"
    name: str = ""
    larger: bool = False

    def __str__(self) -> str:
        return " ".join([self.kind, *filter(None, [self.name, "larger" if self.larger else ""])])


@dataclass(frozen=True)
class Event:
    """Something that happened at the bridge, for people to read.

    Attributes:
        number: among this bridge's events, from 1, without gaps.
        at: when, seconds on the bridge's clock, which is that of ``State.now``.
        kind: one of the list in ``docs/wire.md``.
        detail: one line for people.
        worker, incarnation: the worker it is about; empty: it is about none.
        call: number of the call it is about.
        reason: why a call was held back.
        program: SHA-256 of the program that was written, in hex.
        compile_seconds: how long libfaust takes to compile it.
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
    """What the bridge knows of one worker; times are seconds on the bridge's clock.

    Attributes:
        worker, incarnation, host, pid: as in its Hello.
        user: the name that its key was enrolled under; empty: it needed none.
        connected: whether it is connected; False: it has left, or no longer answers.
        followed: whether the plugin follows it now.
        since: when it connected.
        last_seen: when it last sent anything.
        newest_call: number of its newest call that was sent; None: there was none yet.
        metrics: of its newest snapshot.
        reason, detail: of the last verdict on one of its calls; None: there was none yet.
        counts: how many of its calls ended with each reason; also, as ``settled`` and ``followed``,
            how often a snapshot was published after its call had ended.
        rate: snapshots per second over the last few.
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

    @property
    def calls(self) -> int:
        """How many of its calls have ended."""
        return sum(self.verdicts.values())

    @property
    def verdicts(self) -> dict[str, int]:
        """How many of its calls ended with each reason."""
        return {name: n for name, n in self.counts.items() if name not in PUBLISHED_LATER}

    @property
    def published(self) -> int:
        """How often the plugin was made to load a snapshot of it, at its call or later."""
        return published_count(self.counts)


@dataclass(frozen=True)
class State:
    """All that a watcher may know, complete each time, so that a lost one does no harm.

    Attributes:
        number: rises with each state of this bridge.
        now: seconds on the bridge's clock.
        pid, host, dsp_path, recording: as in Welcome.
        follow: which worker the plugin follows.
        playing_worker, playing_incarnation, playing_call: the call whose program the plugin plays;
            empty: none yet, or a program of somebody's own.
        reloads: how often the plugin was made to reload.
        reloaded_at: when it last was, on the bridge's clock; None: not yet.
        compile_seconds: how long libfaust took to compile the program that plays, for which the
            plugin was silent.
        workers: in the order in which they connected; those that left lately are included.
        events: the last ones, oldest first; ``number`` shows which are new.
        load: processor time that a second of what plays takes, as a part of one core; None: not
            measured.
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
    load: float | None = None
