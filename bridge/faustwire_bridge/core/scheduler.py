"""What is published next: one publication at a time, the newest snapshot first. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from faustwire.messages import Choice, Reason, Steered
from faustwire.packed_snapshot import PackedSnapshot
from faustwire_bridge.core.admission import Admission, WhyNot, publication_of
from faustwire_bridge.core.event_log import EventLog
from faustwire_bridge.core.events import Outcome
from faustwire_bridge.core.instructions import (
    Compile,
    Happened,
    Instruction,
    Judge,
    LogInternalError,
    Send,
    Write,
)
from faustwire_bridge.core.pipeline import Pipeline
from faustwire_bridge.core.publication import Conclusion, Publication
from faustwire_bridge.core.room import Room
from faustwire_bridge.core.session import Session
from faustwire_bridge.core.sessions import Sessions
from faustwire_bridge.core.settling import newest_unsettled, settles_at
from faustwire_bridge.core.turns import Aside, Turn, Turns
from faustwire_bridge.core.verdicts import Verdicts, repeated
from faustwire_bridge.core.waiting import Submission


class Scheduler:
    """Snapshots and programs on their way to the pipeline."""

    def __init__(
        self,
        *,
        admission: Admission,
        sessions: Sessions,
        pipeline: Pipeline,
        turns: Turns,
        room: Room,
        verdicts: Verdicts,
        event_log: EventLog,
    ) -> None:
        self._admission = admission
        self._sessions = sessions
        self._pipeline = pipeline
        self._verdicts = verdicts
        self._event_log = event_log
        self._turns = turns
        self._room = room
        # Another worker was chosen, and its newest snapshot is to be published.
        self._choice_is_due = False
        # Who chooses again and again takes turns with those who wait.
        self._chosen_last = False

    def settles_at(self) -> float | None:
        """When a snapshot that only time turned down is to be published; None: none waits."""
        return settles_at(self._pipeline, self._settling())

    def _settling(self) -> Iterator[Session]:
        # Not looked for while something is being published; the bridge asks after each message.
        for session in self._admission.followed():
            if not self._turns.is_aside(session):
                yield session

    def steer(self, peer: bytes, choice: Choice, now: float) -> list[Instruction]:
        """Follow another worker.

        Args:
            peer: who asked for it.
            choice: whom to follow.
            now: seconds on the bridge's clock.

        Returns:
            The answer and an event; ``next_steps`` publishes the worker's newest snapshot.
        """
        self._admission.follow = choice
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
        if self._turns.is_on_its_way(session, message.seq, self._pipeline.current):
            return []  # Sent again; its verdict is on its way.
        if isinstance(message, PackedSnapshot) and message.seq > session.newest_seq():
            self._sessions.keep_snapshot(session, message, now)
        if self._pipeline.current is None:
            return self._consider(session, message, size, now, self._admission.why_not_at(now))
        return self._room.wait(session, message, size, now)

    # -- making room for others --------------------------------------------------------------

    def makes_room_at(self, now: float) -> float | None:
        """When what is being published has to make room for others; None: it need not."""
        if self._pipeline.is_writing():
            return None
        return self._turns.makes_room_at(now, self._admission.why_not_at)

    def make_room(self, now: float) -> list[Instruction]:
        """Let others have their turn.

        Args:
            now: seconds on the bridge's clock, not before ``makes_room_at``.

        Returns:
            Verdicts on what can't be published anyway; and, where more than that waits, what takes
            the publication in progress out of its way.
        """
        told: list[Instruction] = []
        why_not = self._admission.why_not_at(now)
        for session, submission in self._turns.others():
            conclusion = why_not(session, submission)
            if conclusion is not None:
                self._turns.drop(session)
                told += self._admission.turn_down(conclusion, submission, now)
        at = self.makes_room_at(now)
        if at is None or at > now:
            return told
        finished = self._turns.pop_finished()
        told += self._room.make(now)
        return told if finished is None else told + self._resume(finished, now)

    def finish_aside(self, outcome: Outcome, now: float) -> list[Instruction]:
        """What was set aside is done; ``next_steps`` goes on with it.

        Args:
            outcome: what came of it.
            now: seconds on the bridge's clock.

        Returns:
            Nothing.
        """
        self._turns.finish_aside(outcome, now)
        return []

    def _resume(self, aside: Aside, now: float) -> list[Instruction]:
        turn = aside.turn
        conclusion = None
        if turn.kind != "followed":
            # Others may have been published meanwhile.
            conclusion = self._admission.why_not_at(now)(turn.session, turn.submission)
        if conclusion is None:
            try:
                return self.conclude(self._room.resume(aside, now), now)
            except Exception as error:  # noqa: BLE001 - as in `handle`
                return self.abandon(aside.publication, error, now)
        if turn.kind == "settled":
            self._room.settle_later(turn)
        ended = replace(conclusion, publication=aside.publication)
        return self._admission.turn_down(ended, turn.submission, now)

    # -- what is next ------------------------------------------------------------------------

    def next_steps(self, now: float) -> list[Instruction]:
        """Go on with what waits, until something is being published or nothing waits.

        Args:
            now: seconds on the bridge's clock.

        Returns:
            Verdicts, and a step of the pipeline.
        """
        instructions: list[Instruction] = []
        while self._pipeline.current is None:
            finished = self._turns.pop_finished()
            if finished is not None:
                instructions += self._resume(finished, now)
            elif self._choice_is_due and not (self._chosen_last and self._turns.any_ready()):
                instructions += self._publish_chosen(now)
            elif self._turns.any_ready():
                instructions += self._serve_waiting(now)
            else:
                break
        return instructions

    def _serve_waiting(self, now: float) -> list[Instruction]:
        """Turn down what can't be published, up to the first message that can."""
        told: list[Instruction] = []
        self._chosen_last = False
        why_not = self._admission.why_not_at(now)
        for session, submission, size in self._turns.pop_ready(now):
            try:
                told += self._consider(session, submission, size, now, why_not)
            except Exception as error:  # noqa: BLE001 - as in `handle`
                told += self.abandon(Publication(session, submission.seq), error, now)
            if self._pipeline.current is not None:
                break
        return told

    def _publish_chosen(self, now: float) -> list[Instruction]:
        self._choice_is_due, self._chosen_last = False, True
        newest = [session for session in self._admission.followed() if session.newest]
        if not newest:
            return []
        session = max(newest, key=lambda session: session.arrival)
        assert session.newest is not None  # noqa: S101 - just looked
        turn = Turn(session, now, session.newest, kind="followed")
        return self._judge(turn, session.newest, session.arrival)

    def settle(self, now: float) -> list[Instruction]:
        """Publish the newest snapshot that only time turned down; its time has come.

        Args:
            now: seconds on the bridge's clock.

        Returns:
            The first step.
        """
        unsettled = newest_unsettled(self._settling())
        assert unsettled is not None, "it has a deadline"  # noqa: S101
        self._sessions.keep_unsettled(unsettled.session, None)
        turn = Turn(unsettled.session, now, unsettled.snapshot, kind="settled")
        return self._judge(turn, unsettled.snapshot, unsettled.arrival)

    def conclude(self, step: Judge | Compile | Write | Conclusion, now: float) -> list[Instruction]:
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
        """End a publication that an internal error keeps from being decided.

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
        self, session: Session, message: Submission, size: int, now: float, why_not: WhyNot
    ) -> list[Instruction]:
        conclusion = why_not(session, message)
        if conclusion is not None:
            return self._admission.turn_down(conclusion, message, now)
        if self._turns.is_aside(session):
            return self._room.wait(session, message, size, now)
        turn = Turn(session, now, message, size)
        if isinstance(message, PackedSnapshot):
            self._sessions.keep_unsettled(session, None)
            return self._judge(turn, message, session.arrival)
        self._turns.begin(turn)
        publication = publication_of(session, message, arrival=self._sessions.arrived)
        return self.conclude(self._pipeline.begin_program(publication, now), now)

    def _judge(self, turn: Turn, snapshot: PackedSnapshot, arrival: int) -> list[Instruction]:
        self._turns.begin(turn)
        publication = publication_of(turn.session, snapshot, kind=turn.kind, arrival=arrival)
        return [self._pipeline.begin_snapshot(publication, snapshot, turn.began)]
