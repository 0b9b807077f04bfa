"""A worker's connection as the training loop sees it: hand a message over, wait for its verdict."""

from __future__ import annotations

import time
from collections.abc import Callable

from faustwire.key_ring import KeyRing
from faustwire.messages import Hello, Verdict, Welcome
from faustwire_publisher.connection_thread import ConnectionThread
from faustwire_publisher.mailbox import Mailbox, Ticket

# A bridge that said something within the time of two pings is there.
_ALIVE_SECONDS = 2.5


class Client:
    """A worker's connection to its bridge.

    Attributes:
        mailbox: where messages go in and verdicts come out.
    """

    def __init__(
        self,
        endpoint: str,
        hello: Hello,
        revive: Callable[[], str | None] | None = None,
        *,
        steps_aside: bool = False,
        keyring: KeyRing | None = None,
        encrypted: bool = False,
    ) -> None:
        """Start connecting, on a thread.

        Args:
            endpoint: ZeroMQ endpoint of the bridge.
            hello: how the worker introduces itself.
            revive: is called, on the thread, while there is no connection: starts a bridge if
                there is none and returns what is wrong, if anything.
            steps_aside: let the call that hands a message over end first; it does not wait.
            keyring: keys to use if the bridge's key is among them.
            encrypted: never connect without keys.
        """
        self.mailbox = Mailbox()
        self._in_vain: float | None = None
        self._trusting = True
        self._thread = ConnectionThread(
            endpoint,
            hello,
            self.mailbox,
            revive,
            steps_aside=steps_aside,
            keyring=keyring,
            encrypted=encrypted,
        )

    @property
    def bridge(self) -> Welcome | None:
        """The bridge's Welcome while connected."""
        return self._thread.bridge

    @property
    def connections(self) -> int:
        """How often a bridge has said Welcome; a new one may know nothing of the last."""
        return self._thread.connections

    @property
    def trouble(self) -> str | None:
        """Why there is no bridge, one line; None: nothing is known."""
        return self._thread.trouble

    def submit(self, ticket: Ticket) -> None:
        """Hand a message over; it takes the place of one that still waits to be sent."""
        self.mailbox.put(ticket)
        self._thread.wake()

    def wait_for(self, ticket: Ticket, timeout: float, *, last: bool = False) -> Verdict | None:
        """The verdict on a ticket, or None after ``timeout`` seconds.

        After a timeout, calls stop blocking until the bridge responds again: by a verdict within
        ``timeout``, or by a Welcome. Other messages of it do not count, or a bridge that is far or
        slow would cost every call its timeout. Nor does a second Welcome without a verdict: some
        networks let small messages through, and nothing else.

        Args:
            ticket: a message that was submitted.
            timeout: seconds.
            last: nothing comes after it, so that any sign of life is reason to wait.
        """
        welcomed = self._thread.welcomed
        met_anew = self._in_vain is not None and self._trusting and welcomed > self._in_vain
        patient = met_anew or self._is_worth_waiting(timeout, last=last)
        verdict = ticket.wait(timeout if patient and not self._thread.is_current() else 0.0)
        if verdict is not None:
            self._in_vain, self._trusting = None, True
        elif patient:
            self._in_vain, self._trusting = time.monotonic(), not met_anew
        return verdict

    def _is_worth_waiting(self, timeout: float, *, last: bool) -> bool:
        """Whether the bridge has answered since a call waited in vain, or is at least alive."""
        if self._in_vain is None or self._answers(timeout, since=self._in_vain):
            return True
        return last and time.monotonic() - self._thread.heard < _ALIVE_SECONDS

    def _answers(self, timeout: float, *, since: float) -> bool:
        answered = self.mailbox.answered
        return answered is not None and answered.received > since and answered.took <= timeout

    def close(self) -> None:
        """Say Bye and end the thread. What has no verdict yet is given up."""
        self._thread.close()
