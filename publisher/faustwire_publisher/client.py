"""The socket: connect, send the newest, wait for its verdict, connect again.

One thread of its own owns the DEALER and everything about it; the training loop only puts messages
into the mailbox. One is on its way at a time (a credit of one). A resend after a lost connection
carries the same number, so the bridge answers it without doing it twice.
"""

from __future__ import annotations

import logging
import random
import socket
import threading
import time
from collections.abc import Callable
from contextlib import suppress

import zmq
from zmq.utils.monitor import recv_monitor_message

from faustwire import codec
from faustwire.client_socket import EVENTS, HANDSHAKE_MS, Link, Pauses, client_socket
from faustwire.curve import secure
from faustwire.endpoint import parse
from faustwire.errors import FaustwireError, MessageError, NonFiniteError
from faustwire.key_ring import KeyFileError, KeyRing
from faustwire.messages import (
    Bye,
    Hello,
    Message,
    Ping,
    Pong,
    Reason,
    Rejection,
    Verdict,
    Welcome,
)
from faustwire_publisher.mailbox import Mailbox, Ticket

_log = logging.getLogger("faustwire.publisher")

# Well below the bridge's patience of five seconds.
_PING_SECONDS = 1.0
# Whoever has said something in the time of two pings is there.
_ALIVE_SECONDS = 2.5
# A bridge that answers pings has a verdict by then, or it, or the message, was lost.
_RESEND_SECONDS = 2.0
# A connection over which no answer has come for so long is none, unless we are in the middle of a
# message; a line is no slower than a bad mobile one. ZeroMQ's own heartbeats would not do: one way
# may be dead alone, a large message takes longer, and a bridge that reads what was sent meanwhile
# may abort on them (see the bridge's listeners.py).
_SILENCE_SECONDS = 5.0
_SLOWEST_BYTES_PER_SECOND = 16 * 1024
# Longer than a compile takes that comes to its end.
_LOST_SECONDS = 15.0
# The monitor tells of a connection a little before the socket can send through it.
_AGAIN_SECONDS = 0.005
# Waking the thread may hand it the interpreter; the training loop shall have it back at once.
_STEP_ASIDE_SECONDS = 0.001
# First and longest pause between two tries. A Unix socket costs next to nothing, and a bridge is
# about to come there; many workers must not hammer one over TCP.
_PAUSES = {"ipc": Pauses(20, 160), "tcp": Pauses(100, 2560)}
# A network that does not even let go of a socket in this time has a name server that is away.
_FAREWELL_SECONDS = 1.0
# While there is no connection, how often somebody may be asked to start a bridge.
# The first pause is for a bridge that is just dying.
_REVIVE_SECONDS = (0.05, 0.5, 1.0, 2.0, 5.0)
_FAILED_HANDSHAKES = (
    zmq.Event.HANDSHAKE_FAILED_NO_DETAIL,
    zmq.Event.HANDSHAKE_FAILED_PROTOCOL,
    zmq.Event.HANDSHAKE_FAILED_AUTH,
)


