"""Recorded time against the clock: the speed, and pauses."""

from __future__ import annotations

import math


class Pace:
    """Recorded time beside the clock's; both in seconds.

    Attributes:
        speed: recorded seconds a second; infinite: all at once.
        paused: whether recorded time stands still.
    """

    def __init__(self, speed: float, *, paused: bool = False) -> None:
        """Stand at recorded time 0.

        Args:
            speed: recorded seconds a second.
            paused: whether recorded time stands still at first.
        """
        self.speed = speed
        self.paused = paused
        self._at = 0.0
        self._since = 0.0

    def go_to(self, at: float, now: float) -> None:
        """Set the recorded time.

        Args:
            at: recorded time, seconds.
            now: the clock's time, seconds.
        """
        self._at, self._since = at, now

    def position(self, now: float) -> float:
        """The recorded time at the clock's time ``now``, seconds."""
        if self.paused or math.isinf(self.speed):
            return self._at
        return self._at + (now - self._since) * self.speed

    def wait(self, at: float, now: float) -> float | None:
        """How long until a recorded time is reached.

        Args:
            at: recorded time, seconds.
            now: the clock's time, seconds.

        Returns:
            Seconds, 0 if it has been reached; None: never, while paused.
        """
        if self.paused:
            return None
        if math.isinf(self.speed):
            return 0.0
        return max(0.0, (at - self.position(now)) / self.speed)

    def pause(self, now: float, *, paused: bool = True) -> None:
        """Stop recorded time, or let it run on.

        Args:
            now: the clock's time, seconds.
            paused: whether to stop it.
        """
        self.go_to(self.position(now), now)
        self.paused = paused

    def change_speed(self, speed: float, now: float) -> None:
        """Continue from here at another speed.

        Args:
            speed: recorded seconds a second.
            now: the clock's time, seconds.
        """
        self.go_to(self.position(now), now)
        self.speed = speed
