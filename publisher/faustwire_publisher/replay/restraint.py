"""A replay that is faster than its recording leaves the plugin time to play."""

from __future__ import annotations

from collections import deque
from dataclasses import replace

from faustwire.header import read_fields
from faustwire.limits import COST_MULTIPLE
from faustwire.messages import Hello
from faustwire_publisher.mailbox import Ticket
from faustwire_publisher.replay.states import RecordedState

# Above 0, and less than any publish takes.
_UNTHROTTLED_SECONDS = 1e-6
# A worker has two on their way at most.
_MAX_TICKETS = 256


class Restraint:
    """Holds back what no throttle of the bridge's would, until the last reload has paid off.

    That is what was forced, and text. Calls that were not forced are throttled by the bridge.

    Attributes:
        held: the newest state that was held back and not replaced since; None: there is none.
    """

    def __init__(self) -> None:
        self.held: RecordedState | None = None
        self._tickets: deque[Ticket] = deque(maxlen=_MAX_TICKETS)
        self._free_at = 0.0

    def hold(self, state: RecordedState, now: float, *, forced: bool) -> bool:
        """Hold a state back if it comes too soon after the last reload.

        Args:
            state: what is to be sent.
            now: monotonic seconds.
            forced: whether it would be sent forced; those that were recorded so are, too.

        Returns:
            Whether it is held; if not, whatever was held before it is out of date.
        """
        unthrottled = forced or state.call is None or read_fields(state.data, "force").get("force")
        self.held = state if unthrottled and self.wait(now) > 0 else None
        return self.held is not None

    def note(self, ticket: Ticket) -> None:
        """Note what is sent: its verdict will tell whether the plugin has reloaded."""
        self.held = None
        self._tickets.append(ticket)

    def wait(self, now: float) -> float:
        """How long until another reload leaves nine tenths of the time for sound.

        Args:
            now: monotonic seconds.

        Returns:
            Seconds; 0: it does already.
        """
        for ticket in [ticket for ticket in self._tickets if ticket.verdict is not None]:
            self._tickets.remove(ticket)
            verdict = ticket.verdict
            if verdict is not None and verdict.published:
                cost = COST_MULTIPLE * (verdict.compile_seconds or 0.0)
                self._free_at = max(self._free_at, ticket.received + cost)
        return max(0.0, self._free_at - now)


def with_restraint(hello: Hello) -> Hello:
    """Have the bridge throttle a worker that was not throttled, and play its last state in the end.

    Args:
        hello: of the worker.

    Returns:
        Its hello for a bridge that plays it faster.
    """
    # 0 would switch off the throttle by the cost of a reload as well.
    return replace(hello, min_interval=max(hello.min_interval, _UNTHROTTLED_SECONDS), settle=True)
