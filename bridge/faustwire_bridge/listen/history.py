"""The curve of a run: metrics by call, thinned out evenly so that its memory is bounded."""

from __future__ import annotations

import math
from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

# More than the plot has columns.
MOST_ROWS = 4000
MOST_METRICS = 16


class Told(NamedTuple):
    """What a page has of a curve.

    Attributes:
        generation: of the curve then.
        rows, snapshots, published: how many it was told of.
    """

    generation: int = 0
    rows: int = 0
    snapshots: int = 0
    published: int = 0


class History:
    """Rows that came in the order of their calls.

    At least half of ``most`` rows are kept of a long run, evenly spread.

    Attributes:
        generation: rises when rows that were told before have gone.
    """

    def __init__(self, most: int = MOST_ROWS, *, every_row_is_heard: bool = False) -> None:
        """Nothing has come yet.

        Args:
            most: rows that are kept at most.
            every_row_is_heard: there is a snapshot of each row; else of the calls that
                ``keep_snapshots`` is told.
        """
        self._most = most
        self._every_row_is_heard = every_row_is_heard
        self._stride = 1
        self._came = 0
        self._left_out: tuple[int, Mapping[str, float]] | None = None
        self.generation = 0
        self._calls = array("q")
        self._metrics: dict[str, array[float]] = {}
        self._snapshots: list[int] = []
        self._published = array("q")

    def __len__(self) -> int:
        return len(self._calls)

    @property
    def last_call(self) -> int:
        """The newest row's; 0: there is none."""
        return self._calls[-1] if self._calls else 0

    def add(self, call: int, metrics: Mapping[str, float]) -> None:
        """Take the next row.

        Args:
            call: number of the call, above that of the last row; others are left out.
            metrics: of that call; of more than ``MOST_METRICS`` the first are kept.
        """
        if call <= self.last_call:
            return
        self._left_out = call, metrics
        if self._came % self._stride == 0:
            self._keep(call, metrics)
        self._came += 1

    def begin_with(self, earlier: History) -> None:
        """Take the rows of another curve of the same run, which begins before this one."""
        whole = History(self._most)
        for call, metrics in (*earlier._rows(), *self._rows()):
            whole.add(call, metrics)
        self._stride, self._came, self._left_out = whole._stride, whole._came, whole._left_out
        self._calls, self._metrics = whole._calls, whole._metrics
        for call in (*earlier._published, *self._published):
            whole.mark_published(call)
        self._published = whole._published
        self.generation += 1

    def _rows(self) -> Iterator[tuple[int, Mapping[str, float]]]:
        for row, call in enumerate(self._calls):
            yield call, {name: column[row] for name, column in self._metrics.items()}

    def hear_every_row(self, does: bool) -> None:
        """Say whether there is a snapshot of each row."""
        if does is not self._every_row_is_heard:
            self._every_row_is_heard = does
            self.generation += 1

    def finish(self) -> None:
        """Nothing follows: keep the last row, too."""
        if self._left_out is not None:
            self._keep(*self._left_out)

    def _keep(self, call: int, metrics: Mapping[str, float]) -> None:
        self._left_out = None
        for name, value in metrics.items():
            if name not in self._metrics and len(self._metrics) < MOST_METRICS:
                self._metrics[name] = array("d", [math.nan] * len(self._calls))
            if name in self._metrics:
                self._metrics[name].append(value)
        self._calls.append(call)
        for column in self._metrics.values():
            if len(column) < len(self._calls):
                column.append(math.nan)
        if len(self._calls) >= self._most:
            self._thin()

    def keep_snapshots(self, calls: Iterable[int]) -> None:
        """Say which calls can be heard, where that is not every row's.

        Args:
            calls: rising.
        """
        told = list(calls)
        if told[: len(self._snapshots)] != self._snapshots:
            self.generation += 1
        self._snapshots = told

    def mark_published(self, call: int) -> None:
        """A snapshot was written to the plugin's file.

        Args:
            call: its number; one that is not above the last is left out.
        """
        if self._published and call <= self._published[-1]:
            return
        self._published.append(call)
        if len(self._published) >= self._most:
            self._published = self._published[::2]
            self.generation += 1

    def since(self, told: Told) -> tuple[Told, dict[str, Any]] | None:
        """What a page does not have yet.

        Args:
            told: what it has.

        Returns:
            What it has then, and the fields of a message ``history`` but for its run; None: there
            is nothing new.
        """
        if told.generation != self.generation:
            told = Told(self.generation)
        now = Told(self.generation, len(self._calls), len(self._snapshots), len(self._published))
        if now == told:
            return None
        row = told.rows
        # A page forgets the marks behind the rows that it keeps.
        for marks, known in (self._snapshots, told.snapshots), (self._published, told.published):
            if len(marks) > known:
                row = min(row, bisect_left(self._calls, marks[known]))
        return now, self._rows_from(row)

    def _rows_from(self, row: int) -> dict[str, Any]:
        calls = self._calls[row:].tolist()
        last = self._calls[row - 1] if row else 0
        heard = self._snapshots[bisect_right(self._snapshots, last) :]
        metrics = {
            name: [value if math.isfinite(value) else None for value in column[row:]]
            for name, column in self._metrics.items()
        }
        return {
            "from": row,
            "calls": calls,
            "metrics": metrics,
            "snapshots": calls if self._every_row_is_heard else heard,
            "published": self._published[bisect_right(self._published, last) :].tolist(),
        }

    def nearest(self, call: int) -> int:
        """The newest row's call that is not after a call, else the first row's; 0: there is none.

        Args:
            call: number of a call.
        """
        if not self._calls:
            return 0
        at = bisect_left(self._calls, call + 1)
        return self._calls[max(0, at - 1)]

    def calls(self) -> list[int]:
        """The calls of all rows."""
        return self._calls.tolist()

    def _thin(self) -> None:
        self._stride *= 2
        self.generation += 1
        self._calls = self._calls[::2]
        self._metrics = {name: column[::2] for name, column in self._metrics.items()}
