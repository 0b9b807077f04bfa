"""How loud what played in the last seconds was: from there a sudden rise is measured. Pure."""

from __future__ import annotations

from collections import deque

from faustwire_bridge.core.sound_limits import GRADUAL_DB, JUMP_SECONDS


class RecentLevels:
    """The levels of what plays and of what has played for the last ``JUMP_SECONDS``.

    What is not known counts as unity gain, and so does what is quieter: a model may come out of
    silence. A rise of at most ``GRADUAL_DB`` is a gradual one, which nothing before it is held to:
    ears hear it coming, and so a training gets louder.
    """

    def __init__(self) -> None:
        self._playing_db = 0.0
        # (when it stopped, level in dB), of earlier programs. Of several the quietest counts, so
        # each is louder than those before it; and of the others, each is quieter.
        self._past: deque[tuple[float, float]] = deque()
        self._loudest: deque[tuple[float, float]] = deque()

    def plays(self, level_db: float | None, now: float) -> None:
        """Another program plays from now on.

        Args:
            level_db: its level in dB; None: not known, or silence.
            now: seconds on the bridge's clock.
        """
        self._forget(now)
        while self._past and self._past[-1][1] >= self._playing_db:
            self._past.pop()
        while self._loudest and self._loudest[-1][1] <= self._playing_db:
            self._loudest.pop()
        self._past.append((now, self._playing_db))
        self._loudest.append((now, self._playing_db))
        before_db, self._playing_db = self._playing_db, max(level_db or 0.0, 0.0)
        if self._playing_db - before_db > GRADUAL_DB:
            return
        # What only comes back to where it was has not risen.
        rise_db = self._playing_db - self._loudest[0][1]
        if rise_db > 0:
            self._past = deque((until, past_db + rise_db) for until, past_db in self._past)

    def lowest_db(self, now: float) -> float:
        """The level that a rise is measured from.

        Args:
            now: seconds on the bridge's clock.

        Returns:
            The lowest in dB, 0 or more, of what plays and of what has played lately.
        """
        self._forget(now)
        past_db = self._past[0][1] if self._past else self._playing_db
        return min(past_db, self._playing_db)

    def _forget(self, now: float) -> None:
        for levels in (self._past, self._loudest):
            while levels and levels[0][0] <= now - JUMP_SECONDS:
                levels.popleft()
