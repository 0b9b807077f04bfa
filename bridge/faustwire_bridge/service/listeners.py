"""The sockets that a bridge listens on, and who comes in by them."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import zmq

from faustwire import codec
from faustwire.endpoint import EndpointError, events_endpoint, of_socket, parse
from faustwire.errors import FaustwireError
from faustwire.key_ring import KeyRing
from faustwire.rendezvous import Rendezvous
from faustwire_bridge.core.events import User
from faustwire_bridge.service.authenticator import TALK, WATCH, Authenticator, AuthenticatorError
from faustwire_bridge.service.resource_limits import (
    allow_many_descriptors,
    descriptors_left,
    give_back_large_blocks,
    resident_bytes,
)

_log = logging.getLogger("faustwire.bridge")

# Messages a peer may have waiting. A worker sends one and waits; a ping and a resend come on top,
# and what is more than that waits in the network. Each may have MAX_BYTES.
RECEIVE_HIGH_WATER_MARK = 4
# A worker that never reads its verdicts is not worth more memory than this many.
_SEND_HIGH_WATER_MARK = 64
# A watcher that is slow misses states; each is whole, so the next one makes good.
_STATES_HIGH_WATER_MARK = 16
# Five times here and back, with keys, over a line that may be full of data.
_HANDSHAKE_MS = 10_000
# No heartbeats of ZeroMQ's: with a high-water mark for what comes in they abort the process when a
# peer that is at the mark hangs up (libzmq 4.3.5, `!_io_error` in stream_engine_base.cpp; libzmq's
# issue 3937 is its kin). Workers ping, and the core knows who is silent. What a dead connection
# holds the system gives back after two minutes, however long one in use is silent.
_KEEPALIVE = {
    zmq.TCP_KEEPALIVE: 1,
    zmq.TCP_KEEPALIVE_IDLE: 60,
    zmq.TCP_KEEPALIVE_INTVL: 15,
    zmq.TCP_KEEPALIVE_CNT: 4,
}
# A port whose successor is free as well is found soon, unless something is wrong.
_PORT_TRIES = 50
_REOPEN_SECONDS = 0.02
_REOPEN_MAX_SECONDS = 1.0
# What peers may make a bridge hold, all together, beside what it holds anyway. libzmq bounds
# neither the parts of a message nor the number of connections, so above this all are cut.
# Sixty-four workers with the largest graph (8 MiB) each stay below it.
MAX_HELD_BYTES = 2**30
# Descriptors that connections must leave to the plugin's files, recordings and children.
_SPARE_DESCRIPTORS = 64
# A gigabit network brings 30 MiB in that time.
_LOOK_SECONDS = 0.25


class BindError(FaustwireError, RuntimeError):
    """An endpoint that the bridge can't, or had better not, listen on."""


class GoneError(FaustwireError):
    """There is no connection to that peer any more."""


@dataclass(frozen=True)
class Received:
    """What came in by a door: the frames of a message, from whom, and whose key opened the door."""

    peer: bytes
    frames: list[bytes]
    user: User | None


