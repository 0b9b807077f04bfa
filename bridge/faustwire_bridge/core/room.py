"""Room for others: what is slow is set aside or waits again, and a revoked key's goes. Pure."""

from __future__ import annotations

from faustwire.messages import Reason
from faustwire.packed_snapshot import PackedSnapshot
from faustwire_bridge.core.events import Judged
from faustwire_bridge.core.instructions import (
    Cancel,
    Compile,
    Instruction,
    Judge,
    SetAside,
    Write,
)
from faustwire_bridge.core.pipeline import Pipeline
from faustwire_bridge.core.publication import Conclusion, Publication
from faustwire_bridge.core.session import Session
from faustwire_bridge.core.sessions import Sessions
from faustwire_bridge.core.turns import Aside, Turn, Turns
from faustwire_bridge.core.verdicts import Verdicts
from faustwire_bridge.core.waiting import Submission


class Room:
    """Takes what is being published out of the way of others."""

    def __init__(
        self,
        *,
        sessions: Sessions,
        pipeline: Pipeline,
        turns: Turns,
        verdicts: Verdicts,
    ) -> None:
        self._sessions = sessions
        self._pipeline = pipeline
        self._turns = turns
        self._verdicts = verdicts

    def wait(
        self, session: Session, message: Submission, size: int, now: float
    ) -> list[Instruction]:
        """Have a message wait for its turn.

        Args:
            session: the worker.
            message: what it sent.
            size: bytes on the wire.
            now: seconds on the bridge's clock.

        Returns:
            The verdicts on what it supersedes.
        """
        instructions: list[Instruction] = []
        for whose, old in self._turns.wait(session, message, size):
            superseded = Conclusion(Publication(whose, old.seq), Reason.SUPERSEDED)
            instructions += self._verdicts.answer(superseded, now)
        return instructions

    def make(self, now: float) -> list[Instruction]:
        """End the turn of what is being published.

        Args:
            now: seconds on the bridge's clock.

        Returns:
            That it goes on in the background; where something else does already, that it is given
            up, and waits for another turn unless something newer of its worker does.
        """
        publication, self._pipeline.current = self._pipeline.current, None
        if self._turns.aside is None and publication is not None:
            self._turns.set_aside(publication, now)
            return [SetAside()]
        turn = self._turns.end(now)
        assert turn is not None, "it is being published"  # noqa: S101
        return [Cancel(), *self._wait_again(turn, now)]

    def _wait_again(self, turn: Turn, now: float) -> list[Instruction]:
        if turn.kind != "call":
            self.settle_later(turn)
        elif turn.session.peer is not None:
            # Who has left sends it again when it comes back.
            return self.wait(turn.session, turn.submission, turn.size, now)
        return []

    def resume(self, aside: Aside, now: float) -> Judge | Compile | Write | Conclusion:
        """Go on with what was set aside, though the plugin may have another program by now.

        Args:
            aside: what is done there.
            now: seconds on the bridge's clock.

        Returns:
            The next step.
        """
        publication, submission, outcome = aside.publication, aside.turn.submission, aside.outcome
        assert outcome is not None, "it is done"  # noqa: S101
        self._turns.begin(aside.turn._replace(began=now))
        if isinstance(outcome, Judged) and outcome.refusal is None:
            assessment = outcome.assessment
            stale = publication.compared_with != self._pipeline.playing.program
            if assessment is None and stale and isinstance(submission, PackedSnapshot):
                # The plugin had this very program then.
                return self._pipeline.begin_snapshot(publication, submission, now)
        self._pipeline.current = publication
        return self._pipeline.continue_after(outcome, now)

    def settle_later(self, turn: Turn) -> None:
        """Have a snapshot that had its verdict before be published when time allows it."""
        session, submission = turn.session, turn.submission
        if session.unsettled is None and isinstance(submission, PackedSnapshot):
            self._sessions.keep_unsettled(session, submission)

    def revoke(self, user: str, now: float) -> list[Instruction]:
        """Drop all that waits of a user, and what is being published of it.

        Args:
            user: whose key was revoked, or has lost a right.
            now: seconds on the bridge's clock.

        Returns:
            What ends the publication in progress and the one in the background, where they are the
            user's.
        """
        for session in self._sessions:
            if _is_of(user, session):
                self._turns.drop(session)
                self._sessions.keep_unsettled(session, None)
        told: list[Instruction] = []
        current, aside = self._pipeline.current, self._turns.aside
        if current is not None and _is_of(user, current.session):
            self._turns.end(now)
            self._pipeline.current = None
            told.append(Cancel())
        if aside is not None and _is_of(user, aside.turn.session):
            self._turns.aside = None
            told.append(Cancel(aside=True))
        return told


def _is_of(user: str, session: Session) -> bool:
    return session.user is not None and session.user.name == user
