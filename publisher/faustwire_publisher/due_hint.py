"""What a verdict tells about the calls after it."""

from __future__ import annotations

import time

from faustwire.messages import Reason
from faustwire_publisher.mailbox import Ticket


class DueHint:
    """Knows which calls the bridge would certainly turn down, so that they need not be sent.

    It only ever says less than the bridge would: a call that might be due is sent.
    """

    def __init__(self, ticket: Ticket, connection: int) -> None:
        self._connection = connection
        self._due = ticket.verdict.due if ticket.verdict else None
        # The bridge counted from a moment after `sent`, however often it was sent again, and a
        # call needs at most a round trip to reach it: what is turned down before this is turned
        # down there.
        self._not_before = ticket.sent - ticket.took + (self._due.after if self._due else 0.0)

    def turns_down(self, call: int, connection: int) -> Reason | None:
        """Why call number ``call``, if it is made now, can't be due; None: it might be."""
        if self._due is None or connection != self._connection:
            # A bridge that is new, or that we met again, may see things differently.
            return None
        if (call - self._due.call) % self._due.every:
            return Reason.EVERY
        return self._due.reason if time.monotonic() < self._not_before else None
