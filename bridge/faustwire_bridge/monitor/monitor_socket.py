"""The socket of somebody who watches or steers, and why nothing comes over it."""

from __future__ import annotations

import time
from collections.abc import Callable

import zmq

from faustwire import codec
from faustwire.client_socket import EVENTS, Link, Pauses, client_socket
from faustwire.codec import UNKNOWN_TYPE
from faustwire.endpoint import parse
from faustwire.errors import FaustwireError, MessageError
from faustwire.messages import Message, Rejection, ToBridge
from faustwire.rendezvous import prepare_endpoint

# First and longest pause between two tries. Trying a Unix socket costs next to nothing; many
# watchers must not hammer a bridge over TCP, nor one of them a tunnel whose other end is away: that
# one takes every call, which libzmq answers with the first pause for ever.
_PAUSES = {"ipc": Pauses(50, 200), "tcp": Pauses(500, 2000)}
_HEARTBEAT_MS = 2000
# A key that was turned down may be enrolled a moment later.
_AGAIN_SECONDS = 2.0


def is_unknown_to(answer: Rejection) -> bool:
    """Whether a bridge turns a message down because its version is older than the message."""
    return answer.detail.startswith(UNKNOWN_TYPE)


class UnreachableError(FaustwireError, ConnectionError):
    """No bridge answers; the text says why and what to do."""


class MonitorSocket:
    """One socket to one endpoint of a bridge, opened again where libzmq gives up."""

    def __init__(
        self,
        endpoint: str,
        secure: Callable[[zmq.Socket[bytes]], bytes | None],
        *,
        right: str = "steer",
    ) -> None:
        """Connect; nobody has to be there.

        Args:
            endpoint: of the bridge.
            secure: has a socket use keys, where there are any, and returns this machine's own.
            right: that it is for, one of ``RIGHTS``.

        Raises:
            KeyFileError: a file of keys can't be used.
            PathError: the directory of the bridge's socket belongs to somebody else.
        """
        self._secure = secure
        self._right = right
        self._endpoint = endpoint
        self._context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        self._misunderstood: str | None = None
        try:
            self._open()
        except FaustwireError:
            self._context.term()
            raise

    def close(self) -> None:
        """Give up the connection."""
        self._shut()
        self._context.term()

    @property
    def refused(self) -> bool:
        """Whether nobody listens there."""
        return self._link.refused

    @property
    def up(self) -> bool:
        """Whether the connection is established."""
        return self._link.up

    @property
    def standing(self) -> tuple[float, int]:
        """Which connection is established, or was last: it differs after every reconnect."""
        return self._opened, self._link.handshakes

    @property
    def hopeless(self) -> bool:
        """Whether another try a moment later is unlikely to succeed."""
        return self._link.hopeless

    @property
    def ended(self) -> bool:
        """Whether it was turned away, so that only a new try a little later may succeed."""
        return self._link.ended

    @property
    def secured(self) -> bool:
        """Whether it uses keys."""
        return self._link.secured

    @property
    def trouble(self) -> str | None:
        """One line about why nothing is heard and what to do; None: it is not known."""
        return self._link.trouble or self._misunderstood

    def send(self, message: ToBridge) -> bool:
        """Send; False: there is nobody there."""
        try:
            self._socket.send(codec.encode(message), zmq.DONTWAIT)
        except zmq.Again:
            return False
        return True

    def receive(self, seconds: float) -> Message | None:
        """The next message; None: none came within this many seconds."""
        end = time.monotonic() + seconds
        while True:
            message = self._next()
            left = end - time.monotonic()
            if message is not None or left <= 0:
                return message
            self._listen(left)

    def settle(self, seconds: float) -> bool:
        """Wait until the connection is established, at most this many seconds; whether it is."""
        end = time.monotonic() + seconds
        while not self.up and (left := end - time.monotonic()) > 0:
            self._listen(left)
        return self.up

    def _listen(self, seconds: float) -> None:
        if self._link.ended and time.monotonic() >= self._opened + _AGAIN_SECONDS:
            self._shut()
            self._open()
        self._poller.poll(int(1000 * min(seconds, _AGAIN_SECONDS)) + 1)
        self._link.read(self._monitor)

    def _next(self) -> Message | None:
        try:
            data = self._socket.recv(zmq.DONTWAIT)
        except zmq.Again:
            return None
        try:
            message = codec.decode(data)
        except MessageError as problem:
            self._misunderstood = f"{self._endpoint} speaks another language: {problem}"
            return None
        self._misunderstood = None
        return message

    def _open(self) -> None:
        pauses = _PAUSES[parse(self._endpoint).transport]
        made = client_socket(self._context, self._endpoint, pauses, heartbeat_ms=_HEARTBEAT_MS)
        self._link = Link(self._endpoint, right=self._right)
        try:
            prepare_endpoint(self._endpoint)
            self._link.dial(self._secure(made))
        except FaustwireError:
            made.close()
            raise
        self._monitor = made.get_monitor_socket(EVENTS)
        made.connect(self._endpoint)
        self._socket = made
        self._poller = zmq.Poller()
        self._poller.register(made, zmq.POLLIN)
        self._poller.register(self._monitor, zmq.POLLIN)
        self._opened = time.monotonic()

    def _shut(self) -> None:
        self._socket.disable_monitor()
        self._monitor.close(linger=0)
        self._socket.close()
