"""A client's socket, and in words why it has no connection: refused, no answer, no key.

libzmq tries again and again and says nothing; only the events of a socket's monitor show why.
"""

from __future__ import annotations

import errno
from enum import Enum, auto
from typing import NamedTuple

import zmq
from zmq.utils.monitor import recv_monitor_message

from faustwire.codec import MAX_BYTES
from faustwire.endpoint import parse
from faustwire.key_ring import RIGHTS, own_name

# The system's own would be two minutes, and its pauses between tries grow to one: after a long
# partition nobody would notice for as long that it is over.
_CONNECT_MS = 2000
# Five times to the bridge and back, with keys: two seconds were too few for a line full of data.
HANDSHAKE_MS = 10_000
# The events that a monitor has to report, at most some twenty a second. They have to be read:
# libzmq blocks the socket when too many are waiting.
EVENTS = (
    zmq.Event.CONNECT_DELAYED
    | zmq.Event.CONNECT_RETRIED
    | zmq.Event.CONNECTED
    | zmq.Event.CLOSED
    | zmq.Event.DISCONNECTED
    | zmq.Event.HANDSHAKE_SUCCEEDED
    | zmq.Event.HANDSHAKE_FAILED_NO_DETAIL
    | zmq.Event.HANDSHAKE_FAILED_PROTOCOL
    | zmq.Event.HANDSHAKE_FAILED_AUTH
)

_SILENT = (
    "{endpoint} accepts connections and then says nothing: the bridge there is stopped or its "
    "machine overloaded, or it is not a faustwire bridge"
)
_OTHER_SOCKET = (
    "{endpoint} speaks ZeroMQ, but is not a faustwire bridge, or not the port it was bound to: "
    "check the port"
)
_LOST = "the connection to {endpoint} is lost"
_CLOSED = {
    "ipc": "no bridge listens at {endpoint}: start one with `faustwire serve`, or a training",
    "tcp": "nobody listens at {endpoint}, or there is no route to it: start "
    "`faustwire serve --bind …` there, and the tunnel if there is one; check host and port",
}
_UNANSWERED = (
    "no answer from {endpoint}: is that machine on, and does its firewall let the port through?"
)
_UNRESOLVED = "no address is known for {endpoint}: check how the host is spelt"
_WANTS_KEYS = (
    "{endpoint} closes the connection: it wants keys (run `faustwire keys` there, and here the "
    "line that it prints), or it is not a faustwire bridge"
)
_OTHER_KEY = (
    "{endpoint} closes the connection: the key that this machine trusts for it is not its key "
    "(compare with what `faustwire keys` prints there), or it serves without --keys, or it is no "
    "faustwire bridge"
)
_NO_KEYS_THERE = (
    "{endpoint} serves without --keys, though this machine trusts a key for it: nothing is sent in "
    "the clear. If it is another bridge, behind a tunnel for instance: `faustwire keys forget "
    "{endpoint}`"
)
_NOT_ENROLLED = (
    "{endpoint} does not let this machine's key in: it is not enrolled there; run there {enrol}"
)
_NO_AUTHENTICATOR = "{endpoint} can't check keys at the moment (status {value}): restart the bridge"


class Pauses(NamedTuple):
    """How long libzmq waits between two tries to connect: the first and the longest pause, ms."""

    first_ms: int
    longest_ms: int


def client_socket(
    context: zmq.Context[zmq.Socket[bytes]],
    endpoint: str,
    pauses: Pauses,
    *,
    heartbeat_ms: int = 0,
) -> zmq.Socket[bytes]:
    """Make a socket for one connection to a bridge; it is not connected yet.

    Args:
        context: where it belongs.
        endpoint: where it is going to connect.
        pauses: between two tries.
        heartbeat_ms: how often ZeroMQ asks the other side for a sign of life; 0: never, for
            sockets that have pings of their own.
    """
    made = context.socket(zmq.DEALER)
    made.setsockopt(zmq.LINGER, 0)
    # Without it messages would queue for a bridge that isn't there, and arrive before Hello.
    made.setsockopt(zmq.IMMEDIATE, 1)
    made.setsockopt(zmq.RECONNECT_IVL, pauses.first_ms)
    made.setsockopt(zmq.RECONNECT_IVL_MAX, pauses.longest_ms)
    made.setsockopt(zmq.CONNECT_TIMEOUT, _CONNECT_MS)
    made.setsockopt(zmq.HANDSHAKE_IVL, HANDSHAKE_MS)
    made.setsockopt(zmq.MAXMSGSIZE, MAX_BYTES)
    made.setsockopt(zmq.IPV6, int(":" in parse(endpoint).host))
    if heartbeat_ms:
        made.setsockopt(zmq.HEARTBEAT_IVL, heartbeat_ms)
        made.setsockopt(zmq.HEARTBEAT_TIMEOUT, 3 * heartbeat_ms)
        # With a mark and heartbeats a process that was suspended aborts when it goes on (libzmq's
        # issue 3937); the bridge keeps but a few messages for one that does not read.
        made.setsockopt(zmq.RCVHWM, 0)
    return made


