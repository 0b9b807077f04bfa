"""Who waits for a State, and when it is due. Pure.

A watcher asks for one State at a time, so nothing queues for one that does not read, and one that
does not ask again is forgotten with the State that it gets. Nobody waits longer than a second.
"""

from __future__ import annotations

import math
from typing import NamedTuple

# Ten a second is as fast as anybody reads, and so little that 64 busy workers don't feel it.
_LEAST_SECONDS = 0.1
# A state of a thousand workers takes a twentieth of a second to tell: publishing comes first.
_COST_MULTIPLE = 10.0
# A bridge where nothing happens is still there.
_MOST_SECONDS = 1.0
# Of one user, or of all who need no key: more than look on, and a state is sent to each.
MAX_WATCHERS = 64


class _Asked(NamedTuple):
    """What is known of one that waits: its user's name, and the number of the State it has."""

    user: str | None
    number: int


class Watchers:
    """Those who have asked for the next State; times are seconds on a clock that never goes back.

    A State goes to everybody who waits, at most ten times a second. Who has missed the last one of
    those, or has none, gets one of its own at once.
    """

    def __init__(self) -> None:
        self._waiting: dict[bytes, _Asked] = {}
        self._changed = False
        # When the last State was made, and when the last one for everybody was.
        self._made = self._told = -math.inf
        self._pause = 0.0
        # Their numbers.
        self._newest = self._shared = 0

    def ask(self, peer: bytes, user: str | None, number: int) -> str | None:
        """Note that somebody asks for the next State; whoever waits already asks again.

        Args:
            peer: its connection.
            user: the name its key was enrolled under; None: it needed none.
            number: of the State it has; 0: it has none.

        Returns:
            Why it gets none; None: it waits.
        """
        others = sum(
            asked.user == user for waiting, asked in self._waiting.items() if waiting != peer
        )
        if others >= MAX_WATCHERS:
            return f"{MAX_WATCHERS} connections watch already, and no more can"
        self._waiting[peer] = _Asked(user, number)
        return None

    def changed(self) -> None:
        """Note that the state has changed."""
        self._changed = True

    def deadline(self) -> float:
        """When the next State is due; infinite while nobody waits for one."""
        if any(map(self._is_behind, self._waiting.values())):
            return self._made + self._pause
        return self._for_all_at() if self._waiting else math.inf

    def pop_due(self, now: float, number: int) -> list[bytes]:
        """Note that a State is made.

        Args:
            now: when.
            number: of the State.

        Returns:
            The connections to send it to; they no longer wait.
        """
        for_all = now >= self._for_all_at()
        due = [peer for peer, asked in self._waiting.items() if for_all or self._is_behind(asked)]
        if for_all:
            self._told, self._shared, self._changed = now, number, False
        self._made, self._newest = now, number
        for peer in due:
            del self._waiting[peer]
        return due

    def told(self, now: float, seconds: float) -> None:
        """Note that a State was sent.

        Args:
            now: when.
            seconds: how long that took; the next one comes ten times as late at the earliest.
        """
        self._made, self._pause = now, _COST_MULTIPLE * seconds

    def _for_all_at(self) -> float:
        usual = _LEAST_SECONDS if self._changed else _MOST_SECONDS
        return max(self._told + usual, self._made + self._pause)

    def _is_behind(self, asked: _Asked) -> bool:
        # One of a higher number is from another bridge that was here before.
        return not self._shared <= asked.number <= self._newest or not asked.number
