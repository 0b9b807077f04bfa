"""One call of a recording, as people name it: by number, the last one, or the best by a metric."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any

from faustwire import recording
from faustwire.errors import MessageError, RecordingError
from faustwire.header import read_fields
from faustwire.recording import Item, RecordedWorker, Recording, recorded_worker
from faustwire.recording.publications import check_names, recorded_workers
from faustwire.worker_name import with_incarnation

LAST, BEST, LARGER = "last", "best", "larger"
FORMS = "a number from 1, last, best, best:METRIC, or best:METRIC:larger"
_MOST_METRICS = 64
_WORST = (math.inf, None)


def parse_call(text: str | int) -> int | str:
    """Check how a call is named.

    Args:
        text: a number, or one of the words in ``FORMS``.

    Returns:
        The number, or the words.

    Raises:
        RecordingError: it is none of them.
    """
    word = str(text)
    if word.isdecimal() and 1 <= int(word) < 10**18:
        return int(word)
    match word.split(":"):
        case ["last"] | ["best"]:
            return word
        case ["best", metric] | ["best", metric, "larger"] if metric:
            return word
    raise RecordingError(f"{word!r} names no call: write {FORMS}")


def find_call(found: Recording, call: int | str, workers: Sequence[str] = ()) -> Item:
    """Find the snapshot of one call of one worker.

    Args:
        found: the recording.
        call: the call's number; "last"; or "best", "best:METRIC" or "best:METRIC:larger" for the
            one whose metric is smallest or largest. "best" alone needs a recording of one metric.
        workers: names of those to look at, see ``worker_name``; empty: all.

    Returns:
        The snapshot's message.

    Raises:
        RecordingError: nothing of that name was recorded, or several workers have that call.
    """
    check_names(found, workers)
    named = parse_call(call)
    if isinstance(named, int):
        return _numbered(found, named, workers)
    if named == LAST:
        return _last(found, workers)
    _, metric, larger = [*named.split(":"), "", ""][:3]
    return _best(found, metric, workers, larger=larger == LARGER)


def _numbered(found: Recording, call: int, workers: Sequence[str]) -> Item:
    exact: list[Item] = []
    names: list[str] = []
    following: list[int] = []
    for each in (worker for worker in recorded_workers(found) if _is_meant(worker, workers)):
        item = found.find(call, each)
        if item is None:
            continue
        number = read_fields(item.data, "call").get("call")
        if number == call:
            exact.append(item)
            names.append(with_incarnation(each.name, each.hello.incarnation))
        elif isinstance(number, int):
            following.append(number)
    if len(exact) > 1:
        raise RecordingError(f"call {call} is there of {', '.join(names)}: say of which --worker")
    if exact:
        return exact[0]
    raise RecordingError(_why_no_call(call, workers, following))


def _why_no_call(call: int, workers: Sequence[str], following: Sequence[int]) -> str:
    hint = f"; the next one is {min(following)}" if following else ""
    return f"call {call} of {', '.join(workers) or 'any worker'} is not recorded{hint}"


def _is_meant(worker: RecordedWorker, names: Sequence[str]) -> bool:
    return not names or any(map(worker.is_called, names))


def _last(found: Recording, workers: Sequence[str]) -> Item:
    last = None
    for item, _ in _snapshots(found, workers):
        last = item
    if last is None:
        raise RecordingError("no call is recorded")
    return last


def _best(found: Recording, metric: str, workers: Sequence[str], *, larger: bool) -> Item:
    """The best one; of equals the first."""
    sign = -1.0 if larger else 1.0
    best: dict[str, tuple[float, Item]] = {}
    for item, metrics in _snapshots(found, workers):
        for name, value in metrics.items():
            wanted = name == metric if metric else len(best) < _MOST_METRICS or name in best
            if wanted and _is_finite(value) and sign * value < best.get(name, _WORST)[0]:
                best[name] = sign * value, item
    if len(best) == 1:
        return next(iter(best.values()))[1]
    raise RecordingError(_why_no_best(metric, list(best)))


def _why_no_best(metric: str, there: Sequence[str]) -> str:
    if metric:
        return f"no call with the metric {metric!r} is recorded"
    if not there:
        return "no metrics are recorded, so no call is the best"
    return f"best by which metric? Write best:METRIC; there are: {', '.join(there)}"


def _is_finite(value: Any) -> bool:
    return type(value) in (int, float) and math.isfinite(value)


def _snapshots(found: Recording, workers: Sequence[str]) -> Iterator[tuple[Item, dict[str, Any]]]:
    for item in found.items(topics={recording.IN}):
        worker = recorded_worker(item.metadata)
        if worker is None or not _is_meant(worker, workers):
            continue
        try:
            seen = read_fields(item.data, "type", "metrics")
        except MessageError:
            continue
        if seen.get("type") == "snapshot":
            metrics = seen.get("metrics")
            yield item, metrics if isinstance(metrics, dict) else {}
