"""What part of the audio is lost to reloads that no throttle holds back."""

from __future__ import annotations

from collections import deque

from faustwire_publisher.mailbox import Ticket

# Enough to tell a training from a handful of calls.
_RELOADS = 20
# Networks of 4 lines at full speed lose 3 %, of 8 lines 12 %.
_LEAST = 0.02


class ReloadLosses:
    """Adds up the silences of the last reloads; tells once."""

    def __init__(self) -> None:
        # When each reload was, in monotonic seconds, and how long the plugin was silent for it.
        self._reloads: deque[tuple[float, float]] = deque(maxlen=_RELOADS)
        self._told = False

    def take(self, ticket: Ticket) -> str | None:
        """Note a reload that no throttle held back.

        Args:
            ticket: the call's, with its verdict.

        Returns:
            What to tell people, one line, once; None: nothing, or not yet.
        """
        verdict = ticket.verdict
        if self._told or verdict is None or not verdict.published:
            return None
        self._reloads.append((ticket.received, verdict.compile_seconds or 0.0))
        elapsed = self._reloads[-1][0] - self._reloads[0][0]
        if len(self._reloads) < _RELOADS or elapsed <= 0:
            return None
        silent = sum(seconds for _, seconds in self._reloads) - self._reloads[-1][1]
        lost = min(1.0, silent / elapsed)
        if lost < _LEAST:
            return None
        self._told = True
        reloads = _RELOADS - 1
        return (
            f"{100 * lost:.0f} % of the audio is lost: min_interval=0 and force switch off what "
            "keeps reloads apart, text is not kept apart at all, and the plugin is silent for "
            f"{1e3 * silent / reloads:.1f} ms at each, {reloads / elapsed:.1f} times a second; "
            "each cuts the tail, too"
        )