class Listener:
    """A ROUTER for those who publish and steer and, beside it, an XPUB for those who watch.

    Attributes:
        bound: where it listens, with the ports that were taken.
        guard: whom it asks whether to let somebody in; None: whoever reaches it comes in.
    """

    def __init__(
        self,
        context: zmq.Context[zmq.Socket[bytes]],
        *,
        ipv6: bool,
        guard: Authenticator | None = None,
    ) -> None:
        """Bound nowhere yet; ``close`` it."""
        self.router = context.socket(zmq.ROUTER)
        try:
            self.events = context.socket(zmq.XPUB)
        except zmq.ZMQError:
            self.router.close()
            raise
        self.router.setsockopt(zmq.ROUTER_MANDATORY, 1)
        self.router.setsockopt(zmq.MAXMSGSIZE, codec.MAX_BYTES)
        self.router.setsockopt(zmq.RCVHWM, RECEIVE_HIGH_WATER_MARK)
        self.router.setsockopt(zmq.SNDHWM, _SEND_HIGH_WATER_MARK)
        # Every new subscriber is told the state at once, the second one of a topic, too.
        self.events.setsockopt(zmq.XPUB_VERBOSE, 1)
        self.events.setsockopt(zmq.SNDHWM, _STATES_HIGH_WATER_MARK)
        # Subscriptions are a byte long, what CURVE needs some three hundred.
        self.events.setsockopt(zmq.MAXMSGSIZE, 1024)
        for made in (self.router, self.events):
            made.setsockopt(zmq.LINGER, 0)
            made.setsockopt(zmq.HANDSHAKE_IVL, _HANDSHAKE_MS)
            for option, value in _KEEPALIVE.items():
                made.setsockopt(option, value)
            made.setsockopt(zmq.IPV6, int(ipv6))
        self.bound: list[str] = []
        self.guard = guard
        if guard is not None:
            guard.protect(self.router, TALK)
            guard.protect(self.events, WATCH)

    def test(self, path: Path) -> None:
        """Make sure, before it is bound anywhere else, that the guard keeps strangers out.

        Args:
            path: for a Unix socket that nobody else can reach.

        Raises:
            AuthenticatorError: it does not.
        """
        if self.guard is None:
            return
        for made, stranger in ((self.router, zmq.DEALER), (self.events, zmq.SUB)):
            made.bind(of_socket(path))
            try:
                self.guard.test(of_socket(path), stranger)
            finally:
                made.unbind(of_socket(path))
                path.unlink(missing_ok=True)

    def bind(self, endpoint: str) -> None:
        """Listen.

        Raises:
            BindError: it, or its neighbour for watchers, can't be had.
        """
        found = parse(endpoint)
        tries = _PORT_TRIES if found.transport == "tcp" and found.port == 0 else 1
        for left in reversed(range(tries)):
            bound = _bind(self.router, endpoint)
            try:
                _bind(self.events, events_endpoint(bound))
            except BindError:
                self.router.unbind(bound)
                if not left:
                    raise
            else:
                self.bound.append(bound)
                return

    def receive(self) -> Received | None:
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
            return Received(peer.bytes, [frame.bytes for frame in frames], user)

    def watched(self) -> bool:
        """Whether somebody has begun to watch since this was last asked."""
        new = False
        while self.events.poll(0):
            new |= self.events.recv(zmq.DONTWAIT)[:1] == b"\1"
        return new

    def close(self, *, linger_ms: int = 200) -> None:
        """Verdicts on their way get a moment; a worker that is gone does not hold us up."""
        self.router.close(linger=linger_ms)
        self.events.close()