class Client:
    """A worker's connection to its bridge.

    Attributes:
        mailbox: where messages go in and verdicts come out.
        bridge: the bridge's Welcome while connected.
        connections: how often a bridge has said Welcome; a new one may know nothing of the last.
        heard: when the bridge last sent anything, monotonic seconds.
        welcomed: when it last said Welcome.
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
        """Start the thread.

        Args:
            endpoint: ZeroMQ endpoint of the bridge.
            hello: who we are.
            revive: is called, on the thread, while there is no connection: starts a bridge if
                there is none and returns what is wrong, if anything.
            steps_aside: let whoever hands a message over go on first; nobody waits for it.
            keyring: keys to use if the bridge's is among them.
            encrypted: don't connect otherwise.
        """
        self.mailbox = Mailbox()
        self.bridge: Welcome | None = None
        self.connections = 0
        self.heard = 0.0
        self.welcomed = 0.0
        self._endpoint = endpoint
        self._keyring = keyring
        self._encrypted = encrypted
        # What is wrong besides the connection; what is wrong with that, the link knows.
        self._problem: str | None = None
        self._link = Link(endpoint)
        self._hello = hello
        self._revive = revive
        self._steps_aside = steps_aside
        self._in_vain: float | None = None
        self._trusting = True
        self._closing = False
        self._wakeup, self._waker = socket.socketpair()
        self._waker.setblocking(False)
        self._thread = threading.Thread(target=self._run, name="faustwire", daemon=True)
        self._thread.start()

    @property
    def trouble(self) -> str | None:
        """One line about why there is no bridge, where something is known."""
        # A bridge of this machine that is not there is about to be started.
        return self._problem or (self._link.trouble if self._revive is None else None)

    def submit(self, ticket: Ticket) -> None:
        """Hand a message over; it takes the place of one that still waits to be sent."""
        self.mailbox.put(ticket)
        self._wake()

    def wait_for(self, ticket: Ticket, timeout: float, *, last: bool = False) -> Verdict | None:
        """The verdict on a ticket, or None after ``timeout`` seconds.

        Whoever has waited in vain once does not wait again before the bridge has shown that it
        pays: by a verdict within ``timeout``, or by a Welcome. Any other word of it does not do,
        or a bridge that is far or slow would cost every call its timeout. Nor does a second
        Welcome without a verdict: some networks let through what is small, and nothing else.

        Args:
            ticket: a message that was submitted.
            timeout: seconds.
            last: nothing comes after it, so that any word of the bridge is reason to wait.
        """
        met_anew = self._in_vain is not None and self._trusting and self.welcomed > self._in_vain
        patient = self._in_vain is None or met_anew or self._answers(timeout, since=self._in_vain)
        if last:
            patient = patient or time.monotonic() - self.heard < _ALIVE_SECONDS
        verdict = ticket.wait(timeout if patient and not self._is_own_thread() else 0.0)
        if verdict is not None:
            self._in_vain, self._trusting = None, True
        elif patient:
            self._in_vain, self._trusting = time.monotonic(), not met_anew
        return verdict

    def _answers(self, timeout: float, *, since: float) -> bool:
        answered = self.mailbox.answered
        return answered is not None and answered.received > since and answered.took <= timeout

    def close(self) -> None:
        """Say Bye and end the thread. What has no verdict yet is given up."""
        self._closing = True
        self._wake()
        if not self._is_own_thread():
            self._thread.join(_FAREWELL_SECONDS)
        self._waker.close()

    def _is_own_thread(self) -> bool:
        # The garbage collector may end a HotReload on any thread.
        return threading.current_thread() is self._thread

    def _wake(self) -> None:
        # A full pipe has woken the thread already; a closed one has no thread.
        with suppress(OSError):
            self._waker.send(b"\0")

    # -- on the thread from here ---------------------------------------------------------------

    def _run(self) -> None:
        context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        self._pauses_ms = _PAUSES[parse(self._endpoint).transport]
        self._dealer = client_socket(context, zmq.DEALER, self._endpoint, self._pauses_ms)
        self._monitor = self._dealer.get_monitor_socket(EVENTS)
        self._connected = False
        self._revivals = 0
        self._next_revival = 0.0
        self._next_ping = 0.0
        self._next_resend = 0.0
        self._next_dial: float | None = 0.0
        self._pause_ms = self._pauses_ms[0]
        self._handshake_until: float | None = None
        self._silent_until = 0.0
        try:
            self._loop()
        except Exception:  # noqa: BLE001 - the training goes on; told where people look
            _log.exception("the connection to the bridge has ended; please report this")
        finally:
            self.bridge = None
            self._dealer.disable_monitor()
            self._monitor.close(linger=0)
            # Bye gets a moment.
            self._dealer.close(linger=200)
            context.term()
            self._wakeup.close()

    def _loop(self) -> None:
        poller = zmq.Poller()
        for source in (self._dealer, self._monitor, self._wakeup):
            poller.register(source, zmq.POLLIN)
        self._work(time.monotonic())
        while not self._closing:
            ready = dict(poller.poll(self._patience_ms()))
            if self._wakeup.fileno() in ready:
                self._wakeup.recv(4096)
                if self._steps_aside:
                    time.sleep(_STEP_ASIDE_SECONDS)
            if self._monitor in ready:
                self._watch_connection()
            if self._dealer in ready:
                self._receive()
            self._work(time.monotonic())
        if self._connected:
            self._send(Bye())

    def _patience_ms(self) -> int:
        if self._connected:
            until = self._next_ping
        else:
            deadlines = [self._next_dial, self._handshake_until, time.monotonic() + 1.0]
            if self._revive is not None:
                deadlines.append(self._next_revival)
            until = min(deadline for deadline in deadlines if deadline is not None)
        return max(1, int((until - time.monotonic()) * 1000) + 1)

    def _work(self, now: float) -> None:
        if not self._connected:
            self._ask_for_a_bridge(now)
            self._dial(now)
            return
        if now >= self._silent_until:
            self._hang_up(now)
            return
        if self.bridge is not None:
            self._send_ticket(self.mailbox.take())
        if now >= self._next_ping:
            # Until Welcome has come, Hello is the ping.
            sent = self._send(Ping() if self.bridge is not None else self._hello)
            self._next_ping = now + (_PING_SECONDS if sent else _AGAIN_SECONDS)

    def _ask_for_a_bridge(self, now: float) -> None:
        if self._revive is None or now < self._next_revival:
            return
        self._next_revival = now + _REVIVE_SECONDS[min(self._revivals, len(_REVIVE_SECONDS) - 1)]
        self._revivals += 1
        self._problem = self._revive()

    def _dial(self, now: float) -> None:
        """Begin to connect, if it is time.

        Where nobody takes the call ZeroMQ tries again by itself, and looks the name up each time.
        """
        if self._handshake_until is not None and now >= self._handshake_until:
            # What greets like a ZeroMQ of old, as a web server may, keeps ZeroMQ waiting for ever.
            self._hang_up(now)
        if self._next_dial is None or now < self._next_dial:
            return
        try:
            # Each time anew: what was missing may have been enrolled or trusted meanwhile.
            self._link.dial(self._secure())
        except (FaustwireError, OSError) as problem:
            self._problem = str(problem)
            self._hang_up(now)
            return
        self._next_dial = None
        self._dealer.connect(self._endpoint)

    def _secure(self) -> bytes | None:
        """Use our keys if the bridge's is known; our public one."""
        if self._keyring is None:
            return None
        if secure(self._dealer, self._endpoint, self._keyring):
            self._encrypted = True
            return self._keyring.pair()[0]
        if self._encrypted:
            raise KeyFileError(
                f"no key is known for {self._endpoint} in {self._keyring.folder}, and nothing is "
                "sent in the clear: run `faustwire keys` there, and here the line that it prints"
            )
        return None

    def _hang_up(self, now: float) -> None:
        """Somebody took the call who is no bridge, as a tunnel whose other end is not there.

        ZeroMQ would try again after the first pause for ever: it only counts calls nobody takes.
        """
        # It may have given the endpoint up itself.
        with suppress(zmq.ZMQError):
            self._dealer.disconnect(self._endpoint)
        self._lose()
        # Workers that were cut off together shall not come back together.
        self._next_dial = now + random.uniform(0.5, 1.0) * self._pause_ms / 1000  # noqa: S311
        self._pause_ms = min(2 * self._pause_ms, self._pauses_ms[1])

    def _lose(self) -> None:
        if self._connected:
            self._revivals, self._next_revival = 0, 0.0
            self._problem = None
        self._connected = False
        self._handshake_until = None
        self.bridge = None

    def _watch_connection(self) -> None:
        while self._monitor.poll(0):
            message = recv_monitor_message(self._monitor)
            if self._next_dial is None:
                self._link.take(message["event"], message["value"])
                self._note(message["event"], time.monotonic())

    def _note(self, event: int, now: float) -> None:
        if event == zmq.Event.CONNECTED:
            self._handshake_until = now + 1.0 + HANDSHAKE_MS / 1000
        elif event == zmq.Event.HANDSHAKE_SUCCEEDED:
            self._connected = True
            self._handshake_until = None
            self._next_ping = 0.0
            self._silent_until = now + _SILENCE_SECONDS
        elif event == zmq.Event.DISCONNECTED and self.bridge is not None:
            self._lose()
        elif event == zmq.Event.DISCONNECTED or event in _FAILED_HANDSHAKES:
            self._hang_up(now)

    def _receive(self) -> None:
        while True:
            try:
                data = self._dealer.recv(zmq.DONTWAIT)
            except zmq.Again:
                return
            self.heard = time.monotonic()
            self._silent_until = max(self._silent_until, self.heard + _SILENCE_SECONDS)
            try:
                self._take(codec.decode(data))
            except MessageError as problem:
                self._problem = f"the bridge speaks another language: {problem}"

    def _take(self, message: Message) -> None:
        match message:
            case Welcome():
                self.bridge, self._problem = message, None
                self.welcomed = self.heard
                self.connections += 1
                self._pause_ms = self._pauses_ms[0]
                self._send_ticket(self.mailbox.lost())
            case Verdict():
                self.mailbox.settle(message)
                self._send_ticket(self.mailbox.take())
            case Pong():
                self._send_again_if_overdue()
            case Rejection(detail):
                # Hello goes out with the next ping.
                self.bridge, self._problem = None, detail

    def _send_ticket(self, ticket: Ticket | None) -> None:
        if ticket is None:
            return
        try:
            data = ticket.data()
        except NonFiniteError as problem:
            self._give_up(ticket, Reason.NON_FINITE, problem)
        except FaustwireError as problem:
            self._give_up(ticket, Reason.REFUSED, problem)
        except Exception as problem:  # noqa: BLE001 - a rule or a map of the user's; the thread must live on
            _log.exception("a snapshot could not be made")
            self._give_up(ticket, Reason.REFUSED, problem)
        else:
            now = time.monotonic()
            ticket.sent = ticket.sent or now
            self._next_ping = now + _PING_SECONDS
            self._next_resend = now + _RESEND_SECONDS
            takes = len(data) / _SLOWEST_BYTES_PER_SECOND
            self._silent_until = max(self._silent_until, now + takes + _SILENCE_SECONDS)
            self._send_bytes(data)

    def _give_up(self, ticket: Ticket, reason: Reason, problem: Exception) -> None:
        """What can't be sent is settled here, and what waits comes next."""
        self.mailbox.settle(Verdict(ticket.seq, False, reason, str(problem)))
        self._send_ticket(self.mailbox.take())

    def _send_again_if_overdue(self) -> None:
        """A Pong came, but no verdict: it, or the message, was dropped on the way.

        If nothing comes of it however often it is sent, a newer one may fare better.
        """
        ticket, now = self.mailbox.unanswered(), time.monotonic()
        if ticket is not None and now >= self._next_resend:
            lost = now - ticket.sent > _LOST_SECONDS
            self._send_ticket(self.mailbox.lost() if lost else ticket)

    def _send(self, message: Message) -> bool:
        return self._send_bytes(codec.encode(message))

    def _send_bytes(self, data: bytes) -> bool:
        # Again: the connection went while we looked; DISCONNECTED or the next ping will tell.
        with suppress(zmq.Again):
            self._dealer.send(data, zmq.DONTWAIT)
            return True
        return False
