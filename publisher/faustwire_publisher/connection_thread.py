"""The thread behind a worker's connection: says Hello, sends what waits, takes in the verdicts.

It owns the socket; the training loop only puts messages into the mailbox. One message is in flight
at a time (a credit of one). A resend after a lost connection carries the same number, so the bridge
answers it without doing it twice.
"""

from __future__ import annotations

import logging
import socket
import threading
import time
from collections.abc import Callable
from contextlib import suppress

import zmq

from faustwire import codec
from faustwire.errors import FaustwireError, MessageError, NonFiniteError
from faustwire.key_ring import KeyRing
from faustwire.messages import (
    Hello,
    Message,
    Ping,
    Pong,
    Reason,
    Rejection,
    Verdict,
    Welcome,
)
from faustwire_publisher.bridge_requests import BridgeRequests
from faustwire_publisher.connection import Connection
from faustwire_publisher.mailbox import Mailbox, Ticket

_log = logging.getLogger("faustwire.publisher")

# Well below the five seconds after which the bridge gives a worker up.
_PING_SECONDS = 1.0
# A bridge that answers pings has a verdict by then, or it, or the message, was lost.
_RESEND_SECONDS = 2.0
# Longer than any compile takes that ends by itself.
_LOST_SECONDS = 15.0
# The monitor reports a connection slightly before the socket can send through it.
_AGAIN_SECONDS = 0.005
# Waking the thread may hand it the interpreter; the call that did so must end first.
_STEP_ASIDE_SECONDS = 0.0002
# A socket that is not closed in this time waits for a name server that does not answer.
_JOIN_SECONDS = 1.0
# A bridge that records has written all in milliseconds, unless it is judging or stopped.
_FAREWELL_SECONDS = 2.0
# Problems of models, with a traceback each, that are logged.
_MOST_LOGGED = 3