class Listeners:
    """All doors of a bridge: one without keys for this machine and, if there are keys, one more.

    Attributes:
        endpoints: where workers connect, the given ones first.
        held_anyway: bytes that this process holds when nobody is connected.
    """

    def __init__(
        self,
        place: Rendezvous,
        endpoints: Sequence[str],
        keyring: KeyRing | None = None,
        *,
        max_held: int = MAX_HELD_BYTES,
    ) -> None:
        """Open them.

        Args:
            place: where workers of this machine meet; nobody else gets at that.
            endpoints: where to listen as well.
            keyring: the keys to ask for at ``endpoints``; None: whoever reaches them comes in.
            max_held: bytes that peers may make us hold, all together.

        Raises:
            BindError: an endpoint can't be had.
            AuthenticatorError: the keys would not keep strangers out.
            KeyFileError: the keys can't be used.
        """
        allow_many_descriptors()
        give_back_large_blocks()
        self._context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        # On the context, so that whatever fails below can't keep `close` from returning.
        self._context.setsockopt(zmq.LINGER, 0)
        self._place = place
        self._ipv6 = any("[" in endpoint for endpoint in endpoints)
        self._max_held = max_held
        self.held_anyway = resident_bytes()
        self._next_look = time.monotonic() + _LOOK_SECONDS
        self._authenticator: Authenticator | None = None
        # By the first byte of their peers' names, so that those of different doors differ.
        self._listeners: dict[int, Listener] = {}
        self._opened = 0
        # What is to be opened again, and when.
        self._shut: list[Listener] = []
        self._reopen_at = 0.0
        self._pause = _REOPEN_SECONDS
        try:
            if keyring is None:
                self._open(None, (*endpoints, place.endpoint))
            else:
                self._authenticator = Authenticator(self._context, keyring)
                self._open(self._authenticator, endpoints)
                self._open(None, [place.endpoint])
        except BaseException:
            self.close()
            raise
        self.endpoints = [endpoint for door in self._listeners.values() for endpoint in door.bound]

    def _open(self, guard: Authenticator | None, endpoints: Sequence[str]) -> None:
        door = Listener(self._context, ipv6=self._ipv6, guard=guard)
        try:
            door.test(self._place.directory / f"{self._place.key}.test")
            for endpoint in endpoints:
                door.bind(endpoint)
        except BaseException:
            door.close()
            raise
        self._opened = (self._opened + 1) % 256
        self._listeners[self._opened] = door

    @property
    def sockets(self) -> list[zmq.Socket[bytes]]:
        """What to poll."""
        sockets = [made for door in self._listeners.values() for made in (door.router, door.events)]
        return sockets if self._authenticator is None else [*sockets, self._authenticator.socket]

    def deadline(self) -> float:
        """When ``receive`` should be called though nothing has come."""
        return self._next_look

    def receive(self) -> Received | None:
        """What came next, None: nothing. Also lets in who knocks, and cuts off who must go."""
        self._attend(time.monotonic())
        for number, door in list(self._listeners.items()):
            came = door.receive()
            if came is not None:
                # The other door is first next time: neither can keep us from the other.
                self._listeners[number] = self._listeners.pop(number)
                return replace(came, peer=bytes([number]) + came.peer)
        return None

    def _attend(self, now: float) -> None:
        if self._authenticator is not None and self._authenticator.refresh():
            # libzmq can't end a single connection. All others are back in a moment.
            self._close(lambda door: door.guard is not None)
            self._reopen_at = now
        if self._shut and now >= self._reopen_at:
            self._reopen(now)
        if now >= self._next_look:
            self._look(now)
        if self._authenticator is not None:
            self._authenticator.answer()

    def _look(self, now: float) -> None:
        self._next_look = now + _LOOK_SECONDS
        held, spare = resident_bytes(), descriptors_left()
        fits = held <= self.held_anyway + self._max_held and spare >= _SPARE_DESCRIPTORS
        if fits or self._shut:
            return
        _log.error(
            "peers make this bridge hold %d MiB and leave it %d descriptors: all connections are "
            "cut, and workers that behave are back in a moment",
            max(0, held - self.held_anyway) // 2**20,
            spare,
        )
        self._close(lambda _: True, linger_ms=0)
        # libzmq frees it on threads of its own. What is held then is not the peers'.
        self.held_anyway, self._reopen_at = 0, self._next_look

    def _close(self, which: Callable[[Listener], bool], *, linger_ms: int = 200) -> None:
        for number, door in list(self._listeners.items()):
            if which(door):
                self._shut.append(self._listeners.pop(number))
                door.close(linger_ms=linger_ms)

    def _reopen(self, now: float) -> None:
        self.held_anyway = self.held_anyway or resident_bytes()
        while self._shut:
            door = self._shut[0]
            try:
                self._open(door.guard, door.bound)
            except (BindError, AuthenticatorError, zmq.ZMQError) as problem:
                # The old sockets may not be gone yet. The door stays shut until it can be opened.
                if self._pause >= _REOPEN_MAX_SECONDS:
                    _log.error("nobody can connect to %s: %s", " ".join(door.bound), problem)
                self._reopen_at = now + self._pause
                self._pause = min(2 * self._pause, _REOPEN_MAX_SECONDS)
                return
            self._shut.pop(0)
        self._pause = _REOPEN_SECONDS

    def send(self, peer: bytes, data: bytes) -> bool:
        """Send to a peer; False: it does not read, and this is dropped.

        Raises:
            GoneError: its connection is no more.
        """
        door = self._listeners.get(peer[0])
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
        for door in self._listeners.values():
            door.events.send(data, zmq.DONTWAIT)

    def watched(self) -> bool:
        """Whether somebody has begun to watch since this was last asked."""
        return True in [door.watched() for door in self._listeners.values()]

    def close(self) -> None:
        """Close them all; the files of sockets go with them."""
        self._close(lambda _: True)
        if self._authenticator is not None:
            self._authenticator.socket.close()
        self._context.term()
        for endpoint in [endpoint for door in self._shut for endpoint in door.bound]:
            for address in (endpoint, events_endpoint(endpoint)):
                if path := parse(address).path:
                    Path(path).unlink(missing_ok=True)


@contextmanager
def listening(
    place: Rendezvous, endpoints: Sequence[str], keyring: KeyRing | None = None
) -> Iterator[Listeners]:
    """The doors of a bridge, open for as long as the block runs."""
    opened = Listeners(place, endpoints, keyring)
    try:
        yield opened
    finally:
        opened.close()


def check_endpoint(endpoint: str, *, safe: bool) -> None:
    """Check an endpoint that the bridge is to listen at.

    Args:
        endpoint: of ``--bind``.
        safe: whether it may be one that other machines reach.

    Raises:
        BindError: it is none, or had better not be listened at.
    """
    try:
        found = parse(endpoint)
    except EndpointError as problem:
        raise BindError(str(problem)) from problem
    if not safe and not found.is_local:
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
