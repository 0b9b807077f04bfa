"""The sockets that a bridge listens on, and who comes in by them."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import zmq

from faustwire import codec
from faustwire.errors import FaustwireError
from faustwire.keys import KeyRing
from faustwire.rendezvous import Rendezvous, events_endpoint
from faustwire_bridge.exchange import User
from faustwire_bridge.guard import TALK, WATCH, Guard, GuardError

_log = logging.getLogger("faustwire.bridge")

# Messages a peer may have waiting. A worker sends one and waits; pings and resends come on top.
_RECEIVE_HIGH_WATER_MARK = 16
# A worker that never reads its verdicts is not worth more memory than this many.
_SEND_HIGH_WATER_MARK = 64
# A watcher that is slow misses states; each is whole, so the next one makes good.
_STATES_HIGH_WATER_MARK = 16
_HANDSHAKE_MS = 2000
_HEARTBEAT_MS = 2000
# A worker in the middle of a message answers no ping; the largest one takes a minute at 2.3
# Mbit/s. Until then a connection that is dead costs a little memory, and is no worker for the core.
_HEARTBEAT_TIMEOUT_MS = 60_000
# A port whose successor is free as well is found soon, unless something is wrong.
_PORT_TRIES = 50
_REOPEN_SECONDS = 0.02


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

    def __init__(
        self, context: zmq.Context[zmq.Socket[bytes]], *, ipv6: bool, guard: Guard | None = None
    ) -> None:
        """Bound nowhere yet; ``close`` it. Without a guard whoever reaches it comes in."""
        self.router = context.socket(zmq.ROUTER)
        self.router.setsockopt(zmq.ROUTER_MANDATORY, 1)
        self.router.setsockopt(zmq.MAXMSGSIZE, codec.MAX_BYTES)
        self.router.setsockopt(zmq.RCVHWM, _RECEIVE_HIGH_WATER_MARK)
        self.router.setsockopt(zmq.SNDHWM, _SEND_HIGH_WATER_MARK)
        self.events = context.socket(zmq.XPUB)
        # Every new subscriber is told the state at once, the second one of a topic, too.
        self.events.setsockopt(zmq.XPUB_VERBOSE, 1)
        self.events.setsockopt(zmq.SNDHWM, _STATES_HIGH_WATER_MARK)
        # Subscriptions are a byte long, what CURVE needs some two hundred.
        self.events.setsockopt(zmq.MAXMSGSIZE, 512)
        for made in (self.router, self.events):
            made.setsockopt(zmq.LINGER, 0)
            made.setsockopt(zmq.HANDSHAKE_IVL, _HANDSHAKE_MS)
            made.setsockopt(zmq.HEARTBEAT_IVL, _HEARTBEAT_MS)
            made.setsockopt(zmq.HEARTBEAT_TIMEOUT, _HEARTBEAT_TIMEOUT_MS)
            made.setsockopt(zmq.IPV6, int(ipv6))
        self.guard = guard
        if guard is not None:
            guard.protect(self.router, TALK)
            guard.protect(self.events, WATCH)

    def test(self, path: Path) -> None:
        """Make sure, before it is bound anywhere else, that the guard keeps strangers out.

        Args:
            path: for a Unix socket that nobody else can reach.

        Raises:
            GuardError: it does not.
        """
        if self.guard is None:
            return
        for made, stranger in ((self.router, zmq.DEALER), (self.events, zmq.SUB)):
            made.bind(f"ipc://{path}")
            try:
                self.guard.test(f"ipc://{path}", stranger)
            finally:
                made.unbind(f"ipc://{path}")
                path.unlink(missing_ok=True)

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

    def receive(self) -> Came | None:
        """What came next, None: nothing."""
        while True:
            try:
                peer, *frames = self.router.recv_multipart(zmq.DONTWAIT, copy=False)
            except zmq.Again:
                return None
            user = None
            if self.guard is not None:
                user = self.guard.user(frames[0]) if frames else None
                if user is None:
                    continue  # Revoked a moment ago; its connection will be cut.
            return Came(peer.bytes, [frame.bytes for frame in frames], user)

    def watched(self) -> bool:
        """Whether somebody has begun to watch since this was last asked."""
        new = False
        while self.events.poll(0):
            new |= self.events.recv(zmq.DONTWAIT)[:1] == b"\1"
        return new

    def close(self) -> None:
        """Verdicts on their way get a moment; a worker that is gone does not hold us up."""
        self.router.close(linger=200)
        self.events.close()


class Doors:
    """All doors of a bridge: one without keys for this machine and, if there are keys, one more.

    Attributes:
        endpoints: where workers connect, the given ones first.
    """

    def __init__(
        self, place: Rendezvous, endpoints: Sequence[str], keyring: KeyRing | None = None
    ) -> None:
        """Open them.

        Args:
            place: where workers of this machine meet; nobody else gets at that.
            endpoints: where to listen as well.
            keyring: the keys to ask for at ``endpoints``; None: whoever reaches them comes in.

        Raises:
            BindError: an endpoint can't be had.
            GuardError: the keys would not keep strangers out.
            KeyFileError: the keys can't be used.
        """
        self._context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        # On the context, so that whatever fails below can't keep `close` from returning.
        self._context.setsockopt(zmq.LINGER, 0)
        self._place = place
        self._ipv6 = any("[" in endpoint for endpoint in endpoints)
        self._guard: Guard | None = None
        # By the first byte of their peers' names, so that those of different doors differ.
        self._doors: dict[int, Door] = {}
        self._opened = 0
        self._reopen_at: float | None = None
        self._bound: list[str] = []
        self._local: list[str] = []
        try:
            if keyring is None:
                self._local = self._open(None, (*endpoints, place.endpoint))
            else:
                self._guard = Guard(self._context, keyring)
                self._bound = self._open(self._guard, endpoints)
                self._local = self._open(None, [place.endpoint])
        except BaseException:
            self.close()
            raise
        self.endpoints = [*self._bound, *self._local]

    def _open(self, guard: Guard | None, endpoints: Sequence[str]) -> list[str]:
        door = Door(self._context, ipv6=self._ipv6, guard=guard)
        try:
            door.test(self._place.directory / f"{self._place.key}.test")
            bound = [door.bind(endpoint) for endpoint in endpoints]
        except BaseException:
            door.close()
            raise
        self._opened = (self._opened + 1) % 256
        self._doors[self._opened] = door
        return bound

    @property
    def sockets(self) -> list[zmq.Socket[bytes]]:
        """What to poll."""
        sockets = [made for door in self._doors.values() for made in (door.router, door.events)]
        return sockets if self._guard is None else [*sockets, self._guard.socket]

    def receive(self) -> Came | None:
        """What came next, None: nothing. Also lets in who knocks, and cuts off who was revoked."""
        if self._guard is not None:
            self._attend(self._guard)
        for number, door in list(self._doors.items()):
            came = door.receive()
            if came is not None:
                # The other door is first next time: neither can keep us from the other.
                self._doors[number] = self._doors.pop(number)
                return replace(came, peer=bytes([number]) + came.peer)
        return None

    def _attend(self, guard: Guard) -> None:
        if guard.refresh():
            # libzmq can't end a single connection. All others are back in a moment.
            for number, door in list(self._doors.items()):
                if door.guard is not None:
                    self._doors.pop(number).close()
            self._reopen_at = time.monotonic()
        if self._reopen_at is not None and time.monotonic() >= self._reopen_at:
            self._reopen(guard)
        guard.answer()

    def _reopen(self, guard: Guard) -> None:
        try:
            self._open(guard, self._bound)
            self._reopen_at = None
        except (BindError, GuardError, zmq.ZMQError) as problem:
            # The old sockets may not be gone yet. The door stays shut until it can be opened.
            _log.debug("not open again yet: %s", problem)
            self._reopen_at = time.monotonic() + _REOPEN_SECONDS

    def send(self, peer: bytes, data: bytes) -> bool:
        """Send to a peer; False: it does not read, and this is dropped.

        Raises:
            GoneError: its connection is no more.
        """
        door = self._doors.get(peer[0])
        if door is None:
            raise GoneError(f"no connection to {peer.hex()}")
        try:
            door.router.send_multipart([peer[1:], data], zmq.DONTWAIT)
        except zmq.Again:
            return False
        except zmq.ZMQError as problem:
            if problem.errno != zmq.EHOSTUNREACH:
                raise
            raise GoneError(f"no connection to {peer.hex()}") from problem
        return True

    def publish(self, data: bytes) -> None:
        """Send to all watchers; one that does not keep up misses it."""
        for door in self._doors.values():
            door.events.send(data, zmq.DONTWAIT)

    def watched(self) -> bool:
        """Whether somebody has begun to watch since this was last asked."""
        return True in [door.watched() for door in self._doors.values()]

    def close(self) -> None:
        """Close them all; the files of sockets go with them."""
        for door in self._doors.values():
            door.close()
        if self._guard is not None:
            self._guard.socket.close()
        self._context.term()
        for endpoint in (*self._bound, *self._local):
            for address in (endpoint, events_endpoint(endpoint)):
                if address.startswith("ipc://"):
                    Path(address.removeprefix("ipc://")).unlink(missing_ok=True)


@contextmanager
def doors(
    place: Rendezvous, endpoints: Sequence[str], keyring: KeyRing | None = None
) -> Iterator[Doors]:
    """The doors of a bridge, open for as long as the block runs."""
    opened = Doors(place, endpoints, keyring)
    try:
        yield opened
    finally:
        opened.close()


def check_endpoint(endpoint: str, *, safe: bool) -> None:
    """Raise BindError for an endpoint that is none, or that had better not be listened on.

    Args:
        endpoint: of ``--bind``.
        safe: whether it may be one that other machines reach.
    """
    transport, _, address = endpoint.partition("://")
    if transport not in ("tcp", "ipc") or not address:
        raise BindError(f"{endpoint!r} is no endpoint: write tcp://127.0.0.1:5555 or ipc:///a/path")
    if transport == "ipc":
        return
    host, _, port = address.rpartition(":")
    # libzmq takes a port modulo 65536, and watchers have the next one.
    if not port.isdigit() or int(port) > 65534:
        raise BindError(f"{endpoint!r} has no port from 0 to 65534; 0 takes a free one")
    host = host.strip("[]")
    if not safe and host not in ("localhost", "::1") and not host.startswith("127."):
        raise BindError(
            f"{endpoint} can be reached from other machines, and whoever reaches it decides what "
            "the plugin plays. Let in only whom you know: `faustwire keys` where the training "
            "runs, here the `faustwire keys enrol …` that it prints, and `faustwire serve --keys "
            f"--bind '{endpoint}'`. Or say --insecure on a network that you trust"
        )


def _bind(socket: zmq.Socket[bytes], endpoint: str) -> str:
    try:
        socket.bind(endpoint)
    except zmq.ZMQError as problem:
        raise BindError(
            f"can't listen on {endpoint}: {problem.strerror}; choose another --bind"
        ) from problem
    return socket.getsockopt_string(zmq.LAST_ENDPOINT).rstrip("\0")
