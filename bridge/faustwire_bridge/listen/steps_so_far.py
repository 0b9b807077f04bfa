"""The snapshots of a run that were heard so far, thinned out evenly so that memory is bounded."""

from __future__ import annotations

from bisect import bisect_right

from faustwire.messages import Heard

MOST_STEPS = 2000
MOST_BYTES = 32 * 2**20


class StepsSoFar:
    """Keeps the first snapshot, and of a long run every second, fourth, … one.

    Attributes:
        size: bytes that are kept.
    """

    def __init__(self, most: int = MOST_STEPS, most_bytes: int = MOST_BYTES) -> None:
        """Nothing was heard yet.

        Args:
            most: snapshots that are kept at most.
            most_bytes: of them all, as they came.
        """
        self._most = most
        self._most_bytes = most_bytes
        self._kept: list[Heard] = []
        self._stride = 1
        self._came = 0
        self.size = 0

    def add(self, heard: Heard) -> None:
        """Take the next one; one that is not newer than the last is left out.

        Args:
            heard: what was heard, with its bytes.
        """
        if self._kept and heard.call <= self._kept[-1].call:
            return
        if self._came % self._stride == 0:
            self._kept.append(heard)
            self.size += len(heard.snapshot)
        self._came += 1
        while len(self._kept) > 1 and (
            len(self._kept) > self._most or self.size > self._most_bytes
        ):
            self._kept = self._kept[::2]
            self._stride *= 2
            self.size = sum(len(each.snapshot) for each in self._kept)

    @property
    def last_call(self) -> int:
        """Of the newest one that is kept; 0: there is none."""
        return self._kept[-1].call if self._kept else 0

    def calls(self) -> list[int]:
        """The calls of those that are kept."""
        return [each.call for each in self._kept]

    def nearest(self, call: int) -> Heard | None:
        """The newest one that is not after a call, else the first; None: nothing was heard.

        Args:
            call: number of a call.
        """
        if not self._kept:
            return None
        at = bisect_right(self._kept, call, key=lambda each: each.call)
        return self._kept[max(0, at - 1)]
