"""Values by call, thinned out evenly, so that memory is bounded however long a training is."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Generic, TypeVar

_Value = TypeVar("_Value")
# More than a plot has columns.
_MOST = 4000


class Curve(Generic[_Value]):
    """Keeps at least half of ``most`` points, evenly spread over those that came, and the last."""

    def __init__(self, most: int = _MOST) -> None:
        self._most = most
        self._stride = 1
        self._came = 0
        self._points: list[tuple[int, _Value]] = []
        self._last: tuple[int, _Value] | None = None

    def add(self, call: int, value: _Value) -> None:
        """Take the next point.

        Args:
            call: number of the call.
            value: the value at that call.
        """
        self._last = (call, value)
        if self._came % self._stride == 0:
            self._points.append(self._last)
            if len(self._points) >= self._most:
                self._points = self._points[::2]
                self._stride *= 2
        self._came += 1

    def __iter__(self) -> Iterator[tuple[int, _Value]]:
        yield from self._points
        if self._last is not None and self._points[-1] is not self._last:
            yield self._last

    def __len__(self) -> int:
        return sum(1 for _ in self)
