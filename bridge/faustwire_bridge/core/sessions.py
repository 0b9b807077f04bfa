"""Who is there: one session for each incarnation of a worker, connected or lately gone."""

from __future__ import annotations

from collections import Counter, OrderedDict, deque
from collections.abc import Hashable, Iterable, Iterator

from faustwire.bridge_state import published_count
from faustwire.messages import Hello
from faustwire.packed_snapshot import PackedSnapshot
from faustwire_bridge.core.events import User
from faustwire_bridge.core.session import Session
from faustwire_bridge.core.shares import sender

# Incarnations remembered after they left, for resends over a lost connection.
MAX_SESSIONS = 256
# Four times the largest sweep that was asked for; each costs a few kilobytes and its newest
# snapshot.
MAX_WORKERS = 1024
# Of snapshots that are kept, in bytes as they came: the newest ones, and those that wait for their
# time.
MAX_HELD_BYTES = 128 * 2**20


class Sessions:
    """The sessions, by connection and by incarnation.

    Attributes:
        arrived: number of snapshots that have come.
    """

    def __init__(self) -> None:
        self._by_incarnation: OrderedDict[str, Session] = OrderedDict()
        self._by_peer: dict[bytes, Session] = {}
        self._joined = 0
        # Bytes of the snapshots that are kept.
        self._held = 0
        self.arrived = 0

    def __iter__(self) -> Iterator[Session]:
        """All that are remembered, in the order in which they came."""
        return iter(sorted(self._by_incarnation.values(), key=lambda session: session.joined))

    def __len__(self) -> int:
        """How many are connected."""
        return len(self._by_peer)

    def at(self, peer: bytes) -> Session | None:
        """The session of a connection; None: nobody has said Hello over it."""
        return self._by_peer.get(peer)

    def of(self, incarnation: str) -> Session | None:
        """The session of an incarnation; None: it is not known."""
        return self._by_incarnation.get(incarnation)

    def connected(self) -> list[Session]:
        """The sessions of workers that are connected."""
        return list(self._by_peer.values())

    def meet(self, peer: bytes, hello: Hello, user: User | None, now: float) -> Session:
        """Connect a session: a Hello came, perhaps over a new connection.

        Args:
            peer: the connection.
            hello: who it is.
            user: whose key it came with.
            now: seconds on the bridge's clock.

        Returns:
            The session, a new one for a new incarnation.
        """
        session = self.of(hello.incarnation)
        if session is None:
            self._joined += 1
            session = Session(hello, user, peer, self._joined, now, now)
        elif session.peer is not None:
            self._by_peer.pop(session.peer, None)
        before = self.at(peer)
        if before is not None and before is not session:
            # One connection is one worker; who it was before has left.
            self.part(peer, now)
        session.hello, session.peer, session.heard = hello, peer, now
        session.silent_peer = None
        self._by_incarnation[hello.incarnation] = session
        self._by_incarnation.move_to_end(hello.incarnation)
        self._by_peer[peer] = session
        return session

    def part(self, peer: bytes, now: float, *, silent: bool = False) -> Session | None:
        """Disconnect a session.

        Args:
            peer: its connection.
            now: seconds on the bridge's clock.
            silent: nothing came for too long; anything that comes over it reconnects the session.

        Returns:
            The session; None: the connection had none.
        """
        session = self._by_peer.pop(peer, None)
        if session is not None:
            session.peer, session.left = None, now
            session.silent_peer = peer if silent else None
            self._held -= session.held_bytes()
            session.newest = None
            self._held += session.held_bytes()
        return session

    def gone(self, peer: bytes) -> Session | None:
        """The session that was disconnected because nothing came over this connection; or None."""
        silent = (s for s in self._by_incarnation.values() if s.silent_peer == peer)
        return next(silent, None)

    def keep_snapshot(self, session: Session, snapshot: PackedSnapshot, now: float) -> None:
        """Remember a worker's newest snapshot; where there is no room, the oldest ones go.

        Args:
            session: whose it is.
            snapshot: what came.
            now: seconds on the bridge's clock.
        """
        self.arrived += 1
        self._held -= session.held_bytes()
        session.keep_snapshot(snapshot, self.arrived, now)
        self._held += session.held_bytes()
        if self._held > MAX_HELD_BYTES:
            self._make_room()

    def keep_unsettled(self, session: Session, snapshot: PackedSnapshot | None) -> None:
        """Remember a snapshot that only time turned down, until its time comes.

        Args:
            session: whose it is.
            snapshot: the snapshot, its newest; None: nothing of it waits any more.
        """
        self._held -= session.held_bytes()
        session.unsettled = None if snapshot is None else (snapshot, session.arrival)
        self._held += session.held_bytes()
        if self._held > MAX_HELD_BYTES:
            self._make_room()

    def _make_room(self) -> None:
        """Let go of snapshots until the rest has room.

        Of the sender that has most of them, the one that arrived first: nobody loses any because
        somebody else sends too much.
        """
        holders: dict[Hashable, deque[Session]] = {}
        held: Counter[Hashable] = Counter()
        for session in sorted(self._by_incarnation.values(), key=lambda session: session.arrival):
            if session.held_bytes():
                holders.setdefault(sender(session), deque()).append(session)
                held[sender(session)] += session.held_bytes()
        while self._held > MAX_HELD_BYTES and held:
            largest = max(held, key=lambda holder: held[holder])
            session = holders[largest].popleft()
            held[largest] -= session.held_bytes()
            self._held -= session.held_bytes()
            session.newest = session.unsettled = None

    def drop_unsettled(self, arrival: int) -> None:
        """Drop the unsettled snapshots up to an arrival index: the plugin has a newer one."""
        for session in self._by_incarnation.values():
            if session.unsettled is not None and session.unsettled[1] <= arrival:
                self.keep_unsettled(session, None)

    def forget_oldest(self, still_needed: Iterable[str]) -> None:
        """Drop those that have left, beyond ``MAX_SESSIONS``.

        First those of the user that has most of them, then those of which nothing was published,
        then those that left first; last those of which something waits for its time.

        Args:
            still_needed: incarnations of which something waits to be published.
        """
        # Whoever has just come will leave, too.
        excess = len(self._by_incarnation) - len(self._by_peer) - MAX_SESSIONS + 1
        if excess <= 0:
            return
        needed = set(still_needed)
        away = [
            session
            for key, session in self._by_incarnation.items()
            if session.peer is None and key not in needed
        ]
        of_sender = Counter(map(sender, away))

        def worth(session: Session) -> tuple[bool, int, bool]:
            # What was published must not be again when it is sent again, however late.
            published = published_count(session.counts) > 0
            return session.present, -of_sender[sender(session)], published

        for session in sorted(away, key=worth)[:excess]:
            # As many may wait to settle as may be connected.
            if session.present and len(self._by_incarnation) <= MAX_SESSIONS + MAX_WORKERS:
                return
            self._held -= self._by_incarnation.pop(session.hello.incarnation).held_bytes()
