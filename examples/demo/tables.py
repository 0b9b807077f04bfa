"""What happened, as a table for people."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from statistics import median

from rich.table import Table

from demo.session import Heard, Record

_COLUMNS = ("published", "unchanged", "throttled")
_THROTTLED = {"every": "throttled", "min-interval": "throttled"}


def workers(record: Record) -> Table:
    """Each worker's calls of ``update``, by what came of them."""
    table = Table(title="calls of HotReload.update")
    table.add_column("worker")
    for column in ("calls", *_COLUMNS, "other", "loss"):
        table.add_column(column, justify="right")
    for name, calls in record.calls.items():
        reasons = Counter(_THROTTLED.get(call.reason, call.reason) for call in calls)
        other = {reason: count for reason, count in reasons.items() if reason not in _COLUMNS}
        table.add_row(
            name,
            str(len(calls)),
            *(str(reasons[column]) for column in _COLUMNS),
            ", ".join(f"{count} {reason}" for reason, count in other.items()) or "0",
            f"{calls[0].loss:.1f} → {calls[-1].loss:.1f}",
        )
    return table


def plugin(record: Record, heard: Sequence[Heard]) -> Table:
    """The reloads, how long the sound stopped for each, and how old the model was by then."""
    table = Table(title="reloads of the stand-in plugin")
    for column in ("reloads", "failed"):
        table.add_column(column, justify="right")
    table.add_column("compile, ms\nmedian / max", justify="right")
    table.add_column("audio delivered, %", justify="right")
    table.add_column("from update to sound, ms\nmedian / max", justify="right")
    table.add_row(
        str(len(record.reloads)),
        str(sum(not reload.ok for reload in record.reloads)),
        _median_and_max([each.reload.compile_ms for each in heard]),
        _delivered(record),
        _median_and_max([each.latency_ms for each in heard]),
    )
    return table


def _delivered(record: Record) -> str:
    """The part of the audio that came in time, up to the last reload."""
    last = record.reloads[-1] if record.reloads else None
    return f"{100 * last.delivered / last.blocks:.1f}" if last and last.blocks else "–"


def _median_and_max(values: Sequence[float]) -> str:
    return f"{median(values):.0f} / {max(values):.0f}" if values else "–"
