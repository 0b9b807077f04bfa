"""What is published next: one publication at a time, the newest snapshot first. Pure."""

from __future__ import annotations

from faustwire.messages import Choice, OwnProgram, Reason, Steered
from faustwire.packed_snapshot import PackedSnapshot
from faustwire_bridge.core.event_log import EventLog
from faustwire_bridge.core.instructions import (
    Cancel,
    Compile,
    Happened,
    Instruction,
    LogInternalError,
    Send,
    Write,
)
from faustwire_bridge.core.pipeline import Conclusion, Pipeline, Publication
from faustwire_bridge.core.selection import followed, why_unheard
from faustwire_bridge.core.sessions import Session, Sessions
from faustwire_bridge.core.settling import newest_unsettled, settles_at
from faustwire_bridge.core.turns import Turn, Turns, throttled
from faustwire_bridge.core.verdicts import Verdicts, repeated
from faustwire_bridge.core.waiting import Submission

_OF_TIME = (Reason.MIN_INTERVAL, Reason.RELOAD_COST)


class Scheduler:
    """Snapshots and programs on their way to the pipeline.

    Attributes:
        follow: whom the plugin follows.
    """

    def __init__(
        self,
        follow: Choice,
        *,
        sessions: Sessions,
        pipeline: Pipeline,
        turns: Turns,
        verdicts: Verdicts,
        event_log: EventLog,
    ) -> None:
        self.follow = follow
        self._sessions = sessions
        self._pipeline = pipeline
        self._verdicts = verdicts
        self._event_log = event_log
        self._turns = turns
        # Another worker was chosen, and its newest snapshot is to be published.
        self._choice_is_due = False

    def followed(self) -> list[Session]:
        """The workers that the plugin follows."""
        return followed(self.follow, self._sessions)

    def settles_at(self) -> float | None:
        """When a snapshot that only time turned down is to be published; None: none waits."""
        return settles_at(self._pipeline, self.followed())

    def steer(self, peer: bytes, choice: Choice, now: float) -> list[Instruction]:
        """Follow another worker.

        Args:
            peer: who asked for it.
            choice: whom to follow.
            now: seconds on the bridge's clock.

        Returns:
            The answer and an event; ``next_steps`` publishes the worker's newest snapshot.
        """
        self.follow = choice
        self._choice_is_due = True
        told = Happened(self._event_log.add(now, "followed", str(choice)))
        return [Send(peer, Steered(f"the plugin follows {choice}")), told]

    def submit(
        self, session: Session, message: Submission, size: int, now: float
    ) -> list[Instruction]:
        """Publish a message, or have it wait while something else is being published.

        Args:
            session: the worker.
            message: what it sent.
            size: bytes on the wire.
            now: seconds on the bridge's clock.

        Returns:
            A step of the pipeline, or verdicts.
        """
        if session.answered is not None and message.seq <= session.answered.seq:
            verdict = repeated(session.answered, message.seq)
            return [Send(session.peer, verdict, again=True)] if session.peer is not None else []
        current = self._pipeline.current
        if current is not None and current.session is session and message.seq <= current.seq:
            return []  # Sent again; its verdict is on its way.
        if isinstance(message, PackedSnapshot) and message.seq > session.newest_seq():
            self._sessions.keep_snapshot(session, message, now)
        if current is None:
            return self._consider(session, message, size, now)
        return self._wait(session, message, size, now)

    def _wait(
        self, session: Session, message: Submission, size: int, now: float
    ) -> list[Instruction]:
        instructions: list[Instruction] = []
        for whose, old in self._turns.wait(session, message, size):
            superseded = Conclusion(Publication(whose, old.seq), Reason.SUPERSEDED)
            instructions += self._verdicts.answer(superseded, now)
        return instructions

    # -- making room for others --------------------------------------------------------------

    def preempt(self, now: float) -> list[Instruction]:
        """Have what is being published make room for another sender.

        Args:
            now: seconds on the bridge's clock, not before ``Turns.preempts_at``.

        Returns:
            What ends it; it waits for its turn again, unless something newer of its worker does.
        """
        turn = self._turns.end(now)
        assert turn is not None, "it has a deadline"  # noqa: S101
        session, submission = turn.session, turn.submission
        self._pipeline.current = None
        cancel: list[Instruction] = [Cancel()]
        if turn.settles and isinstance(submission, PackedSnapshot):
            if session.unsettled is None:
                self._sessions.keep_unsettled(session, submission)
        elif session.peer is not None and submission is not None:
            # Who has left sends it again when it comes back.
            return cancel + self._wait(session, submission, turn.size, now)
        return cancel

    def revoke(self, user: str, now: float) -> list[Instruction]:
        """Drop all that waits of a user, and what is being published of it.

        Args:
            user: whose key was revoked, or has lost a right.
            now: seconds on the bridge's clock.

        Returns:
            What ends the publication in progress, if it is one of the user's.
        """
        for session in self._sessions:
            if session.user is not None and session.user.name == user:
                self._turns.drop(session)
                self._sessions.keep_unsettled(session, None)
        current = self._pipeline.current
        if current is None or current.session.user is None or current.session.user.name != user:
            return []
        self._turns.end(now)
        self._pipeline.current = None
        return [Cancel()]

    # -- what is next ------------------------------------------------------------------------

    def next_steps(self, now: float) -> list[Instruction]:
        """Go on with what waits, until something is being published or nothing waits.

        Args:
            now: seconds on the bridge's clock.

        Returns:
            Verdicts, and a step of the pipeline.
        """
        instructions: list[Instruction] = []
        while self._pipeline.current is None and (self._choice_is_due or self._turns):
            instructions += self._next(now)
        return instructions

    def _next(self, now: float) -> list[Instruction]:
        if not self._choice_is_due:
            session, submission, size = self._turns.pop_next(now)
            try:
                return self._consider(session, submission, size, now)
            except Exception as error:  # noqa: BLE001 - as in `handle`
                return self.abandon(Publication(session, submission.seq), error, now)
        self._choice_is_due = False
        newest = [session for session in self.followed() if session.newest]
        if not newest:
            return []
        session = max(newest, key=lambda session: session.arrival)
        assert session.newest is not None  # noqa: S101 - just looked
        self._turns.begin(Turn(session, now))
        return self._judge(session, session.newest, "followed", session.arrival)

    def settle(self, now: float) -> list[Instruction]:
        """Publish the newest snapshot that only time turned down; its time has come.

        Args:
            now: seconds on the bridge's clock.

        Returns:
            The first step.
        """
        unsettled = newest_unsettled(self.followed())
        assert unsettled is not None, "it has a deadline"  # noqa: S101
        self._sessions.keep_unsettled(unsettled.session, None)
        self._turns.begin(Turn(unsettled.session, now, unsettled.snapshot, settles=True))
        return self._judge(unsettled.session, unsettled.snapshot, "settled", unsettled.arrival)

    def conclude(self, step: Compile | Write | Conclusion, now: float) -> list[Instruction]:
        """Follow a step of the pipeline.

        Args:
            step: an instruction, or how the publication ended.
            now: seconds on the bridge's clock.

        Returns:
            The instruction, or the verdict.
        """
        if not isinstance(step, Conclusion):
            return [step]
        self._turns.end(now)
        if step.reason is Reason.PUBLISHED:
            self._sessions.drop_unsettled(step.publication.arrival)
        return self._verdicts.answer(step, now)

    def abandon(
        self, concerned: Publication | None, error: Exception, now: float
    ) -> list[Instruction]:
        """End a publication that a bug of ours keeps from being decided.

        Args:
            concerned: the publication; None: the event had none.
            error: what was raised.
            now: seconds on the bridge's clock.

        Returns:
            An entry for the log, and the verdict.
        """
        told: list[Instruction] = [LogInternalError(error)]
        if concerned is None:
            return told
        current = self._pipeline.current
        if (
            current is not None
            and current.session is concerned.session
            and current.seq == concerned.seq
        ):
            self._pipeline.current = None
        if self._pipeline.current is None:
            self._turns.end(now)
        detail = f"internal error, please report it: {type(error).__name__} {error}"
        return told + self._verdicts.answer(Conclusion(concerned, Reason.REFUSED, detail), now)

    # -- one message --------------------------------------------------------------------------

    def _consider(
        self, session: Session, message: Submission, size: int, now: float
    ) -> list[Instruction]:
        if isinstance(message, PackedSnapshot):
            return self._snapshot(session, message, size, now)
        return self._program(session, message, size, now)

    def _snapshot(
        self, session: Session, snapshot: PackedSnapshot, size: int, now: float
    ) -> list[Instruction]:
        publication = Publication(session, snapshot.seq, call=snapshot.call)
        reason = throttled(session, snapshot, now, self._pipeline.last_reload)
        if reason in _OF_TIME and self._verdicts.settles(session):
            self._sessions.keep_unsettled(session, snapshot)
        if reason is not None:
            return self._verdicts.answer(Conclusion(publication, reason), now)
        self._sessions.keep_unsettled(session, None)
        if unheard := self._unheard(publication):
            return self._verdicts.answer(unheard, now)
        self._turns.begin(Turn(session, now, snapshot, size))
        return self._judge(session, snapshot, "call", session.arrival)

    def _judge(
        self, session: Session, snapshot: PackedSnapshot, kind: str, arrival: int
    ) -> list[Instruction]:
        publication = Publication(session, snapshot.seq, kind, snapshot.call, arrival)
        return [self._pipeline.begin_snapshot(publication, snapshot)]

    def _program(
        self, session: Session, own: OwnProgram, size: int, now: float
    ) -> list[Instruction]:
        arrival = self._sessions.arrived
        publication = Publication(session, own.seq, arrival=arrival, program=own.program)
        if unheard := self._unheard(publication):
            return self._verdicts.answer(unheard, now)
        self._turns.begin(Turn(session, now, own, size))
        return self.conclude(self._pipeline.begin_program(publication, now), now)

    def _unheard(self, publication: Publication) -> Conclusion | None:
        why = why_unheard(self.follow, publication.session, self._sessions)
        return None if why is None else Conclusion(publication, Reason.NOT_FOLLOWED, why)