class _Stage(Enum):
    IDLE = auto()  # between two tries
    TRYING = auto()  # a packet was sent
    ACCEPTED = auto()  # a connection, but no handshake yet
    UP = auto()


class Link:
    """The connection of a socket that connects to one endpoint.

    Attributes:
        secured: whether it uses keys.
        refused: whether nobody listens there.
        ended: whether libzmq has given up; only a new socket can try again.
        handshakes: how often a connection was established.
    """

    def __init__(self, endpoint: str, *, secured: bool = False, right: str = "publish") -> None:
        """Start with a connection that has not been tried yet.

        Args:
            endpoint: where the socket connects.
            secured: whether it uses keys.
            right: the right that the connection needs, one of ``RIGHTS``.
        """
        self.ended = False
        self.handshakes = 0
        self.refused = False
        self._endpoint = endpoint
        self.secured = secured
        self._right = right
        self._enrol = "the line that `faustwire keys` here prints"
        self._stage = _Stage.IDLE
        # Why the last try failed, for as long as the next one has come no further.
        self._why: str | None = None
        self._handshake_failed = False

    @property
    def up(self) -> bool:
        """Whether the connection is established."""
        return self._stage is _Stage.UP

    @property
    def trouble(self) -> str | None:
        """Why there is no connection and what to do, in one line; None: there is one."""
        if self.up:
            return None
        return self._why or self._say(_SILENT if self._stage is _Stage.ACCEPTED else _UNANSWERED)

    @property
    def hopeless(self) -> bool:
        """Whether trying again a moment later is unlikely to succeed."""
        passing = (None, self._say(_SILENT), self._say(_LOST))
        return not self.up and self._why not in passing

    def dial(self, public: bytes | None) -> None:
        """Note that another try begins, with this public key, or without keys."""
        self.secured = public is not None
        if public is not None:
            # An enrolment replaces the one before, so it has to include the right to publish.
            rights = ",".join(RIGHTS[: RIGHTS.index(self._right) + 1])
            options = "" if self._right == "publish" else f" --rights {rights}"
            self._enrol = f"`faustwire keys enrol {own_name()} {public.hex()}{options}`"

    def read(self, monitor: zmq.Socket[bytes]) -> None:
        """Take note of all events that wait at the socket's monitor."""
        while monitor.poll(0):
            message = recv_monitor_message(monitor)
            self.note_event(message["event"], message["value"])

    def note_event(self, event: int, value: int) -> None:
        """Take note of an event of the socket's monitor.

        Args:
            event: one of ``zmq.Event``.
            value: what comes with it; what it means depends on the event.
        """
        if event in (zmq.Event.CLOSED, zmq.Event.CONNECTED):
            self.refused = event == zmq.Event.CLOSED
        match event:
            case zmq.Event.HANDSHAKE_SUCCEEDED:
                self._stage, self._why = _Stage.UP, None
                self.handshakes += 1
            case zmq.Event.CONNECT_DELAYED:
                self._stage = _Stage.TRYING
            case zmq.Event.CONNECTED:
                self._stage = _Stage.ACCEPTED
                self._why = self._why if self._handshake_failed else None
            case zmq.Event.CLOSED:
                self._failed(_CLOSED[parse(self._endpoint).transport])
            case zmq.Event.CONNECT_RETRIED:
                if self._stage is _Stage.IDLE:
                    # A try that ended before a packet was sent had no address.
                    self._failed(_UNRESOLVED)
                self._stage = _Stage.IDLE
            case zmq.Event.DISCONNECTED:
                self._disconnected()
            case _:
                self._refused(event, value)

    def _disconnected(self) -> None:
        if self.up:
            self._failed(_LOST)
        elif self._stage is _Stage.ACCEPTED:
            # The greetings matched, the types of socket did not; libzmq does not try again.
            self._failed(_OTHER_SOCKET)
            self.ended = True

    def _refused(self, event: int, value: int) -> None:
        if event == zmq.Event.HANDSHAKE_FAILED_AUTH:
            # 300 and 500 are failures of the authenticator itself, see ZeroMQ's RFC 27.
            self._failed(_NOT_ENROLLED if value == 400 else _NO_AUTHENTICATOR, value)
            self.ended = True
        elif event == zmq.Event.HANDSHAKE_FAILED_NO_DETAIL and value == errno.EAGAIN:
            self._failed(_SILENT)
        elif value == zmq.Event.PROTOCOL_ERROR_ZMTP_MECHANISM_MISMATCH and self.secured:
            self._failed(_NO_KEYS_THERE)
        elif self._why != self._say(_NO_KEYS_THERE):
            # Either side may hang up first; the more precise cause is kept.
            self._failed(_OTHER_KEY if self.secured else _WANTS_KEYS)
        self._handshake_failed = True

    def _failed(self, why: str, value: int = 0) -> None:
        self._stage = _Stage.TRYING
        self._why, self._handshake_failed = self._say(why, value), False

    def _say(self, sentence: str, value: int = 0) -> str:
        return sentence.format(endpoint=self._endpoint, value=value, enrol=self._enrol)
