"""One recorded worker, come again."""

from __future__ import annotations

import time
from dataclasses import dataclass

from faustwire.header import with_fields
from faustwire_publisher.client import Client
from faustwire_publisher.mailbox import Ticket
from faustwire_publisher.replay.states import State

_LOOK_SECONDS = 0.002


@dataclass(eq=False)
class RecordedTicket(Ticket):
    """A recorded message on its way.

    Attributes:
        state: what it was.
    """

    state: State | None = None

    def data(self) -> bytes:
        """The recorded bytes, with another ``seq`` or ``force`` where they have to change."""
        assert self.state is not None  # noqa: S101 - a default follows those of Ticket
        changes: dict[str, int | bool] = {"seq": self.seq}
        if self.force and self.state.call is not None:
            changes["force"] = True
        return with_fields(self.state.data, changes)


class Worker:
    """Sends states over a connection of its own.

    Attributes:
        client: the connection.
    """

    def __init__(self, client: Client) -> None:
        self.client = client
        self._seq = 0

    def is_met(self, timeout: float) -> bool:
        """Wait until the bridge has said Welcome; False: it has not in ``timeout`` seconds."""
        end = time.monotonic() + timeout
        while self.client.bridge is None and time.monotonic() < end:
            time.sleep(_LOOK_SECONDS)
        return self.client.bridge is not None

    def submit(self, state: State, *, force: bool) -> Ticket:
        """Hand a state over; a newer one takes the place of one that waits.

        A straight replay keeps the numbers. After going back they have to go on rising, or the
        bridge would take a state for one that was sent again.
        """
        self._seq = max(state.seq, self._seq + 1)
        ticket = RecordedTicket(self._seq, None, force, state=state)
        self.client.submit(ticket)
        return ticket

    def leave(self, timeout: float) -> None:
        """Wait for the last verdict and say Bye."""
        pending = self.client.mailbox.pending()
        if pending is not None:
            pending.wait(timeout)
        self.client.close()
