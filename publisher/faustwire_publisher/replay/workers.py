"""The recorded workers, connected again, each under its recorded name."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

from faustwire.header import with_fields
from faustwire.messages import Hello
from faustwire_publisher.client import Client
from faustwire_publisher.mailbox import Ticket
from faustwire_publisher.replay.states import RecordedState

_LOOK_SECONDS = 0.002
# Workers that are connected at a time; of more, the one that has been quiet longest leaves.
_MAX_WORKERS = 64


class NoWelcomeError(Exception):
    """A bridge did not say Welcome.

    Attributes:
        client: the connection over which it was awaited.
    """

    def __init__(self, client: Client) -> None:
        super().__init__()
        self.client = client


@dataclass(eq=False)
class RecordedTicket(Ticket):
    """A recorded message on its way.

    Attributes:
        state: what it was.
    """

    state: RecordedState | None = None

    def data(self) -> bytes:
        """The recorded bytes, with ``seq`` and ``force`` replaced where they must change."""
        assert self.state is not None  # noqa: S101 - a default follows those of Ticket
        changes: dict[str, int | bool] = {"seq": self.seq}
        if self.force and self.state.call is not None:
            changes["force"] = True
        return with_fields(self.state.data, changes)


class ReplayedWorker:
    """Sends states over a connection of its own.

    Attributes:
        client: the connection.
    """

    def __init__(self, client: Client) -> None:
        self.client = client
        self._seq = 0

    def is_met(self, timeout: float) -> bool:
        """Wait until the bridge has said Welcome; False: it has not within ``timeout`` seconds."""
        end = time.monotonic() + timeout
        while self.client.bridge is None and time.monotonic() < end:
            time.sleep(_LOOK_SECONDS)
        return self.client.bridge is not None

    def submit(self, state: RecordedState, *, force: bool) -> Ticket:
        """Hand a state over; a newer one takes the place of one that waits.

        A straight replay keeps the numbers. After going back they must still rise, or the bridge
        would take a state for one that was sent again.

        Args:
            state: what to send.
            force: no throttle applies.
        """
        self._seq = max(state.seq, self._seq + 1)
        ticket = RecordedTicket(self._seq, None, force, state=state)
        self.client.submit(ticket)
        return ticket

    def leave(self, timeout: float) -> None:
        """Wait up to ``timeout`` seconds for the last verdict, and say Bye."""
        pending = self.client.mailbox.pending()
        if pending is not None:
            pending.wait(timeout)
        self.client.close()


class ReplayedWorkers:
    """The workers that are connected at the moment, by their recorded incarnation."""

    def __init__(self, connect: Callable[[Hello], Client], timeout: float) -> None:
        """No worker is connected yet.

        Args:
            connect: connects a worker like the recorded one.
            timeout: seconds to wait for the bridge's Welcome, and for the last verdict.
        """
        self._connect = connect
        self._timeout = timeout
        self._connected: OrderedDict[str, ReplayedWorker] = OrderedDict()

    def worker(self, hello: Hello) -> ReplayedWorker:
        """Who sends what a recorded worker sent; connected when it is first needed.

        Args:
            hello: the recorded worker's.

        Raises:
            NoWelcomeError: the bridge did not say Welcome in time.
        """
        worker = self._connected.get(hello.incarnation)
        if worker is None:
            if len(self._connected) >= _MAX_WORKERS:
                self.leave(next(iter(self._connected)))
            client = self._connect(hello)
            worker = self._connected[hello.incarnation] = ReplayedWorker(client)
            if not worker.is_met(self._timeout):
                raise NoWelcomeError(client)
        self._connected.move_to_end(hello.incarnation)
        return worker

    def leave(self, incarnation: str) -> None:
        """Disconnect a worker, if it is connected."""
        worker = self._connected.pop(incarnation, None)
        if worker is not None:
            worker.leave(self._timeout)

    def close(self) -> None:
        """Disconnect all."""
        while self._connected:
            self.leave(next(iter(self._connected)))
