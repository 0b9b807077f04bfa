"""Warnings about what holds the plugin back: once a cause, not once a step."""

from __future__ import annotations

import inspect
import logging
import warnings
from collections.abc import Sequence

from faustwire.messages import HOLDS_BACK, MAY_CRASH, NOT_CHECKED, Reason, Verdict, Welcome
from faustwire.terminal import printable
from faustwire_publisher.errors import FaustwireWarning

_log = logging.getLogger("faustwire.publisher")

# Problems of metrics that people are told of.
_MOST_TOLD = 3
# Reasons after which earlier causes are over: the plugin's end with a program that passes, the
# bridge's silence with any answer of it.
_PASSES = (Reason.PUBLISHED, Reason.UNCHANGED, Reason.INAUDIBLE)


class WarnOnce:
    """Warns once a cause, and again only after the cause was over in between."""

    def __init__(self) -> None:
        self._told: set[Reason] = set()
        self._differences: set[str] = set()
        self._unchecked = False
        self._may_crash = False
        self._bad_metrics: set[str] = set()
        self._remarks: set[str] = set()

    def take(self, verdict: Verdict, *, prompt: bool = True) -> None:
        """Warn if a verdict tells of a new cause; note which causes it ends.

        Args:
            verdict: the newest.
            prompt: whether it came in time; if not, the bridge's silence is not over.
        """
        if verdict.reason in HOLDS_BACK:
            self._warn(verdict)
        if verdict.reason in _PASSES:
            self._told &= {Reason.NO_BRIDGE}
        if prompt and verdict.reason is not Reason.NO_BRIDGE and verdict.seq:
            self._told.discard(Reason.NO_BRIDGE)

    def over(self, reason: Reason) -> None:
        """Note that a cause is over, so that the next occurrence is told again."""
        self._told.discard(reason)

    def of_model(self, remarks: tuple[str, ...]) -> None:
        """Warn, once for each, of what is unexpected in a model that is published all the same.

        Args:
            remarks: one line each, with the path of the module.
        """
        for text in remarks:
            if text not in self._remarks:
                self._remarks.add(text)
                _tell(text)

    def of_differences(self, bridge: Welcome, lines: Sequence[str]) -> None:
        """Warn, once for each line, that a bridge that was there before does something else.

        Args:
            bridge: what it said of itself.
            lines: what it does otherwise.
        """
        for line in lines:
            if line not in self._differences:
                self._differences.add(line)
                _tell(
                    f"the bridge for {bridge.dsp_path} (pid {bridge.pid}) was there before; "
                    f"{line}; the training goes on"
                )

    def of_unchecked(self, verdict: Verdict) -> None:
        """Warn, once, that programs are published which libfaust has not compiled before."""
        why = next((w for w in verdict.warnings if w.startswith(NOT_CHECKED)), NOT_CHECKED)
        if why != NOT_CHECKED and not self._unchecked:
            self._unchecked = True
            _tell(
                f"published without a check ({why[len(NOT_CHECKED) :]}): a program that does not "
                "compile would crash the plugin's host"
            )

    def of_crashes(self, verdict: Verdict) -> None:
        """Warn, once, that a DAW which asks for the knobs' values may crash."""
        line = next((w for w in verdict.warnings if w.startswith(MAY_CRASH)), None)
        if line is not None and not self._may_crash:
            self._may_crash = True
            _tell(f"what was published {line}")

    def of_losses(self, line: str | None) -> None:
        """Warn what part of the audio reloads cost.

        Args:
            line: what to say; None: nothing.
        """
        if line is not None:
            _tell(line)

    def of_metrics(self, problem: str) -> None:
        """Warn, once for each problem, that metrics can't be sent."""
        # A figure in it may change with every step; a few are enough.
        if problem not in self._bad_metrics and len(self._bad_metrics) < _MOST_TOLD:
            self._bad_metrics.add(problem)
            _tell(f"left out: {problem}; the training goes on")

    def _warn(self, verdict: Verdict) -> None:
        if verdict.reason in self._told:
            return
        self._told.add(verdict.reason)
        _tell(f"not published ({verdict.reason}): {verdict.detail}; the training goes on")


def _tell(text: str) -> None:
    # It may quote a bridge, or what others have sent to it.
    shown = "\n".join(map(printable, text.splitlines()))
    try:
        warnings.warn(shown, FaustwireWarning, stacklevel=_outside())
    except FaustwireWarning:
        # Warnings were made errors; the state of a plugin must not end a training all the same.
        _log.warning("%s", shown)


def _outside() -> int:
    """The stack level of the line that called into this package, for the function that asks."""
    frame, level = inspect.currentframe(), 0
    while frame is not None and frame.f_globals.get("__name__", "").startswith(__package__):
        frame, level = frame.f_back, level + 1
    return level
