"""The sockets that a bridge listens on, and who comes in by them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import zmq

from faustwire import codec
from faustwire.errors import FaustwireError
from faustwire.rendezvous import Rendezvous, events_endpoint
from faustwire_bridge.exchange import User

# Messages a peer may have waiting. A worker sends one and waits; pings and resends come on top.
_RECEIVE_HIGH_WATER_MARK = 16
# A worker that never reads its verdicts is not worth more memory than this many.
_SEND_HIGH_WATER_MARK = 64
# A watcher that is slow misses states; each is whole, so the next one makes good.
_STATES_HIGH_WATER_MARK = 16
_HANDSHAKE_MS = 2000
_HEARTBEAT_MS = 2000
# A port whose successor is free as well is found soon, unless something is wrong.
_PORT_TRIES = 50


class BindError(FaustwireError, RuntimeError):
    """An endpoint that the bridge can't, or had better not, listen on."""


class GoneError(FaustwireError):
    """There is no connection to that peer any more."""


@dataclass(frozen=True)
class Came:
    """What came in by a door: the frames of a message, from whom, and whose key opened the door."""

    peer: bytes
    frames: list[bytes]
    user: User | None


class Door:
    """A ROUTER for those who publish and steer and, beside it, an XPUB for those who watch."""

    def __init__(self, context: zmq.Context[zmq.Socket[bytes]], *, ipv6: bool) -> None:
        self.router = context.socket(zmq.ROUTER)
        self.router.setsockopt(zmq.ROUTER_MANDATORY, 1)
        self.router.setsockopt(zmq.MAXMSGSIZE, codec.MAX_BYTES)
        self.router.setsockopt(zmq.RCVHWM, _RECEIVE_HIGH_WATER_MARK)
        self.router.setsockopt(zmq.SNDHWM, _SEND_HIGH_WATER_MARK)
        self.events = context.socket(zmq.XPUB)
        # Every new subscriber is told the state at once, the second one of a topic, too.
        self.events.setsockopt(zmq.XPUB_VERBOSE, 1)
        self.events.setsockopt(zmq.SNDHWM, _STATES_HIGH_WATER_MARK)
        # Subscriptions are a byte long.
        self.events.setsockopt(zmq.MAXMSGSIZE, 64)
        for made in (self.router, self.events):
            made.setsockopt(zmq.LINGER, 0)
            made.setsockopt(zmq.HANDSHAKE_IVL, _HANDSHAKE_MS)
            made.setsockopt(zmq.HEARTBEAT_IVL, _HEARTBEAT_MS)
            made.setsockopt(zmq.HEARTBEAT_TIMEOUT, 3 * _HEARTBEAT_MS)
            made.setsockopt(zmq.IPV6, int(ipv6))

    def bind(self, endpoint: str) -> str:
        """Listen; returns the endpoint with the port that was taken.

        Raises:
            BindError: it, or its neighbour for watchers, can't be had.
        """
        tries = _PORT_TRIES if endpoint.startswith("tcp:") and endpoint.endswith(":0") else 1
        for left in reversed(range(tries)):
            bound = _bind(self.router, endpoint)
            try:
                _bind(self.events, events_endpoint(bound))
            except BindError:
                self.router.unbind(bound)
                if not left:
                    raise
            else:
                return bound
        raise AssertionError("the last try returns or raises")

    def close(self) -> None:
        """Verdicts on their way get a moment; a worker that is gone does not hold us up."""
        self.router.close(linger=200)
        self.events.close()


class Doors:
    """All doors of a bridge.

    Attributes:
        endpoints: where workers connect, the given ones first.
        sockets: what to poll.
    """

    def __init__(self, place: Rendezvous, endpoints: Sequence[str]) -> None:
        """Open them; ``close`` them even if this raises.

        Raises:
            BindError: an endpoint can't be had.
        """
        self._context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        self._door = Door(self._context, ipv6=any("[" in endpoint for endpoint in endpoints))
        self.endpoints: list[str] = []
        self.sockets = [self._door.router, self._door.events]
        try:
            for endpoint in (*endpoints, place.endpoint):
                self.endpoints.append(self._door.bind(endpoint))
        except BaseException:
            self.close()
            raise

    def receive(self) -> Came | None:
        """What came next, None: nothing."""
        try:
            peer, *frames = self._door.router.recv_multipart(zmq.DONTWAIT)
        except zmq.Again:
            return None
        return Came(peer, frames, None)

    def send(self, peer: bytes, data: bytes) -> bool:
        """Send to a peer; False: it does not read, and this is dropped.

        Raises:
            GoneError: its connection is no more.
        """
        try:
            self._door.router.send_multipart([peer, data], zmq.DONTWAIT)
        except zmq.Again:
            return False
        except zmq.ZMQError as problem:
            if problem.errno != zmq.EHOSTUNREACH:
                raise
            raise GoneError(f"no connection to {peer.hex()}") from problem
        return True

    def publish(self, data: bytes) -> None:
        """Send to all watchers."""
        # A watcher that does not keep up misses it.
        self._door.events.send(data, zmq.DONTWAIT)

    def watched(self) -> bool:
        """Whether somebody has begun to watch since this was last asked."""
        new = False
        while self._door.events.poll(0):
            new |= self._door.events.recv(zmq.DONTWAIT)[:1] == b"\1"
        return new

    def close(self) -> None:
        """Close them all; the files of sockets go with them."""
        self._door.close()
        self._context.term()
        for endpoint in self.endpoints:
            for address in (endpoint, events_endpoint(endpoint)):
                if address.startswith("ipc://"):
                    Path(address.removeprefix("ipc://")).unlink(missing_ok=True)


@contextmanager
def doors(place: Rendezvous, endpoints: Sequence[str]) -> Iterator[Doors]:
    """The doors of a bridge, open for as long as the block runs."""
    opened = Doors(place, endpoints)
    try:
        yield opened
    finally:
        opened.close()


def check_endpoint(endpoint: str, *, insecure: bool) -> None:
    """Raise BindError for an endpoint that is none, or that had better not be listened on."""
    transport, _, address = endpoint.partition("://")
    if transport not in ("tcp", "ipc") or not address:
        raise BindError(f"{endpoint!r} is no endpoint: write tcp://127.0.0.1:5555 or ipc:///a/path")
    if transport == "ipc":
        return
    host, _, port = address.rpartition(":")
    # libzmq takes a port modulo 65536, and watchers have the next one.
    if not port.isdigit() or int(port) > 65534:
        raise BindError(f"{endpoint!r} has no port from 0 to 65534; 0 takes a free one")
    if insecure:
        return
    host = host.strip("[]")
    if host not in ("localhost", "::1") and not host.startswith("127."):
        raise BindError(
            f"{endpoint} can be reached from other machines, and whoever reaches it decides what "
            "the plugin plays: bind tcp://127.0.0.1:… (and tunnel, for instance with ssh -L), or "
            "say --insecure on a network that you trust"
        )


def _bind(socket: zmq.Socket[bytes], endpoint: str) -> str:
    try:
        socket.bind(endpoint)
    except zmq.ZMQError as problem:
        raise BindError(
            f"can't listen on {endpoint}: {problem.strerror}; choose another --bind"
        ) from problem
    return socket.getsockopt_string(zmq.LAST_ENDPOINT).rstrip("\0")
