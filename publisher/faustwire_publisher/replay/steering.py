"""A replay that is steered while it plays: paused, moved, hurried, ended."""

from __future__ import annotations

import threading
import time
from collections import deque

from faustwire_publisher.arguments import number
from faustwire_publisher.replay.cursor import BACK, FORWARD
from faustwire_publisher.replay.pace import Pace


class Steering:
    """What may be called from any thread while a replay plays.

    Attributes:
        pace: when each state is sent.
    """

    def __init__(self, pace: Pace) -> None:
        """Start without any request.

        Args:
            pace: of the replay.
        """
        self.pace = pace
        self._moves: deque[int] = deque()
        self._sought_ns: int | None = None
        self._stopped = False
        self._news = threading.Event()

    def pause(self, *, paused: bool = True) -> None:
        """Pause, or continue with ``paused=False``."""
        self.pace.pause(time.monotonic(), paused=paused)
        self._news.set()

    def forward(self) -> None:
        """Send the next state at once, forced."""
        self._moves.append(FORWARD)
        self._news.set()

    def back(self) -> None:
        """Send the previous state at once, forced."""
        self._moves.append(BACK)
        self._news.set()

    def change_speed(self, speed: float) -> None:
        """Continue at another speed; the workers' ``min_interval`` stays as it was at the start.

        Args:
            speed: recorded seconds a second.

        Raises:
            ArgumentError: it is not a number above 0.
        """
        self.pace.change_speed(number("speed", speed, above=0), time.monotonic())
        self._news.set()

    def seek(self, at_ns: int) -> None:
        """Continue at a time of the recording, in ns on its clock."""
        self._sought_ns = at_ns
        self._news.set()

    def stop(self) -> None:
        """Send nothing more."""
        self._stopped = True
        self._news.set()
