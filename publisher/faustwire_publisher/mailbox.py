"""The message that waits to be sent and the one in flight: one of each, the newest wins.

Nothing that the training calls here blocks on a lock: a signal handler or a finalizer may call in
the middle of any of it, on the very thread that it has interrupted.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace

from faustwire import codec
from faustwire.messages import OwnProgram, Reason, Snapshot, Verdict


def _locked() -> threading.Lock:
    lock = threading.Lock()
    lock.acquire()
    return lock


@dataclass(eq=False)
class Ticket:
    """A message that was handed over, and its verdict when there is one.

    Attributes:
        seq: the message's number.
        make: makes the message; called only when it is sent, and released then.
        force: whether a Snapshot bypasses the throttles.
        own: whether it is a program of one's own, to which no throttle applies.
        made: when it was handed over, monotonic seconds.
        sent: when it was first sent; 0: not yet.
        received: when its verdict came; 0: not yet.
        verdict: None until it is known.
    """

    seq: int
    make: Callable[[], Snapshot | OwnProgram] | None
    force: bool = False
    made: float = field(default_factory=time.monotonic)
    sent: float = 0.0
    received: float = 0.0
    verdict: Verdict | None = None
    own: bool = False
    _data: bytes | None = None
    _done: threading.Lock = field(default_factory=_locked)

    def data(self) -> bytes:
        """The bytes to send; made once, however often they are sent.

        Raises:
            FaustwireError: the message can't be made. A rule or a map of the user's may raise
                anything else.
        """
        if self.make is not None:
            message, self.make = self.make(), None
            if isinstance(message, Snapshot) and self.force:
                message = replace(message, force=True)
            self._data = codec.encode(message)
        assert self._data is not None, "made once"  # noqa: S101
        return self._data

    @property
    def took(self) -> float:
        """Seconds from the first sending to the verdict, including messages lost in between."""
        return self.received - self.sent

    def end(self, verdict: Verdict) -> None:
        """Settle the ticket with its verdict."""
        self.received = time.monotonic()
        self.verdict = verdict
        self._open_latch()

    def supersede(self) -> None:
        """Settle the ticket: a newer message is sent in its place."""
        self.end(Verdict(self.seq, False, Reason.SUPERSEDED))

    def wait(self, timeout: float) -> Verdict | None:
        """The verdict; None if there is none after ``timeout`` seconds."""
        # A latch: locked until there is a verdict. An Event has a lock inside, on which a signal
        # handler would block that interrupts a wait and settles the ticket.
        if self.verdict is None and self._done.acquire(timeout=timeout):
            self._open_latch()
        return self.verdict

    def _open_latch(self) -> None:
        with suppress(RuntimeError):
            self._done.release()


class Mailbox:
    """Between the training loop, which puts, and the connection's thread, which takes.

    Attributes:
        answered: the last ticket that the bridge answered.
        unanswered_since: when the oldest message that still has no verdict was handed over,
            monotonic seconds; None: all have theirs.
    """

    def __init__(self) -> None:
        self.answered: Ticket | None = None
        self.unanswered_since: float | None = None
        self._incoming: deque[Ticket] = deque()
        self._lock = threading.Lock()
        self._newest: Ticket | None = None
        self._waiting: Ticket | None = None
        self._in_flight: Ticket | None = None
        # Held during a call.
        self._call = threading.Lock()

    @contextmanager
    def call(self) -> Iterator[None]:
        """A call that may put something; what it does last is to let others take it."""
        self._call.acquire(blocking=False)
        try:
            yield
        finally:
            # One that has interrupted it, in a signal handler, has ended it already.
            with suppress(RuntimeError):
                self._call.release()

    def await_call(self, seconds: float) -> None:
        """Wait until the call in progress has ended, if there is one.

        Args:
            seconds: how long at most.
        """
        if self._call.acquire(timeout=seconds):
            with suppress(RuntimeError):
                self._call.release()

    def put(self, ticket: Ticket) -> None:
        """Hand a message over; it takes the place of an older one that still waits."""
        self._incoming.append(ticket)
        self._merge()

    def _merge(self) -> None:
        """Let the newest incoming message wait; whoever holds the lock does so for the others."""
        while self._incoming and self._lock.acquire(blocking=False):
            try:
                self._take_in()
            finally:
                self._lock.release()

    def _take_in(self) -> None:
        while self._incoming:
            new, old, newest = self._incoming.popleft(), self._waiting, self._newest
            if newest is not None and new.seq < newest.seq:
                # The call of a signal handler, which interrupted this one, has the newer state.
                newest.force = newest.force or new.force
                new.supersede()
                continue
            if self.unanswered_since is None:
                self.unanswered_since = new.made
            if old is not None:
                # A forced call stays forced, whichever snapshot goes in the end.
                new.force = new.force or old.force
                old.supersede()
            self._newest = self._waiting = new

    def pending(self) -> Ticket | None:
        """The newest message without a verdict."""
        self._merge()
        # In this order: what leaves the one place is in the other already.
        return self._waiting or self._in_flight

    def take(self) -> Ticket | None:
        """The message to send now; None: nothing waits, or one is in flight."""
        with self._lock:
            self._take_in()
            if self._in_flight is not None or self._waiting is None:
                return None
            self._in_flight = self._waiting
            self._waiting = None
            return self._in_flight

    def unanswered(self) -> Ticket | None:
        """The message in flight."""
        return self._in_flight

    def lost(self) -> Ticket | None:
        """The message in flight may be lost: returns it, or a newer one, to be sent."""
        with self._lock:
            self._take_in()
            ticket = self._in_flight
            if ticket is None or self._waiting is None:
                return ticket
            self._in_flight = None
        ticket.supersede()
        return self.take()

    def settle(self, verdict: Verdict) -> None:
        """Take in a verdict; one on anything but the message in flight is late, and ignored."""
        with self._lock:
            self._take_in()
            ticket = self._in_flight
            if ticket is None or ticket.seq != verdict.seq:
                return
            self._in_flight = None
            self.unanswered_since = self._waiting.made if self._waiting else None
        self.answered = ticket
        ticket.end(verdict)
