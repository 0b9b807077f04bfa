"""What a verdict says about the calls after it: which ones the bridge would turn down."""

from __future__ import annotations

import time

from faustwire.messages import Reason
from faustwire_publisher.mailbox import Ticket


class DueHint:
    """Knows which calls the bridge would certainly turn down, so that they need not be sent.

    It errs on one side only: a call that might be due is sent.
    """

    def __init__(self, ticket: Ticket, connection: int) -> None:
        """Read the hint out of a verdict.

        Args:
            ticket: an answered message.
            connection: number of the connection over which the answer came.
        """
        self._connection = connection
        self._due = ticket.verdict.due if ticket.verdict else None
        # The bridge counted from a moment after `sent`, however often it was sent again, and a
        # call needs at most a round trip to reach it: what is turned down before this is turned
        # down there.
        self._not_before = ticket.sent - ticket.took + (self._due.after if self._due else 0.0)

    def turns_down(self, call: int, connection: int) -> Reason | None:
        """Why a call that is made now can't be due; None: it might be.

        Args:
            call: its number.
            connection: number of the connection in use.
        """
        if self._due is None or connection != self._connection:
            # Another bridge, or the same one after a reconnect, may have forgotten what it counted.
            return None
        if (call - self._due.call) % self._due.every:
            return Reason.EVERY
        return self._due.reason if time.monotonic() < self._not_before else None
