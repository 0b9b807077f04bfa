"""All listeners of a bridge: polled, cut off when peers make it hold too much, opened again."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import zmq

from faustwire.endpoint import parse
from faustwire.file_path import PathError
from faustwire.key_ring import KeyRing
from faustwire.rendezvous import Rendezvous
from faustwire_bridge.service.authenticator import Authenticator, AuthenticatorError
from faustwire_bridge.service.held_memory import MAX_HELD_BYTES, HeldMemory
from faustwire_bridge.service.listener import BindError, GoneError, Listener, Received
from faustwire_bridge.service.resource_limits import (
    allow_many_descriptors,
    descriptors_left,
    give_back_large_blocks,
)

_log = logging.getLogger("faustwire.bridge")

_REOPEN_SECONDS = 0.02
_REOPEN_MAX_SECONDS = 1.0
# Descriptors that connections must leave to the plugin's files, recordings and children.
_SPARE_DESCRIPTORS = 64
# A gigabit network brings 30 MiB in that time, and loopback half a gigabyte.
_LOOK_SECONDS = 0.25
# A peer that does not read may have 64 messages queued, see Listener. Small ones don't matter.
_SMALL_BYTES = 2**16
# Of one message: half a second's work. libzmq has no limit, and parts without content cost a peer
# two bytes each.
_MAX_PARTS = 2**20
# While messages come in; a look at the memory takes 20 µs.
_LOOK_BUSY_SECONDS = 0.01


class Listeners:
    """All listeners of a bridge: one without keys for this machine and, with a key ring, one more.

    Attributes:
        endpoints: where workers connect, the given ones first.
        memory: what peers make this process hold.
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
            place: where workers of this machine meet; no other user can reach it.
            endpoints: endpoints to bind as well.
            keyring: the keys to ask for at ``endpoints``; None: whoever reaches them may connect.
            max_held: bytes that peers may make the bridge hold, all together.

        Raises:
            BindError: an endpoint can't be bound.
            AuthenticatorError: unknown keys could connect.
            KeyFileError: the keys can't be used.
        """
        allow_many_descriptors()
        give_back_large_blocks()
        self._context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        # On the context, so that whatever fails below can't keep `close` from returning.
        self._context.setsockopt(zmq.LINGER, 0)
        self._place = place
        self._ipv6 = any("[" in endpoint for endpoint in endpoints)
        self.memory = HeldMemory(max_held)
        self._next_look = time.monotonic() + _LOOK_SECONDS
        self._next_busy_look = 0.0
        # How many messages have come one after the other: more may be waiting.
        self._in_a_row = 0
        self._authenticator: Authenticator | None = None
        # By the first byte of their peers' names, so that those of different listeners differ.
        self._listeners: dict[int, Listener] = {}
        self._opened = 0
        self._revoked: set[str] = set()
        # What is to be opened again, and when.
        self._closed: list[Listener] = []
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
        self.endpoints = [
            endpoint for listener in self._listeners.values() for endpoint in listener.bound
        ]

    def _open(self, authenticator: Authenticator | None, endpoints: Sequence[str]) -> None:
        listener = Listener(self._context, ipv6=self._ipv6, authenticator=authenticator)
        try:
            listener.test(self._place.directory / f"{self._place.key}.test")
            for endpoint in endpoints:
                listener.bind(endpoint)
        except BaseException:
            listener.close()
            raise
        self._opened = (self._opened + 1) % 256
        self._listeners[self._opened] = listener

    @property
    def sockets(self) -> list[zmq.Socket[bytes]]:
        """The sockets to poll."""
        sockets = [listener.router for listener in self._listeners.values()]
        return sockets if self._authenticator is None else [*sockets, self._authenticator.socket]

    def deadline(self) -> float:
        """When ``receive`` should be called though nothing has come, in monotonic seconds."""
        return self._next_look

    def receive(self) -> Received | None:
        """The next message of any listener; None: nothing has come.

        Also answers who may connect, and closes connections that must end.
        """
        self._attend(time.monotonic())
        for number, listener in list(self._listeners.items()):
            came = listener.receive()
            if listener.skipped > _MAX_PARTS:
                _log.error(
                    "a message has more than %d parts: all connections are cut, and workers that "
                    "behave are back in a moment",
                    _MAX_PARTS,
                )
                self._cut(time.monotonic())
                return None
            if came is not None:
                # The other listener is first next time: neither can starve the other.
                self._listeners[number] = self._listeners.pop(number)
                self._in_a_row += 1
                return Received(bytes([number]) + came.peer, came.frames, came.user)
        self._in_a_row = 0
        return None

    def pop_revoked(self) -> list[str]:
        """The users that have lost a right since this was last asked."""
        revoked, self._revoked = sorted(self._revoked), set()
        return revoked

    def _attend(self, now: float) -> None:
        revoked = frozenset() if self._authenticator is None else self._authenticator.refresh()
        if revoked:
            self._revoked |= revoked
            # libzmq can't end a single connection. All others are back in a moment.
            self._close(lambda listener: listener.authenticator is not None)
            self._reopen_at = now
        if self._closed and now >= self._reopen_at:
            self._reopen(now)
        # A message that comes alone need not wait for a look.
        busy_look = self._in_a_row > 1 and now >= self._next_busy_look
        if now >= self._next_look or (busy_look and self.memory.too_much()):
            self._look(now)
        if busy_look:
            self._next_busy_look = now + _LOOK_BUSY_SECONDS
        if self._authenticator is not None:
            self._authenticator.answer()

    def _look(self, now: float) -> None:
        self._next_look = now + _LOOK_SECONDS
        if not self._listeners:
            return
        self.memory.give_back(now)
        spare = descriptors_left()
        if spare >= _SPARE_DESCRIPTORS and not self.memory.too_much():
            return
        _log.error(
            "peers make this bridge hold %d MiB and leave it %d descriptors: all connections are "
            "cut, and workers that behave are back in a moment",
            self.memory.of_peers() // 2**20,
            spare,
        )
        self._cut(now)

    def _cut(self, now: float) -> None:
        self._close(lambda _: True, linger_ms=0)
        self.memory.cut(now)
        self._reopen_at = self._next_look

    def _close(self, which: Callable[[Listener], bool], *, linger_ms: int = 200) -> None:
        for number, listener in list(self._listeners.items()):
            if which(listener):
                self._closed.append(self._listeners.pop(number))
                listener.close(linger_ms=linger_ms)

    def _reopen(self, now: float) -> None:
        if not self.memory.is_free_again(now):
            self._reopen_at = now + _LOOK_SECONDS
            return
        while self._closed:
            listener = self._closed[0]
            try:
                # Somebody may have tidied up meanwhile.
                self._place.prepare()
                self._open(listener.authenticator, listener.bound)
            except (BindError, AuthenticatorError, PathError, OSError, zmq.ZMQError) as problem:
                # The old sockets may not be gone yet. It stays closed until it can be opened.
                if self._pause >= _REOPEN_MAX_SECONDS:
                    _log.error("nobody can connect to %s: %s", " ".join(listener.bound), problem)
                self._reopen_at = now + self._pause
                self._pause = min(2 * self._pause, _REOPEN_MAX_SECONDS)
                return
            self._closed.pop(0)
        self._pause = _REOPEN_SECONDS

    def send(self, peer: bytes, data: bytes) -> bool:
        """Send a message to a peer.

        Args:
            peer: routing id as in ``Received``.
            data: the message.

        Returns:
            False: the peer does not read what it is sent, and the message is dropped.

        Raises:
            GoneError: its connection no longer exists.
        """
        listener = self._listeners.get(peer[0])
        if listener is None:
            raise GoneError(f"no connection to {peer.hex()}")
        return listener.send(peer[1:], data)

    def offer(self, peer: bytes, data: bytes) -> None:
        """Send a message to a peer that asks again if it misses it, being gone or not reading.

        Where peers hold much memory already, a large one is dropped: what somebody asks for and
        does not read must not end in all connections being cut.

        Args:
            peer: routing id as in ``Received``.
            data: the message.
        """
        if len(data) > _SMALL_BYTES and self.memory.is_tight():
            return
        with suppress(GoneError):
            self.send(peer, data)

    def close(self) -> None:
        """Close all listeners and remove the files of Unix sockets."""
        self._close(lambda _: True)
        if self._authenticator is not None:
            self._authenticator.socket.close()
        self._context.term()
        for endpoint in [endpoint for listener in self._closed for endpoint in listener.bound]:
            if path := parse(endpoint).path:
                Path(path).unlink(missing_ok=True)


@contextmanager
def listening(
    place: Rendezvous, endpoints: Sequence[str], keyring: KeyRing | None = None
) -> Iterator[Listeners]:
    """Open the listeners of a bridge for as long as the block runs.

    Args:
        place: where workers of this machine meet.
        endpoints: endpoints to bind as well.
        keyring: the keys to ask for there; None: whoever reaches them may connect.

    Yields:
        The listeners.

    Raises:
        BindError: an endpoint can't be bound.
        AuthenticatorError: unknown keys could connect.
        KeyFileError: the keys can't be used.
    """
    opened = Listeners(place, endpoints, keyring)
    try:
        yield opened
    finally:
        opened.close()
