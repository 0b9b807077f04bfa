"""A training in this process, whose calls of ``update`` are timed."""

from __future__ import annotations

import time

from bridges import DEADLINE, eventually
from faustwire_publisher import HotReload
from models import Knob


class Training:
    """Steps a model, times its calls of ``update`` and keeps the longest."""

    def __init__(self, live: HotReload) -> None:
        self.live, self.knob, self.longest = live, Knob(), 0.0
        self.calls = 0

    def step(self) -> bool:
        # No two in a row are the same, and none is too loud, however long it goes on.
        self.calls += 1
        self.knob.set(1.0 + self.calls % 1000 / 1000)
        start = time.monotonic()
        published = self.live.update(self.knob.model)
        self.longest = max(self.longest, time.monotonic() - start)
        return published

    def go_on(self, seconds: float) -> None:
        """Step every 20 ms for a while."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self.step()
            time.sleep(0.02)

    def until_published(self, what: str, seconds: float = DEADLINE) -> float:
        """Step until a call is published; returns the seconds that it took."""
        start = time.monotonic()

        def attempt() -> bool:
            time.sleep(0.01)
            return self.step()

        eventually(attempt, what, seconds)
        return time.monotonic() - start
