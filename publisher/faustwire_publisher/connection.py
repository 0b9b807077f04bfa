"""One socket to a bridge: dial, notice when the connection is established or lost, dial again.

Everything here happens on one thread, the one that created the ``Connection``.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from contextlib import suppress

import zmq
from zmq.utils.monitor import recv_monitor_message

from faustwire import codec
from faustwire.client_socket import EVENTS, HANDSHAKE_MS, Link, Pauses, client_socket
from faustwire.curve import secure
from faustwire.endpoint import parse
from faustwire.errors import FaustwireError, MessageError, explained
from faustwire.key_ring import KeyFileError, KeyRing
from faustwire.messages import Bye, Ping, Rejection
from faustwire.rendezvous import prepare_endpoint

# A connection that brought no answer for this long is given up, unless a message is still being
# transferred; no line is slower than a bad mobile one. ZeroMQ's own heartbeats would not do: one
# direction alone may be dead, a large message takes longer, and a bridge that reads what was sent
# meanwhile may abort on them (see the bridge's listeners.py).
_SILENCE_SECONDS = 5.0
_SLOWEST_BYTES_PER_SECOND = 16 * 1024
# First and longest pause between two attempts. A Unix socket costs next to nothing, and a bridge is
# about to appear there; many workers must not hammer one over TCP.
_PAUSES = {"ipc": Pauses(20, 160), "tcp": Pauses(100, 2560)}
_FAILED_HANDSHAKES = (
    zmq.Event.HANDSHAKE_FAILED_NO_DETAIL,
    zmq.Event.HANDSHAKE_FAILED_PROTOCOL,
    zmq.Event.HANDSHAKE_FAILED_AUTH,
)
# Pauses are drawn from a generator of our own: the global one is part of a seeded training.
_random = random.Random()  # noqa: S311 - spreads workers that reconnect, nothing secret


class Connection:
    """A DEALER socket that connects to one endpoint for as long as it takes.

    Attributes:
        dealer: the socket; readable when a message has come.
        monitor: readable when ``watch`` has something to see.
        up: whether the connection is established; the peer need not be a bridge.
        problem: why the last attempt could not even begin, one line; None: it could.
    """

    def __init__(
        self,
        endpoint: str,
        on_change: Callable[[bool], None],
        *,
        keyring: KeyRing | None = None,
        encrypted: bool = False,
    ) -> None:
        """Create the socket; nothing is sent before ``dial``.

        Args:
            endpoint: ZeroMQ endpoint of the bridge.
            on_change: is called with True when the connection comes up, with False when it, or an
                attempt, is lost.
            keyring: keys to use if the bridge's key is among them.
            encrypted: never connect without keys.
        """
        self._context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        self._pauses = _PAUSES[parse(endpoint).transport]
        self.dealer = client_socket(self._context, endpoint, self._pauses)
        self.monitor = self.dealer.get_monitor_socket(EVENTS)
        self.up = False
        self.problem: str | None = None
        self._link = Link(endpoint)
        self._on_change = on_change
        self._met = False
        self._endpoint = endpoint
        self._keyring = keyring
        self._encrypted = encrypted
        self._pause_ms = self._pauses.first_ms
        self._next_dial: float | None = 0.0
        self._handshake_until: float | None = None
        self._silent_until = 0.0

    @property
    def trouble(self) -> str | None:
        """Why there is no connection, one line; None: there is one."""
        return self._link.trouble

    def deadline(self, now: float) -> float:
        """When ``dial`` has something to do, monotonic seconds; at most a second from ``now``."""
        deadlines = (self._next_dial, self._handshake_until, now + 1.0)
        return min(deadline for deadline in deadlines if deadline is not None)

    def dial(self, now: float) -> None:
        """Begin to connect if it is time.

        Where nobody listens ZeroMQ tries again by itself, and resolves the name each time.
        """
        if self._handshake_until is not None and now >= self._handshake_until:
            # A peer that greets like an old ZeroMQ, as a web server may, keeps ZeroMQ waiting for
            # ever.
            self.hang_up(now)
        if self._next_dial is None or now < self._next_dial:
            return
        try:
            # Each time again: a missing key may have been enrolled or trusted meanwhile.
            prepare_endpoint(self._endpoint)
            self._link.dial(self._secure())
        except (FaustwireError, OSError) as problem:
            self.problem = explained(problem)
            self.hang_up(now)
            return
        self._next_dial, self.problem = None, None
        self.dealer.connect(self._endpoint)

    def _secure(self) -> bytes | None:
        """Use our keys if the bridge's key is known; returns our public key then."""
        if self._keyring is None:
            return None
        if secure(self.dealer, self._endpoint, self._keyring):
            self._encrypted = True
            return self._keyring.pair()[0]
        if self._encrypted:
            raise KeyFileError(
                f"no key is known for {self._endpoint} in {self._keyring}, and nothing is "
                "sent in the clear: run `faustwire keys` there, and here the line that it prints"
            )
        return None

    def hang_up(self, now: float) -> None:
        """Disconnect, and dial again after a pause that doubles up to its longest.

        For a peer that accepts connections and is no bridge, such as a tunnel whose far end is
        away. ZeroMQ would try again after the first pause for ever: its own pause grows only where
        nobody accepts.

        Args:
            now: monotonic seconds.
        """
        # ZeroMQ may have given the endpoint up itself.
        with suppress(zmq.ZMQError):
            self.dealer.disconnect(self._endpoint)
        self.lose()
        # Workers that were cut off together must not come back together.
        self._next_dial = now + _random.uniform(0.5, 1.0) * self._pause_ms / 1000
        self._pause_ms = min(2 * self._pause_ms, self._pauses.longest_ms)

    def lose(self) -> None:
        """Note that the connection is gone; ZeroMQ reconnects by itself."""
        self.up = self._met = False
        self._handshake_until = None
        self._on_change(False)

    def met(self) -> None:
        """Note that a bridge has said Welcome, so that pauses start short again."""
        self._met = True
        self._pause_ms = self._pauses.first_ms

    def silent(self, now: float) -> bool:
        """Whether the peer has been silent for too long."""
        return now >= self._silent_until

    def expect_transfer(self, size: int, now: float) -> None:
        """Allow for the time that a message may take on a slow line, during which none is heard.

        Args:
            size: of the message, bytes.
            now: monotonic seconds.
        """
        transfer = size / _SLOWEST_BYTES_PER_SECOND
        self._silent_until = max(self._silent_until, now + transfer + _SILENCE_SECONDS)

    def watch(self) -> None:
        """Read the socket's monitor."""
        while self.monitor.poll(0):
            message = recv_monitor_message(self.monitor)
            if self._next_dial is None:
                self._link.note_event(message["event"], message["value"])
                self._note(message["event"], time.monotonic())

    def _note(self, event: int, now: float) -> None:
        if event == zmq.Event.CONNECTED:
            self._handshake_until = now + 1.0 + HANDSHAKE_MS / 1000
        elif event == zmq.Event.HANDSHAKE_SUCCEEDED:
            self.up = True
            self._handshake_until = None
            self._silent_until = now + _SILENCE_SECONDS
            self._on_change(True)
        elif event == zmq.Event.DISCONNECTED and self._met:
            self.lose()
        elif event == zmq.Event.DISCONNECTED or event in _FAILED_HANDSHAKES:
            self.hang_up(now)

    def receive(self) -> bytes | None:
        """The next message; None: none has come."""
        try:
            data = self.dealer.recv(zmq.DONTWAIT)
        except zmq.Again:
            return None
        self._silent_until = max(self._silent_until, time.monotonic() + _SILENCE_SECONDS)
        return data

    def say_bye(self, patience_seconds: float) -> None:
        """Leave the bridge, and wait until it has noticed; one that records has then written all.

        Args:
            patience_seconds: how long to wait; 0: not at all.
        """
        self.send(codec.encode(Bye()))
        if not patience_seconds:
            return
        # After a Bye a bridge does not know the worker, and rejects whatever it sends.
        self.send(codec.encode(Ping()))
        until = time.monotonic() + patience_seconds
        while (left := until - time.monotonic()) > 0 and self.dealer.poll(int(1000 * left) + 1):
            while (data := self.receive()) is not None:
                with suppress(MessageError):
                    if isinstance(codec.decode(data), Rejection):
                        return

    def send(self, data: bytes) -> bool:
        """Send a message; False: the connection has just gone."""
        # Again: DISCONNECTED or the next ping will tell.
        with suppress(zmq.Again):
            self.dealer.send(data, zmq.DONTWAIT)
            return True
        return False

    def close(self) -> None:
        """Close the socket; what was sent last, such as Bye, gets a moment."""
        self.dealer.disable_monitor()
        self.monitor.close(linger=0)
        self.dealer.close(linger=200)
        self._context.term()
