"""Whose turn it is: one publication at a time, and what is slow goes on in the background. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterator, KeysView
from dataclasses import dataclass
from typing import NamedTuple, TypeAlias

from faustwire.messages import Reason
from faustwire.packed_snapshot import PackedSnapshot
from faustwire_bridge.core.events import Outcome
from faustwire_bridge.core.publication import Publication
from faustwire_bridge.core.session import Session
from faustwire_bridge.core.sessions import Sessions
from faustwire_bridge.core.shares import SLICE_SECONDS, Shares, sender
from faustwire_bridge.core.throttle import LastReload, turned_down
from faustwire_bridge.core.waiting import Submission, Waiting


class Turn(NamedTuple):
    """What is being published.

    Attributes:
        session: whose it is.
        began: when, in seconds on the bridge's clock.
        submission: what it is.
        size: bytes on the wire.
        kind: as in ``Publication``.
    """

    session: Session
    began: float
    submission: Submission
    size: int = 0
    kind: str = "call"


@dataclass
class Aside:
    """What goes on in the background while others have their turn.

    Attributes:
        publication, turn: what it is.
        since: when it was set aside, in seconds on the bridge's clock.
        outcome: what came of it; None: it is not done.
    """

    publication: Publication
    turn: Turn
    since: float
    outcome: Outcome | None = None


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


# For a time: why a message of a worker can't be published then, were it its turn; None: it can.
WhyNotAt: TypeAlias = Callable[[float], Callable[[Session, Submission], object | None]]


class Turns:
    """What is being published, what waits, and how much time each sender has used.

    Attributes:
        aside: what goes on in the background; None: nothing. Its sender has no other turn.
    """

    def __init__(self, sessions: Sessions) -> None:
        self._sessions = sessions
        self._waiting = Waiting(lambda incarnation: sender(self._session(incarnation)))
        self._shares = Shares()
        self._turn: Turn | None = None
        self.aside: Aside | None = None

    def any_ready(self) -> bool:
        """Whether a message waits whose sender may have a turn."""
        return any(map(self._is_ready, self._waiting.incarnations()))

    def is_aside(self, session: Session) -> bool:
        """Whether a worker's sender has something that goes on in the background."""
        return self.aside is not None and sender(self.aside.turn.session) == sender(session)

    def is_on_its_way(self, session: Session, seq: int, current: Publication | None) -> bool:
        """Whether a worker's message waits, or it or one that came after it is being published.

        Args:
            session: the worker.
            seq: number of the message.
            current: what is being published in front.
        """
        aside = None if self.aside is None else self.aside.publication
        return self._waiting.newest_seq(session.hello.incarnation) == seq or any(
            each is not None and each.session is session and seq <= each.seq
            for each in (current, aside)
        )

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

    def pop_ready(self, now: float) -> Iterator[tuple[Session, Submission, int]]:
        """Remove messages in their turn, those first whose sender has used least time lately.

        Args:
            now: seconds on the bridge's clock.

        Yields:
            The worker, its message, and the message's size in bytes; it is removed when it is
            yielded.
        """
        waiting = self._waiting.pop_ready(
            lambda incarnation: self._shares.used(sender(self._session(incarnation)), now),
            self._is_ready,
        )
        for incarnation, submission, size in waiting:
            yield self._session(incarnation), submission, size

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

    def set_aside(self, publication: Publication, now: float) -> None:
        """Have what is being published go on in the background; nothing else does.

        Args:
            publication: what it is.
            now: seconds on the bridge's clock.
        """
        turn = self.end(now)
        assert turn is not None, "it is being published"  # noqa: S101
        self.aside = Aside(publication, turn, now)

    def finish_aside(self, outcome: Outcome, now: float) -> None:
        """What goes on in the background is done, and waits to go on in front.

        Args:
            outcome: what came of it.
            now: seconds on the bridge's clock.
        """
        if self.aside is not None:
            self.aside.outcome = outcome
            self._shares.add(sender(self.aside.turn.session), now - self.aside.since, now)

    def pop_finished(self) -> Aside | None:
        """Remove what was set aside, if it is done."""
        aside = self.aside
        if aside is None or aside.outcome is None:
            return None
        self.aside = None
        return aside

    def others(self) -> list[tuple[Session, Submission]]:
        """The waiting messages of other senders than the current one that may have a turn."""
        return [*self._others()]

    def _others(self) -> Iterator[tuple[Session, Submission]]:
        if self._turn is None:
            return
        whose = sender(self._turn.session)
        for incarnation, submission in self._waiting.items():
            session = self._session(incarnation)
            if self._is_ready(incarnation) and sender(session) != whose:
                yield session, submission

    def makes_room_at(self, now: float, why_not_at: WhyNotAt) -> float | None:
        """Find when what is being published has to make room for another sender.

        Usually that is after one slice of time: it goes on in the background. While something else
        is there already it would have to begin again later, so it keeps its turn until its sender
        has used twice as much time as the one that waits. What waits and can't be published anyway
        gets its verdict after one slice.

        Args:
            now: seconds on the bridge's clock.
            why_not_at: finds which messages can't be published.

        Returns:
            Seconds on the bridge's clock; None: it need not make room.
        """
        turn = self._turn
        if turn is None:
            return None
        end = turn.began + SLICE_SECONDS
        soonest = max(end, now)
        if self.aside is not None and self.aside.outcome is not None:
            return soonest
        if self.aside is None and now <= end:
            # Then it is the same for all of them.
            return end if next(self._others(), None) is not None else None
        why_not = why_not_at(soonest)
        return min(
            (
                self._ends_at(turn, session) if why_not(session, submission) is None else soonest
                for session, submission in self.others()
            ),
            default=None,
        )

    def _ends_at(self, turn: Turn, other: Session) -> float:
        end = turn.began + SLICE_SECONDS
        if self.aside is None:
            return end
        own = self._shares.used(sender(turn.session), turn.began)
        used = self._shares.used(sender(other), turn.began)
        return end + max(0.0, 2 * used - own)

    def _is_ready(self, incarnation: str) -> bool:
        return not self.is_aside(self._session(incarnation))

    def _session(self, incarnation: str) -> Session:
        session = self._sessions.of(incarnation)
        assert session is not None, "what waits is needed"  # noqa: S101
        return session
