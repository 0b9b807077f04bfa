"""One incarnation of a worker: what the bridge remembers of it, connected or lately gone."""

from __future__ import annotations

import math
from collections import Counter, deque
from dataclasses import dataclass, field

from faustwire.messages import Hello, Reason, Verdict
from faustwire.packed_snapshot import PackedSnapshot
from faustwire.worker_name import full_name
from faustwire_bridge.core.events import User

# Workers ping every second, so five lost pings are not an accident, unless the worker is sending a
# message that takes longer. It costs nobody anything to be thought gone: whoever says something
# over the same connection is taken back.
SILENCE_SECONDS = 5.0
# Best values that are kept for each worker; as many as a snapshot may have metrics.
MAX_METRICS = 64
# The beginning of a detail that is kept for a table.
_MAX_DETAIL = 200
# For the rate that people see.
_RECENT = 32


@dataclass
class Session:
    """One incarnation of a worker; times are seconds on the bridge's clock.

    Attributes:
        hello, user: who it says it is, and whose key it came with.
        peer: its connection; None: it has left.
        silent_peer: the connection over which nothing came for too long.
        joined: index of the session in the order in which they came.
        since, heard, left: when it came, last sent anything, and left.
        answered: the last verdict, for a message that is sent again.
        newest: its newest snapshot, while it is connected and there is room for it.
        newest_call, metrics: of that, kept after it has left.
        arrival: arrival index of its newest snapshot across all workers.
        unsettled: its newest snapshot that only time has turned down, with its arrival index, if it
            is to be published later.
        extremes: the smallest and the largest value of each metric so far.
        reason, detail, counts: of the verdicts on its calls.
        recent: when its last snapshots came.
    """

    hello: Hello
    user: User | None
    peer: bytes | None
    joined: int
    since: float
    heard: float
    left: float = 0.0
    silent_peer: bytes | None = None
    answered: Verdict | None = None
    newest: PackedSnapshot | None = None
    newest_call: int | None = None
    metrics: dict[str, float] = field(default_factory=dict)
    arrival: int = 0
    unsettled: tuple[PackedSnapshot, int] | None = None
    extremes: dict[str, tuple[float, float]] = field(default_factory=dict)
    reason: Reason | None = None
    detail: str = ""
    counts: Counter[str] = field(default_factory=Counter)
    recent: deque[float] = field(default_factory=lambda: deque(maxlen=_RECENT))

    @property
    def name(self) -> str:
        """What people know it by; what its key was enrolled under can't be chosen by a worker."""
        return full_name(self.hello.worker, None if self.user is None else self.user.name)

    @property
    def present(self) -> bool:
        """Whether it takes part in the choice of who is heard."""
        return self.peer is not None or self.unsettled is not None

    def newest_seq(self) -> int:
        """The number of its newest snapshot; 0 where that is not kept."""
        return 0 if self.newest is None else self.newest.seq

    def held_bytes(self) -> int:
        """Bytes of its snapshots that are kept."""
        newest = 0 if self.newest is None else len(self.newest.data)
        if self.unsettled is None or self.unsettled[0] is self.newest:
            return newest
        return newest + len(self.unsettled[0].data)

    def silent_at(self) -> float:
        """When it counts as gone unless it is heard of before."""
        return self.heard + SILENCE_SECONDS

    def best(self, metric: str, *, larger: bool) -> float | None:
        """Look up its best value of a metric so far.

        Args:
            metric: name of the metric.
            larger: whether the largest value is the best.

        Returns:
            The value; None: it has sent none.
        """
        return self.extremes[metric][larger] if metric in self.extremes else None

    def rate(self, now: float) -> float:
        """Snapshots a second, lately; falls towards 0 when they stop."""
        if len(self.recent) < 2 or now <= self.recent[0]:
            return 0.0
        return (len(self.recent) - 1) / (now - self.recent[0])

    def keep_snapshot(self, snapshot: PackedSnapshot, arrival: int, now: float) -> None:
        """Remember its newest snapshot and the metrics that came with it.

        Args:
            snapshot: what came.
            arrival: arrival index across all workers.
            now: seconds on the bridge's clock.
        """
        self.newest, self.newest_call = snapshot, snapshot.call
        self.arrival = arrival
        self.recent.append(now)
        if snapshot.metrics:
            self.metrics = dict(snapshot.metrics)
        for metric, value in snapshot.metrics.items():
            if math.isfinite(value):
                low, high = self.extremes.pop(metric, (value, value))
                self.extremes[metric] = min(low, value), max(high, value)
        # Those that have not come for longest are the first ones.
        while len(self.extremes) > MAX_METRICS:
            del self.extremes[next(iter(self.extremes))]

    def count_verdict(self, verdict: Verdict) -> None:
        """Remember the verdict on one of its messages."""
        self.reason, self.detail = verdict.reason, verdict.detail[:_MAX_DETAIL]
        self.counts[verdict.reason.value] += 1
        if self.answered is None or self.answered.seq < verdict.seq:
            self.answered = verdict
