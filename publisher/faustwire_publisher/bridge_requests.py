"""When a worker without a connection asks for a bridge to be started on its machine."""

from __future__ import annotations

import math
from collections.abc import Callable

# Pauses between two requests. The first is for a bridge that is just ending.
_PAUSE_SECONDS = (0.05, 0.5, 1.0, 2.0, 5.0)


class BridgeRequests:
    """Requests with growing pauses between them; none where bridges are not started here.

    Attributes:
        due: when to ask next, monotonic seconds; infinite where there is nobody to ask.
    """

    def __init__(self, revive: Callable[[], str | None] | None) -> None:
        """Nothing is asked for yet.

        Args:
            revive: starts a bridge if there is none, and returns what is wrong, if anything; None:
                bridges are not started here.
        """
        self._revive = revive
        self._asked = 0
        self.due = math.inf
        self.start_over()

    @property
    def are_made(self) -> bool:
        """Whether a bridge that is not there is started."""
        return self._revive is not None

    def start_over(self) -> None:
        """Ask at once the next time, and with short pauses: a connection was lost."""
        if self._revive is not None:
            self._asked, self.due = 0, 0.0

    def make(self, now: float) -> str | None:
        """Ask for a bridge.

        Args:
            now: monotonic seconds, not before ``due``.

        Returns:
            What is wrong, one line; None: nothing.
        """
        if self._revive is None:
            return None
        self.due = now + _PAUSE_SECONDS[min(self._asked, len(_PAUSE_SECONDS) - 1)]
        self._asked += 1
        return self._revive()
