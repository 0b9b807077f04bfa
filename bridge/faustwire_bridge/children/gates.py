"""The child processes that a snapshot passes: two of each kind, so that nobody waits for another.

One of a kind works in front. When what it does takes long, the other one is started, and what is
set aside goes on in the background while the other one serves in front.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from typing import Any, Generic, Protocol, TypeVar

from faustwire_bridge.children.compile_gate import Checker
from faustwire_bridge.children.judge import JudgeProcess
from faustwire_bridge.core import events, instructions

_log = logging.getLogger("faustwire.bridge")

# Long before somebody has to make room, so that the second process is ready by then; most models
# are judged and compiled in a fraction of this.
_SPARE_AFTER_SECONDS = 0.15

_Failed = type[events.JudgeFailed] | type[events.CompileFailed]


class _Child(Protocol):
    """A child process that answers one request at a time."""

    def outcome(self) -> events.Outcome | None:
        """How its work ended, if there was some and it has."""

    def cancel(self) -> None:
        """Give up its work, if it has some."""

    def fileno(self) -> int | None:
        """What to wait for."""

    def deadline(self) -> float | None:
        """When ``outcome`` must be called at the latest."""

    def close(self) -> None:
        """End it for good."""


_T = TypeVar("_T", bound=_Child)


class _Pair(Generic[_T]):
    """Two processes of one kind, the second from when it is needed for the first time.

    Attributes:
        front: the one that is asked.
        aside: the one that works in the background; None: nothing is set aside.
        begun: since when the one in front works, in monotonic seconds; None: it does not.
        failed: what an error of its own ends its work with.
    """

    def __init__(self, make: Callable[[], _T], failed: _Failed) -> None:
        self._make = make
        self.front = make()
        self.aside: _T | None = None
        self._spare: _T | None = None
        self.begun: float | None = None
        self.failed = failed
        self._cannot_start = False

    def children(self) -> list[_T]:
        """All that there are."""
        return [child for child in (self.front, self.aside, self._spare) if child is not None]

    def spare_at(self) -> float | None:
        """When a second one is to be started; None: there is one, or no need."""
        if self.begun is None or self._cannot_start or len(self.children()) > 1:
            return None
        return self.begun + _SPARE_AFTER_SECONDS

    def start_spare(self) -> None:
        """Start a second one.

        Raises:
            OSError: it can't be started.
        """
        if self._spare is None:
            self._cannot_start = True
            self._spare = self._make()
            self._cannot_start = False

    def set_aside(self) -> None:
        """Let the one in front go on in the background.

        Raises:
            OSError: there is no second one, and none can be started.
        """
        self.start_spare()
        assert self._spare is not None  # noqa: S101 - just started
        self.front, self.aside, self._spare = self._spare, self.front, None
        self.begun = None

    def outcome(self) -> events.Outcome | None:
        """How the work in front has ended, if it has."""
        outcome = self._outcome(self.front)
        if outcome is not None:
            self.begun = None
        return outcome

    def outcome_aside(self) -> events.Outcome | None:
        """How the work in the background has ended, if it has."""
        if self._spare is not None:
            self._spare.outcome()  # it may have ended by itself
        outcome = None if self.aside is None else self._outcome(self.aside)
        if outcome is not None:
            self.aside, self._spare = None, self.aside
        return outcome

    def _outcome(self, child: _T) -> events.Outcome | None:
        try:
            return child.outcome()
        except Exception as problem:  # noqa: BLE001 - the publication needs a verdict
            _log.exception("internal error in a child's answer")
            return self.failed(f"internal error: {problem!r}")

    def cancel(self) -> None:
        """Give up the work in front."""
        self.begun = None
        self.front.cancel()

    def cancel_aside(self) -> None:
        """Give up the work in the background."""
        if self.aside is not None:
            self.aside.cancel()
            self.aside, self._spare = None, self.aside


class Gates:
    """Judges and compilers: what the core asks for, and what comes of it."""

    def __init__(
        self, make_judge: Callable[[], JudgeProcess], make_checker: Callable[[], Checker]
    ) -> None:
        """Start one of each.

        Args:
            make_judge: starts a process that judges.
            make_checker: starts one that compiles, where there is a compiler.

        Raises:
            OSError: no process can be started.
        """
        self._judges = _Pair(make_judge, events.JudgeFailed)
        self._checkers = _Pair(make_checker, events.CompileFailed)

    def begin(self, asked: instructions.Judge | instructions.Compile) -> events.Outcome | None:
        """Have something judged or compiled; nothing else may be in progress in front.

        Args:
            asked: what.

        Returns:
            The outcome, where there is one at once; None: ``outcomes`` will tell.
        """
        pair: _Pair[Any]
        outcome: events.Outcome | None
        if isinstance(asked, instructions.Judge):
            pair = self._judges
            outcome = self._judges.front.begin(asked)
        else:
            pair = self._checkers
            outcome = self._checkers.front.compile(
                asked.program, play=asked.play, thorough=asked.thorough
            )
        pair.begun = time.monotonic() if outcome is None else None
        return outcome

    def set_aside(self) -> events.FinishedAside | None:
        """Let what is in progress go on in the background, while others are served.

        Returns:
            Its end, where there is no process to serve others; None: ``outcomes`` will tell.
        """
        for pair in self._pairs():
            if pair.begun is None:
                continue
            try:
                pair.set_aside()
            except OSError as problem:
                pair.cancel()
                return events.FinishedAside(
                    pair.failed(f"it takes long, and no second process can be started: {problem}")
                )
        return None

    def cancel(self, *, aside: bool = False) -> None:
        """Give up what is in progress, if something is.

        Args:
            aside: what was set aside instead.
        """
        for pair in self._pairs():
            if aside:
                pair.cancel_aside()
            else:
                pair.cancel()

    def outcomes(self) -> Iterator[events.Outcome | events.FinishedAside]:
        """What has ended since the last time; a second process is started when one takes long."""
        for pair in self._pairs():
            outcome = pair.outcome()
            if outcome is not None:
                yield outcome
            aside = pair.outcome_aside()
            if aside is not None:
                yield events.FinishedAside(aside)
            spare_at = pair.spare_at()
            if spare_at is not None and time.monotonic() >= spare_at:
                try:
                    pair.start_spare()
                except OSError as problem:
                    _log.warning("a second process can't be started: %s", problem)

    def filenos(self) -> list[int]:
        """What to wait for; others after each start of a process."""
        found = (child.fileno() for pair in self._pairs() for child in pair.children())
        return [descriptor for descriptor in found if descriptor is not None]

    def deadline(self) -> float | None:
        """When ``outcomes`` must be called at the latest, in monotonic seconds."""
        found = [child.deadline() for pair in self._pairs() for child in pair.children()]
        found += [pair.spare_at() for pair in self._pairs()]
        return min((at for at in found if at is not None), default=None)

    def close(self) -> None:
        """End all processes."""
        for pair in self._pairs():
            for child in pair.children():
                child.close()

    def _pairs(self) -> tuple[_Pair[JudgeProcess], _Pair[Checker]]:
        return self._judges, self._checkers