class ConnectionThread:
    """Runs one worker's connection until it is told to end.

    Attributes:
        bridge: the bridge's Welcome while connected.
        connections: how often a bridge has said Welcome; a new one may know nothing of the last.
        heard: when the bridge last sent anything, monotonic seconds.
        welcomed: when it last said Welcome, monotonic seconds.
    """

    def __init__(
        self,
        endpoint: str,
        hello: Hello,
        mailbox: Mailbox,
        revive: Callable[[], str | None] | None = None,
        *,
        steps_aside: bool = False,
        keyring: KeyRing | None = None,
        encrypted: bool = False,
    ) -> None:
        """Start the thread.

        Args:
            endpoint: ZeroMQ endpoint of the bridge.
            hello: how the worker introduces itself.
            mailbox: where messages come from and verdicts go.
            revive: is called while there is no connection; starts a bridge if there is none, and
                returns what is wrong, if anything.
            steps_aside: let the call that hands a message over end first; it does not wait.
            keyring: keys to use if the bridge's key is among them.
            encrypted: never connect without keys.
        """
        self.bridge: Welcome | None = None
        self.connections = 0
        self.heard = 0.0
        self.welcomed = 0.0
        self._endpoint = endpoint
        self._hello = hello
        self._mailbox = mailbox
        self._requests = BridgeRequests(revive)
        self._steps_aside = steps_aside
        self._keyring = keyring
        self._encrypted = encrypted
        # What is wrong apart from the connection, which knows its own trouble.
        self._problem: str | None = None
        self._connection: Connection | None = None
        self._was_up = False
        self._next_ping = 0.0
        self._next_resend = 0.0
        self._closing = False
        self._logged: set[str] = set()
        self._wakeup, self._waker = socket.socketpair()
        self._waker.setblocking(False)
        self._thread = threading.Thread(target=self._run, name="faustwire", daemon=True)
        self._thread.start()

    @property
    def trouble(self) -> str | None:
        """Why there is no bridge, one line; None: nothing is known."""
        connection = self._connection
        if self._problem is not None or connection is None:
            return self._problem
        if connection.problem is not None:
            return connection.problem
        # A bridge of this machine that is not there is about to be started.
        return None if self._requests.are_made else connection.trouble

    def is_current(self) -> bool:
        """Whether the caller runs on this thread; the garbage collector may, and must not wait."""
        return threading.current_thread() is self._thread

    def wake(self) -> None:
        """Have the thread look into the mailbox."""
        # A full pipe has woken the thread already; a closed one has no thread.
        with suppress(OSError):
            self._waker.send(b"\0")

    def close(self) -> None:
        """Say Bye and end the thread. What has no verdict yet is given up."""
        self._closing = True
        self.wake()
        if not self.is_current():
            bridge = self.bridge
            recorded = bridge is not None and bridge.recording
            self._thread.join(_JOIN_SECONDS + (_FAREWELL_SECONDS if recorded else 0.0))
        self._waker.close()

    # -- on the thread from here ---------------------------------------------------------------

    def _run(self) -> None:
        connection: Connection | None = None
        try:
            connection = self._connection = Connection(
                self._endpoint,
                self._connection_changed,
                keyring=self._keyring,
                encrypted=self._encrypted,
            )
            self._loop(connection)
        except Exception:  # noqa: BLE001 - the training goes on; told where people look
            _log.exception("the connection to the bridge has ended; please report this")
        finally:
            self.bridge = None
            if connection is not None:
                connection.close()
            self._wakeup.close()

    def _loop(self, connection: Connection) -> None:
        poller = zmq.Poller()
        for source in (connection.dealer, connection.monitor, self._wakeup):
            poller.register(source, zmq.POLLIN)
        self._work(connection, time.monotonic())
        while not self._closing:
            ready = dict(poller.poll(self._poll_ms(connection)))
            if self._wakeup.fileno() in ready:
                self._wakeup.recv(4096)
                if self._steps_aside:
                    self._mailbox.await_call(_STEP_ASIDE_SECONDS)
            if connection.monitor in ready:
                connection.watch()
            if connection.dealer in ready:
                self._receive(connection)
            self._work(connection, time.monotonic())
        if connection.up:
            recorded = self.bridge is not None and self.bridge.recording
            connection.say_bye(_FAREWELL_SECONDS if recorded else 0.0)

    def _poll_ms(self, connection: Connection) -> int:
        now = time.monotonic()
        if connection.up:
            until = self._next_ping
        else:
            until = min(connection.deadline(now), self._requests.due)
        return max(1, int((until - now) * 1000) + 1)

    def _work(self, connection: Connection, now: float) -> None:
        """Do whatever is due: dial, ask for a bridge, send, ping."""
        if not connection.up:
            if now >= self._requests.due:
                self._problem = self._requests.make(now)
            connection.dial(now)
            return
        if connection.silent(now):
            connection.hang_up(now)
            return
        if self.bridge is not None:
            self._send_ticket(connection, self._mailbox.take())
        if now >= self._next_ping:
            # Until Welcome has come, Hello is the ping.
            message = Ping() if self.bridge is not None else self._hello
            sent = connection.send(codec.encode(message))
            self._next_ping = now + (_PING_SECONDS if sent else _AGAIN_SECONDS)

    def _connection_changed(self, up: bool) -> None:
        if up:
            self._next_ping = 0.0
        else:
            self.bridge = None
            if self._was_up:
                self._problem = None
                self._requests.start_over()
        self._was_up = up

    def _receive(self, connection: Connection) -> None:
        while (data := connection.receive()) is not None:
            self.heard = time.monotonic()
            try:
                self._take_in(connection, codec.decode(data))
            except MessageError as problem:
                self._problem = f"the bridge speaks another language: {problem}"

    def _take_in(self, connection: Connection, message: Message) -> None:
        match message:
            case Welcome():
                self.bridge, self._problem = message, None
                self.welcomed = self.heard
                self.connections += 1
                connection.met()
                self._send_ticket(connection, self._mailbox.lost())
            case Verdict():
                self._mailbox.settle(message)
                self._send_ticket(connection, self._mailbox.take())
            case Pong():
                self._send_again_if_overdue(connection)
            case Rejection(detail):
                # Hello goes out with the next ping.
                self.bridge, self._problem = None, detail

    def _send_ticket(self, connection: Connection, ticket: Ticket | None) -> None:
        """Send a message; those that can't be sent are settled here, and the next one is tried."""
        while ticket is not None:
            data = self._data(ticket)
            if data is not None:
                now = time.monotonic()
                ticket.sent = ticket.sent or now
                self._next_ping = now + _PING_SECONDS
                self._next_resend = now + _RESEND_SECONDS
                connection.expect_transfer(len(data), now)
                connection.send(data)
                return
            ticket = self._mailbox.take()

    def _data(self, ticket: Ticket) -> bytes | None:
        """The bytes of a message; None: it can't be made, which is its verdict."""
        reason, problem = Reason.REFUSED, ""
        try:
            return ticket.data()
        except NonFiniteError as found:
            reason, problem = Reason.NON_FINITE, str(found)
        except FaustwireError as found:
            problem = str(found)
        except Exception as found:  # noqa: BLE001 - a rule or a map of the user's; go on
            problem = str(found)
            # Once, not at every step; a few where a figure in it changes.
            if problem not in self._logged and len(self._logged) < _MOST_LOGGED:
                self._logged.add(problem)
                _log.exception("a snapshot could not be made")
        self._mailbox.settle(Verdict(ticket.seq, False, reason, problem))
        return None

    def _send_again_if_overdue(self, connection: Connection) -> None:
        """A Pong came, but no verdict: it, or the message, was dropped on the way.

        If nothing comes of it however often it is sent, a newer one may fare better.
        """
        ticket, now = self._mailbox.unanswered(), time.monotonic()
        if ticket is not None and now >= self._next_resend:
            lost = now - ticket.sent > _LOST_SECONDS
            self._send_ticket(connection, self._mailbox.lost() if lost else ticket)
