"""When watchers get a State: at once when they come, then as often as people can look. Pure."""

from __future__ import annotations

# Ten a second is as fast as anybody reads, and so little that 64 busy workers don't feel it.
_LEAST_SECONDS = 0.1
# A state of a thousand workers takes a twentieth of a second to tell: publishing comes first.
_COST_MULTIPLE = 10.0
# A bridge where nothing happens is still there.
_MOST_SECONDS = 1.0


class Broadcast:
    """Decides when the next State is due; times are seconds on a clock that never goes back."""

    def __init__(self, now: float) -> None:
        self._sent = now - _MOST_SECONDS
        self._pause = 0.0
        self._due = False
        self._changed = False

    def changed(self) -> None:
        """Note that the state has changed."""
        self._changed = True

    def joined(self) -> None:
        """Note that a watcher has subscribed."""
        self._due = True

    def deadline(self) -> float:
        """When the next State is due."""
        if self._due:
            return self._sent + self._pause
        usual = _LEAST_SECONDS if self._changed else _MOST_SECONDS
        return self._sent + max(usual, self._pause)

    def sent(self, now: float, seconds: float) -> None:
        """Note that a State was sent.

        Args:
            now: when.
            seconds: how long it took to make; the next one comes ten times as late at the earliest.
        """
        self._sent, self._due, self._changed = now, False, False
        self._pause = _COST_MULTIPLE * seconds
