"""The log lines about verdicts: what holds a worker back is logged once a cause, not each step."""

from __future__ import annotations

import logging
import re
from collections import OrderedDict

from faustwire.messages import HOLDS_BACK, Event, Reason, Verdict

_log = logging.getLogger("faustwire.bridge")

# A figure in the detail changes with every step; the cause is still the same.
_FIGURES = re.compile(r"[\d.]+")
# More workers than a bridge serves at a time; of more, the one quiet longest is told again.
_MAX_WORKERS = 1024


# Events that a verdict says as well, with more figures.
_TOLD_BY_VERDICT = ("published", "held-back")


def log_event(event: Event) -> None:
    """Log an event, unless a verdict says it."""
    if event.kind not in _TOLD_BY_VERDICT:
        worker = {"worker": event.worker} if event.worker else {}
        _log.info("%s", event.kind, extra={**worker, "what": event.detail})


class VerdictLog:
    """Logs verdicts, and remembers for each incarnation of a worker the last cause it logged."""

    def __init__(self) -> None:
        self._causes: OrderedDict[str, str] = OrderedDict()

    def log(self, worker: str, incarnation: str, verdict: Verdict) -> None:
        """Log a verdict; a cause that holds a worker back step after step is logged once.

        Args:
            worker: the name of the worker that gets the verdict.
            incarnation: tells it from others of the same name.
            verdict: what it gets.
        """
        extra = {"worker": worker, "seq": verdict.seq, **_figures(verdict)}
        if verdict.reason is Reason.PUBLISHED:
            self._causes.pop(incarnation, None)
            _log.info("published", extra=extra)
            for warning in verdict.warnings:
                _log.debug("%s", warning, extra=extra)
        elif verdict.reason in HOLDS_BACK:
            if self._is_new(incarnation, verdict):
                _log.warning("%s: %s", verdict.reason, verdict.detail, extra=extra)
        else:
            _log.debug("%s", verdict.reason, extra=extra)

    def _is_new(self, incarnation: str, verdict: Verdict) -> bool:
        cause = _FIGURES.sub("", verdict.detail)
        known = self._causes.get(incarnation) == cause
        self._causes[incarnation] = cause
        self._causes.move_to_end(incarnation)
        if len(self._causes) > _MAX_WORKERS:
            self._causes.popitem(last=False)
        return not known


def _figures(verdict: Verdict) -> dict[str, str]:
    """What the gates have measured, for the log."""
    compile_ms = None if verdict.compile_seconds is None else 1000 * verdict.compile_seconds
    figures = {
        "compile_ms": compile_ms,
        "peak_db": verdict.peak_db,
        "margin_db": verdict.margin_db,
        "rt60_s": verdict.rt60_seconds,
    }
    return {name: f"{value:.3g}" for name, value in figures.items() if value is not None}
