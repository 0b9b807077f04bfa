"""When what was recorded at some time is to be sent: the speed, and pauses."""

from __future__ import annotations

import math


class Pace:
    """Recorded time beside the clock's; both in seconds.

    Attributes:
        speed: recorded seconds a second; infinite: all at once.
        paused: whether recorded time stands still.
    """

    def __init__(self, speed: float, *, paused: bool = False) -> None:
        self.speed = speed
        self.paused = paused
        self._at = 0.0
        self._since = 0.0

    def go_to(self, at: float, now: float) -> None:
        """Be at a recorded time."""
        self._at, self._since = at, now

    def position(self, now: float) -> float:
        """The recorded time that it is."""
        if self.paused or math.isinf(self.speed):
            return self._at
        return self._at + (now - self._since) * self.speed

    def wait(self, at: float, now: float) -> float | None:
        """How long until a recorded time is there: seconds, 0 if it is; None: not while paused."""
        if self.paused:
            return None
        if math.isinf(self.speed):
            return 0.0
        return max(0.0, (at - self.position(now)) / self.speed)

    def pause(self, now: float, *, paused: bool = True) -> None:
        """Stand still, or go on from here."""
        self.go_to(self.position(now), now)
        self.paused = paused

    def change_speed(self, speed: float, now: float) -> None:
        """Go on from here at another speed."""
        self.go_to(self.position(now), now)
        self.speed = speed
