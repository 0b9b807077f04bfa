"""Why a message can't be published now: throttled, not followed, without the right. Pure."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import TypeAlias

from faustwire.messages import Choice, OwnProgram, Reason
from faustwire.packed_snapshot import PackedSnapshot
from faustwire_bridge.core.instructions import Instruction
from faustwire_bridge.core.pipeline import Pipeline
from faustwire_bridge.core.publication import Conclusion, Publication
from faustwire_bridge.core.rights import text_problem
from faustwire_bridge.core.selection import followed, leader, why_unheard
from faustwire_bridge.core.session import Session
from faustwire_bridge.core.sessions import Sessions
from faustwire_bridge.core.turns import throttled
from faustwire_bridge.core.verdicts import Verdicts
from faustwire_bridge.core.waiting import Submission

# Why a message can't be published at some moment; None: it is due.
WhyNot: TypeAlias = Callable[[Session, Submission], Conclusion | None]

_OF_TIME = (Reason.MIN_INTERVAL, Reason.RELOAD_COST)


class Admission:
    """Decides what may be judged at all.

    Attributes:
        follow: whom the plugin follows.
    """

    def __init__(
        self, follow: Choice, *, sessions: Sessions, pipeline: Pipeline, verdicts: Verdicts
    ) -> None:
        self.follow = follow
        self._sessions = sessions
        self._pipeline = pipeline
        self._verdicts = verdicts

    def followed(self) -> list[Session]:
        """The workers that the plugin follows."""
        return followed(self.follow, self._sessions)

    def why_not_at(self, now: float) -> WhyNot:
        """Make ready to find why messages can't be published at a moment.

        For many messages at once: all workers are looked through for the best one at most once.

        Args:
            now: seconds on the bridge's clock.

        Returns:
            Finds for a worker and its message how that ends; None: it is due.
        """

        @cache
        def led() -> Session | None:
            return leader(self.follow, self._sessions)

        def why_not(session: Session, message: Submission) -> Conclusion | None:
            publication = publication_of(session, message)
            if isinstance(message, OwnProgram) and (problem := text_problem(session.user)):
                return Conclusion(publication, Reason.REFUSED, problem)
            reason = throttled(session, message, now, self._pipeline.last_reload)
            if reason is not None:
                return Conclusion(publication, reason)
            why = why_unheard(self.follow, session, led())
            return None if why is None else Conclusion(publication, Reason.NOT_FOLLOWED, why)

        return why_not

    def turn_down(
        self, conclusion: Conclusion, message: Submission, now: float
    ) -> list[Instruction]:
        """Give the verdict on a message that can't be published now.

        Args:
            conclusion: what ``why_not_at`` has found.
            message: what the worker sent; kept where time alone is the reason, if it settles.
            now: seconds on the bridge's clock.

        Returns:
            The verdict.
        """
        session = conclusion.publication.session
        if isinstance(message, PackedSnapshot):
            if conclusion.reason is Reason.NOT_FOLLOWED:
                self._sessions.keep_unsettled(session, None)
            elif conclusion.reason in _OF_TIME and self._verdicts.settles(session):
                self._sessions.keep_unsettled(session, message)
        return self._verdicts.answer(conclusion, now)


def publication_of(
    session: Session, message: Submission, *, kind: str = "call", arrival: int = 0
) -> Publication:
    """A message as a publication.

    Args:
        session: the worker.
        message: what it sent.
        kind: as in ``Publication``.
        arrival: as in ``Publication``.

    Returns:
        The publication.
    """
    if isinstance(message, PackedSnapshot):
        return Publication(session, message.seq, kind, message.call, arrival)
    return Publication(session, message.seq, kind, arrival=arrival, program=message.program)
