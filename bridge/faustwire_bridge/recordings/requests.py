"""Which requests of those who listen, and which answers to them, a recording keeps.

They decide nothing, and are repeated every few seconds: what is kept of them must not fill a disk.
"""

from __future__ import annotations

from faustwire.messages import Heard
from faustwire_bridge.core.events import User
from faustwire_bridge.core.rights import may_publish

# Requests a second of those who may not publish, all together.
MOST_REQUESTS = 100
_SECOND_NS = 10**9


class Requests:
    """The last request of each connection, and what it was sent."""

    def __init__(self) -> None:
        # Hashes, for a request may be long.
        self._requests: dict[bytes, int] = {}
        self._heard: dict[bytes, tuple[str, int]] = {}
        # Requests of those who may not publish in a second, and when it began.
        self._second_ns, self._in_second = 0, 0

    def is_new(self, now_ns: int, peer: bytes, data: bytes, user: User | None) -> bool:
        """Whether a request is to be kept.

        Args:
            now_ns: when it came, in ns of ``time.monotonic_ns``.
            peer: the connection.
            data: the request's bytes.
            user: whose key the peer has; None: it needed none.
        """
        if self._requests.get(peer) == hash(data):
            return False
        if may_publish(user) or self._has_room(now_ns):
            return True
        self._requests.pop(peer, None)
        return False

    def note(self, peer: bytes, data: bytes) -> None:
        """Note that a request is kept.

        Args:
            peer: the connection.
            data: the request's bytes.
        """
        self._requests[peer] = hash(data)

    def is_new_answer(self, peer: bytes, message: Heard) -> bool:
        """Whether an answer is to be kept: to a request that is, and not the same once more.

        Args:
            peer: the connection.
            message: what it is sent.
        """
        what = message.incarnation, message.call
        if peer not in self._requests or self._heard.get(peer) == what:
            return False
        self._heard[peer] = what
        return True

    def forget(self, peer: bytes) -> None:
        """Forget a connection."""
        self._requests.pop(peer, None)
        self._heard.pop(peer, None)

    def _has_room(self, now_ns: int) -> bool:
        if now_ns - self._second_ns >= _SECOND_NS:
            self._second_ns, self._in_second = now_ns, 0
        self._in_second += 1
        return self._in_second <= MOST_REQUESTS
