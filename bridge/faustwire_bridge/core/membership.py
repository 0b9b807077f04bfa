"""Workers that join, leave or fall silent."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from faustwire.limits import MAX_NAME
from faustwire.messages import Hello, Rejection, Welcome
from faustwire_bridge.core.event_log import EventLog
from faustwire_bridge.core.events import User
from faustwire_bridge.core.instructions import Happened, Instruction, Send
from faustwire_bridge.core.session import Session
from faustwire_bridge.core.sessions import MAX_WORKERS, Sessions

# Time for a worker to come at all, its torch import included, and for the next one of a sweep.
FIRST_WORKER_SECONDS = 30.0
NEXT_WORKER_SECONDS = 2.0


class Membership:
    """Decides who is connected, and tells the watchers.

    Attributes:
        idle_until: a bridge that leaves when idle leaves then, unless a worker is connected.
    """

    def __init__(self, sessions: Sessions, event_log: EventLog, now: float) -> None:
        self._sessions = sessions
        self._event_log = event_log
        self.idle_until = now + FIRST_WORKER_SECONDS

    def join(
        self,
        peer: bytes,
        hello: Hello,
        user: User | None,
        *,
        welcome: Welcome,
        still_needed: Iterable[str],
        now: float,
    ) -> list[Instruction]:
        """Connect a worker that says Hello.

        Args:
            peer: its connection.
            hello: who it is.
            user: whose key it came with.
            welcome: the answer.
            still_needed: incarnations of which something waits to be published.
            now: seconds on the bridge's clock.

        Returns:
            The answer, and an event unless it was connected before.
        """
        known = self._sessions.of(hello.incarnation)
        if known is not None and not is_of(known, user):
            return [Send(peer, Rejection("this incarnation belongs to another user"))]
        if self._finds_no_place(peer, hello):
            return [
                Send(peer, Rejection(f"{MAX_WORKERS} workers are connected, and no more can be"))
            ]
        # No machine has a longer name, and it is kept for each worker.
        hello = replace(hello, host=hello.host[:MAX_NAME])
        was_here = known is not None and known.peer is not None
        session = self._sessions.meet(peer, hello, user, now)
        self._sessions.forget_oldest(still_needed)
        told = [] if was_here else [self._joined(session, now)]
        return [Send(peer, welcome), *told]

    def crowd(self, peer: bytes, hello: Hello, user: User | None) -> Session | None:
        """Find who has to leave, where no more can connect, for one who says Hello.

        Args:
            peer: its connection.
            hello: who it is.
            user: whose key it came with.

        Returns:
            The newest worker of the key that has most of them, if that is more than the newcomer's
            has; None: nobody has to leave.
        """
        if not self._finds_no_place(peer, hello):
            return None
        of_keys: dict[str, list[Session]] = {}
        for session in self._sessions.connected():
            if session.user is not None:
                of_keys.setdefault(session.user.name, []).append(session)
        most = max(of_keys.values(), key=len, default=[])
        own = [] if user is None else of_keys.get(user.name, [])
        if len(most) <= len(own) + 1:
            return None
        return max(most, key=lambda session: session.joined)

    def rejoin(self, peer: bytes, session: Session, now: float) -> Happened:
        """Connect a worker again that was only silent.

        Args:
            peer: its connection, still the same.
            session: the worker.
            now: seconds on the bridge's clock.

        Returns:
            The event.
        """
        self._sessions.meet(peer, session.hello, session.user, now)
        return self._joined(session, now)

    def leave(self, peer: bytes, kind: str, detail: str, now: float) -> list[Instruction]:
        """Disconnect a worker.

        Args:
            peer: its connection.
            kind: of the event: "left", or "gone" if it has fallen silent.
            detail: one line for people.
            now: seconds on the bridge's clock.

        Returns:
            The event; nothing if nobody had said Hello over the connection.
        """
        session = self._sessions.part(peer, now, silent=kind == "gone")
        if session is None:
            return []
        self.idle_until = now + NEXT_WORKER_SECONDS
        return [Happened(self._event_log.add(now, kind, detail, session))]

    def silent(self, now: float) -> list[Session]:
        """The connected workers of which nothing was heard for too long."""
        return [session for session in self._sessions.connected() if now >= session.silent_at()]

    def is_full(self) -> bool:
        """Whether no more workers can connect."""
        return len(self._sessions) >= MAX_WORKERS

    def _finds_no_place(self, peer: bytes, hello: Hello) -> bool:
        known = self._sessions.of(hello.incarnation)
        is_here = self._sessions.at(peer) is not None or (known is not None and known.peer)
        return self.is_full() and not is_here

    def _joined(self, session: Session, now: float) -> Happened:
        return Happened(self._event_log.add(now, "joined", "", session))


def is_of(session: Session, user: User | None) -> bool:
    """Whether a session is a user's.

    Args:
        session: of a worker.
        user: by the key of a connection; None: it needed none.
    """
    return _name(session.user) == _name(user)


def _name(user: User | None) -> str | None:
    return None if user is None else user.name
