"""One listener of a bridge: the socket for those who publish, watch and steer."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import zmq

from faustwire import codec
from faustwire.endpoint import EndpointError, of_socket, parse
from faustwire.errors import FaustwireError
from faustwire_bridge.core.events import User
from faustwire_bridge.service.authenticator import Authenticator
from faustwire_bridge.service.routing_ids import draw_routing_ids

# Messages of a peer that may wait to be read; 0: any number, and Listeners bounds the memory. With
# a mark libzmq 4.3.5 aborts the process (`!_io_error` in stream_engine_base.cpp; its issue 3937 is
# similar) when a peer that has reached it sends ZMTP heartbeats and disconnects.
_NO_RECEIVE_MARK = 0
# A peer that never reads its verdicts or states is not worth more memory than this many.
_SEND_HIGH_WATER_MARK = 64
# Five times here and back, with keys, over a line that may be full of data.
_HANDSHAKE_MS = 10_000
# No heartbeats of ZeroMQ's: workers ping, and the core knows who is silent. The system frees a dead
# connection after two minutes, however long one in use is silent.
_KEEPALIVE = {
    zmq.TCP_KEEPALIVE: 1,
    zmq.TCP_KEEPALIVE_IDLE: 60,
    zmq.TCP_KEEPALIVE_INTVL: 15,
    zmq.TCP_KEEPALIVE_CNT: 4,
}
# Messages of revoked keys, and under endless routing ids, that are skipped in one go.
_REFUSED = 64
# Of a message: the routing id, the only frame of a valid one, and one that shows that it is none.
_PARTS_READ = 3
# Of the others, in one go; it takes some ten milliseconds.
_PARTS_SKIPPED = 2**14
# Of a routing id that a peer has chosen, see ZMTP's Identity, which libzmq takes at any length; it
# is remembered with each worker.
_MAX_ID_BYTES = 255


class BindError(FaustwireError, RuntimeError):
    """An endpoint that the bridge can't bind, or must not without keys."""


class GoneError(FaustwireError):
    """The connection to that peer no longer exists."""


@dataclass(frozen=True)
class Received:
    """A message as it came.

    Attributes:
        peer: routing id of the connection; the first byte says which listener it is on.
        frames: the message's first two parts; a valid one has a single frame.
        user: whose key the connection was opened with; None on a listener without keys.
    """

    peer: bytes
    frames: list[bytes]
    user: User | None


