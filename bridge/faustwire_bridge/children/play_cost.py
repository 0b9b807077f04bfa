"""What a program costs while it is played: it may begin to do more after a while, or with a knob.

It imports nothing but the standard library, as ``player``.
"""

from __future__ import annotations

from collections import deque

from faustwire_bridge.children.play_plan import FS

# Four tenths of a second: what takes longer once is somebody else's doing.
_LASTS_BLOCKS = 4
# As much more than at first is no busy machine's doing either.
_MUCH_MORE = 3.0


class PlayCost:
    """The highest cost that lasts for several blocks."""

    def __init__(self) -> None:
        self._last: deque[float] = deque(maxlen=_LASTS_BLOCKS)
        self._highest = 0.0

    def begin(self) -> None:
        """What comes next is another run."""
        self._last.clear()

    def add(self, seconds: float, samples: int) -> None:
        """A block was played.

        Args:
            seconds: of the processor that it took.
            samples: its length.
        """
        self._last.append(seconds / samples * FS)
        if len(self._last) == _LASTS_BLOCKS:
            self._highest = max(self._highest, min(self._last))

    def load(self, at_first: float) -> float:
        """The processor time that a second of sound at 48 kHz takes, as a part of one core.

        Args:
            at_first: what it took before it was played.

        Returns:
            The same, or what it took later where that was much more.
        """
        return self._highest if self._highest > _MUCH_MORE * at_first else at_first
