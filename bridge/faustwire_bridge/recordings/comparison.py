"""What is decided now, held against what was recorded."""

from __future__ import annotations

import math
from collections import OrderedDict, deque
from dataclasses import replace

from faustwire.messages import Event, Verdict
from faustwire_bridge.recordings.outcome import Outcome

# What is kept to be held against the recording; a verdict is recorded when it is sent.
_MAX_OPEN = 4096
# Of figures that come from linear algebra the last digits are the machine's.
_SAME = 1e-6
# Bounds, which depend on how they are found; a peak is told where a bound on it was not enough.
_SAME_BOUND = 0.5
_BOUNDS = ("margin_db", "rt60_seconds")
_FIGURES = ("peak_db", "margin_db", "rt60_seconds", "compile_seconds")


class Comparison:
    """Takes both, in the order in which they come, and notes what differs."""

    def __init__(self, outcome: Outcome, *, from_the_start: bool, only_programs: bool) -> None:
        """Nothing has come yet.

        Args:
            outcome: gets the differences.
            from_the_start: whether the events have the numbers that they had.
            only_programs: compare no more than which programs were written.
        """
        self._only_programs = only_programs
        self._outcome = outcome
        self._from_the_start = from_the_start
        self._verdicts: OrderedDict[tuple[bytes, int], Verdict] = OrderedDict()
        self._events: deque[Event] = deque(maxlen=_MAX_OPEN)

    def decided(self, peer: bytes, verdict: Verdict) -> None:
        """Note a verdict that was given now, to compare it with the recorded one.

        Args:
            peer: ZeroMQ's routing id of the worker's connection.
            verdict: what the core decided now.
        """
        if self._only_programs:
            return
        self._verdicts[peer, verdict.seq] = verdict
        if len(self._verdicts) > _MAX_OPEN:
            self._verdicts.popitem(last=False)

    def happened(self, event: Event) -> None:
        """Something happened now."""
        if event.program or not self._only_programs:
            self._events.append(event)

    def is_decided(self, peer: bytes, seq: int) -> bool:
        """Whether a recorded verdict has its counterpart now.

        Args:
            peer: ZeroMQ's routing id of the worker's connection.
            seq: number of the message that the verdict answers.

        Returns:
            True if the core has given that verdict and it is not compared yet, or if only programs
            are compared.
        """
        return self._only_programs or (peer, seq) in self._verdicts

    def recorded(self, worker: str, peer: bytes, verdict: Verdict) -> None:
        """Compare a recorded verdict with the one that was given now, and note a difference.

        Args:
            worker: the worker's name, for the line that tells of a difference.
            peer: ZeroMQ's routing id of the worker's connection.
            verdict: what was recorded.
        """
        if self._only_programs:
            return
        now = self._verdicts.pop((peer, verdict.seq), None)
        if now is None:
            self._outcome.differs(f"{worker}, message {verdict.seq}: {verdict.reason}, now nothing")
        elif not same(now, verdict):
            self._outcome.differs(
                f"{worker}, message {verdict.seq}: {_told(verdict, now)}, now {_told(now, verdict)}"
            )

    def happened_then(self, event: Event) -> None:
        """Something happened then."""
        if self._only_programs and not event.program:
            return
        now = self._events.popleft() if self._events else None
        if now is None or not self._is_same_event(now, event):
            said = "nothing" if now is None else f"{now.kind} {now.detail} {now.program[:12]}"
            self._outcome.differs(
                f"event {event.number}, {event.worker} {event.kind} {event.detail} "
                f"{event.program[:12]}, now {said}"
            )

    def _is_same_event(self, now: Event, then: Event) -> bool:
        if self._only_programs:
            return now.program == then.program
        number = now.number if self._from_the_start else then.number
        return replace(now, number=number) == then

    def end(self) -> None:
        """Nothing more was recorded; what is published now and was not then is a difference."""
        for (_, seq), verdict in self._verdicts.items():
            if verdict.published:
                self._outcome.differs(f"message {seq}: nothing, now {verdict.reason}")


def same(now: Verdict, then: Verdict) -> bool:
    """Whether two verdicts are the same but for the last digits of their figures.

    Args:
        now: the verdict that was given now.
        then: the one that was recorded.

    Returns:
        True if the gain and the compile time agree to a relative or absolute 1e-6, the margin and
        the decay time to a half, or are missing in both (the gain: in one), all recorded warnings
        are given now, and all other fields are equal. A later version may warn of more.
    """
    if not set(then.warnings) <= set(now.warnings):
        return False
    for name in _FIGURES:
        one, other = getattr(now, name), getattr(then, name)
        if (one is None) != (other is None):
            if name == "peak_db":
                continue
            return False
        near = _SAME_BOUND if name in _BOUNDS else _SAME
        if one is not None and not math.isclose(one, other, rel_tol=near, abs_tol=_SAME):
            return False
    return replace(now, **{name: getattr(then, name) for name in (*_FIGURES, "warnings")}) == then


def _told(verdict: Verdict, other: Verdict) -> str:
    """The fields in which a verdict is not the other one."""
    fields = [
        f"{name} {value}"
        for name, value in vars(verdict).items()
        if value != getattr(other, name) and name != "published"
    ]
    return ", ".join(fields)[:300]
