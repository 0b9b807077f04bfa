"""Whose turn it is: one publication at a time, and who is slow makes room for others. Pure."""

from __future__ import annotations

from collections.abc import Hashable, KeysView
from typing import NamedTuple

from faustwire.messages import Reason
from faustwire.packed_snapshot import PackedSnapshot
from faustwire_bridge.core.sessions import Session, Sessions
from faustwire_bridge.core.shares import SLICE_SECONDS, Shares, sender
from faustwire_bridge.core.throttle import LastReload, turned_down
from faustwire_bridge.core.waiting import Submission, Waiting


class Turn(NamedTuple):
    """What is being published.

    Attributes:
        session: whose it is.
        began: when, in seconds on the bridge's clock.
        submission: what comes back into the line when it makes room; None: it never does.
        size: bytes on the wire.
        settles: it is a snapshot that only time had turned down.
    """

    session: Session
    began: float
    submission: Submission | None = None
    size: int = 0
    settles: bool = False


def throttled(
    session: Session, submission: Submission, now: float, last_reload: LastReload | None
) -> Reason | None:
    """Decide whether a worker's message is throttled.

    Args:
        session: the worker.
        submission: its message; a program of its own and a forced call never are.
        now: seconds on the bridge's clock.
        last_reload: when the plugin was last made to reload; None: not yet.

    Returns:
        Why it is not published now; None: it is due.
    """
    if not isinstance(submission, PackedSnapshot) or submission.force:
        return None
    hello = session.hello
    return turned_down(
        submission.call,
        now,
        every=hello.every,
        min_interval=hello.min_interval,
        last_reload=last_reload,
    )


class Turns:
    """What is being published, what waits, and how much time each sender has used."""

    def __init__(self, sessions: Sessions) -> None:
        self._sessions = sessions
        self._waiting = Waiting()
        self._shares = Shares()
        self._turn: Turn | None = None

    def __len__(self) -> int:
        """How many messages wait."""
        return len(self._waiting)

    def waiting(self) -> KeysView[str]:
        """Incarnations of the workers of which something waits to be published."""
        return self._waiting.incarnations()

    def wait(
        self, session: Session, submission: Submission, size: int
    ) -> list[tuple[Session, Submission]]:
        """Have a worker's message wait, in place of its last one.

        Args:
            session: the worker.
            submission: its message.
            size: bytes on the wire.

        Returns:
            The messages that are superseded by it, with their workers.
        """
        incarnation = session.hello.incarnation
        newer = self._waiting.newest_seq(incarnation)
        if newer is not None and newer > submission.seq:
            return [(session, submission)]
        return [
            (self._session(other), old)
            for other, old in self._waiting.put(incarnation, submission, size)
        ]

    def pop_next(self, now: float) -> tuple[Session, Submission, int]:
        """Remove the message whose turn it is: of the sender that has used least time lately.

        Args:
            now: seconds on the bridge's clock.

        Returns:
            The worker, its message, and the message's size in bytes.
        """
        incarnation, submission, size = self._waiting.pop_next(
            lambda incarnation: self._shares.used(self._sender(incarnation), now)
        )
        return self._session(incarnation), submission, size

    def drop(self, session: Session) -> None:
        """Drop what waits of a worker."""
        self._waiting.drop(session.hello.incarnation)

    def begin(self, turn: Turn) -> None:
        """Something is being published from now on."""
        self._turn = turn

    def end(self, now: float) -> Turn | None:
        """Nothing is being published any more; the time it took counts as used.

        Args:
            now: seconds on the bridge's clock.

        Returns:
            What was being published; None: nothing was.
        """
        turn, self._turn = self._turn, None
        if turn is not None:
            self._shares.add(sender(turn.session), now - turn.began, now)
        return turn

    def preempts_at(self, last_reload: LastReload | None) -> float | None:
        """Find when what is being published has to make room for something due of another sender.

        That is after one slice of time, and later if the other sender has used more: then this one
        may use twice as much. What makes room begins anew when its turn has come, so that of two
        slow senders each gets twice the time of the other before, until one is done.

        Args:
            last_reload: when the plugin was last made to reload; None: not yet.

        Returns:
            Seconds on the bridge's clock; None: it need not make room.
        """
        turn = self._turn
        if turn is None or turn.submission is None or not self._waiting:
            return None
        whose = sender(turn.session)
        own = self._shares.used(whose, turn.began)
        ends = []
        for incarnation, submission in self._waiting.items():
            session = self._session(incarnation)
            if sender(session) == whose:
                continue
            other = self._shares.used(sender(session), turn.began)
            end = turn.began + SLICE_SECONDS + max(0.0, 2 * other - own)
            if throttled(session, submission, end, last_reload) is None:
                ends.append(end)
        return min(ends, default=None)

    def _session(self, incarnation: str) -> Session:
        session = self._sessions.of(incarnation)
        assert session is not None, "what waits is needed"  # noqa: S101
        return session

    def _sender(self, incarnation: str) -> Hashable:
        return sender(self._session(incarnation))