class Listener:
    """A ROUTER, at one or more endpoints.

    Attributes:
        router: the socket.
        skipped: parts of the last message that were skipped so far, while there are more of them.
        bound: its endpoints, with the ports that were taken.
        authenticator: decides who may connect; None: whoever reaches it.
    """

    def __init__(
        self,
        context: zmq.Context[zmq.Socket[bytes]],
        *,
        ipv6: bool,
        authenticator: Authenticator | None = None,
    ) -> None:
        """Make the socket; it is bound nowhere yet.

        Args:
            context: of ZeroMQ.
            ipv6: whether endpoints may be IPv6 addresses.
            authenticator: decides who may connect; None: whoever reaches it.
        """
        draw_routing_ids()
        self.router = context.socket(zmq.ROUTER)
        self.router.setsockopt(zmq.ROUTER_MANDATORY, 1)
        self.router.setsockopt(zmq.MAXMSGSIZE, codec.MAX_BYTES)
        self.router.setsockopt(zmq.LINGER, 0)
        self.router.setsockopt(zmq.SNDHWM, _SEND_HIGH_WATER_MARK)
        self.router.setsockopt(zmq.RCVHWM, _NO_RECEIVE_MARK)
        self.router.setsockopt(zmq.HANDSHAKE_IVL, _HANDSHAKE_MS)
        for option, value in _KEEPALIVE.items():
            self.router.setsockopt(option, value)
        self.router.setsockopt(zmq.IPV6, int(ipv6))
        self.bound: list[str] = []
        self.skipped = 0
        self.authenticator = authenticator
        if authenticator is not None:
            authenticator.protect(self.router)

    def test(self, path: Path) -> None:
        """Make sure, before it is bound anywhere else, that unknown keys can't connect.

        Args:
            path: for a Unix socket that nobody else can reach.

        Raises:
            AuthenticatorError: they can.
        """
        if self.authenticator is None:
            return
        self.router.bind(of_socket(path))
        try:
            self.authenticator.test(of_socket(path))
        finally:
            self.router.unbind(of_socket(path))
            path.unlink(missing_ok=True)

    def bind(self, endpoint: str) -> None:
        """Bind the socket, to one endpoint more.

        Args:
            endpoint: where peers connect.

        Raises:
            BindError: it can't be bound.
        """
        try:
            self.router.bind(endpoint)
        except zmq.ZMQError as problem:
            raise BindError(
                f"can't listen on {endpoint}: {problem.strerror}; choose another --bind"
            ) from problem
        self.bound.append(self.router.getsockopt_string(zmq.LAST_ENDPOINT).rstrip("\0"))

    def receive(self) -> Received | None:
        """The next message, of which two frames at most; None: nothing has come, or too much."""
        for _ in range(_REFUSED):
            try:
                if not self._skip_rest():
                    return None
                peer, *frames = self._begin()
            except zmq.Again:
                return None
            if not frames or len(peer) > _MAX_ID_BYTES:
                continue
            user = None if self.authenticator is None else self.authenticator.user(frames[0])
            if user is not None or self.authenticator is None:
                return Received(peer.bytes, [frame.bytes for frame in frames], user)
            # Its key was revoked a moment ago, and its connection will be closed.
        return None

    def _begin(self) -> list[zmq.Frame]:
        """The routing id and the first two frames of the next message, if it has as many."""
        parts: list[zmq.Frame] = []
        while len(parts) < _PARTS_READ:
            parts.append(self.router.recv(zmq.DONTWAIT, copy=False))
            if not parts[-1].more:
                return parts
        self.skipped = 1
        return parts

    def _skip_rest(self) -> bool:
        """Skip parts of the last message; whether all of them are skipped."""
        if self.skipped:
            for _ in range(_PARTS_SKIPPED):
                if not self.router.recv(zmq.DONTWAIT, copy=False).more:
                    self.skipped = 0
                    return True
            self.skipped += _PARTS_SKIPPED
        return not self.skipped

    def send(self, peer: bytes, data: bytes) -> bool:
        """Send a message to a peer.

        Args:
            peer: its routing id.
            data: the message.

        Returns:
            False: the peer does not read what it is sent, and the message is dropped.

        Raises:
            GoneError: its connection no longer exists.
        """
        try:
            if self._sent(peer, data):
                return True
            # libzmq looks only now and then at how much a peer has read; this has it look.
            self.router.getsockopt(zmq.EVENTS)
            return self._sent(peer, data)
        except zmq.ZMQError as problem:
            if problem.errno != zmq.EHOSTUNREACH:
                raise
            raise GoneError(f"no connection to {peer.hex()}") from problem

    def _sent(self, peer: bytes, data: bytes) -> bool:
        try:
            self.router.send_multipart([peer, data], zmq.DONTWAIT)
        except zmq.Again:
            return False
        return True

    def close(self, *, linger_ms: int = 200) -> None:
        """Close the socket.

        Args:
            linger_ms: how long verdicts on their way may take, in milliseconds.
        """
        self.router.close(linger=linger_ms)


def check_endpoint(endpoint: str, *, safe: bool) -> None:
    """Check an endpoint that the bridge is to listen at.

    Args:
        endpoint: of ``--bind``.
        safe: whether it may be one that other machines reach.

    Raises:
        BindError: it is not an endpoint, or others can reach it and ``safe`` is false.
    """
    try:
        found = parse(endpoint)
    except EndpointError as problem:
        raise BindError(str(problem)) from problem
    if not safe and not found.is_local:
        raise BindError(
            f"{endpoint} can be reached from other machines, and whoever reaches it decides what "
            "the plugin plays. Admit only keys that you know: `faustwire keys` where the training "
            "runs, here the `faustwire keys enrol …` that it prints, and `faustwire serve --keys "
            f"--bind '{endpoint}'`. Or say --insecure on a network that you trust"
        )
