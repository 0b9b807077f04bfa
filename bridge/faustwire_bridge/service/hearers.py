"""Those who listen: like those who watch, they take part in no decision about the plugin."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING

from faustwire import codec
from faustwire.messages import Heard, Listen, Rejection, Verdict
from faustwire_bridge.children.judge import JudgeProcess
from faustwire_bridge.core import rights
from faustwire_bridge.core.audience import Audience
from faustwire_bridge.core.events import JudgeFailed
from faustwire_bridge.core.instructions import Judge
from faustwire_bridge.core.session import Session
from faustwire_bridge.core.sessions import Sessions
from faustwire_bridge.service.listener import Received
from faustwire_bridge.service.listeners import Listeners

if TYPE_CHECKING:
    from faustwire_bridge.recordings.recorder import Recorder

# Of snapshots that are sent in one go: 64 connections may each ask for one of 16 MiB.
_AT_ONCE_BYTES = 2**20

_log = logging.getLogger("faustwire.bridge")


class Hearers:
    """Answers those who listen; a judge of its own works for them, behind everything else."""

    def __init__(self, listeners: Listeners, sessions: Sessions, judge: JudgeProcess) -> None:
        """Nobody listens yet.

        Args:
            listeners: where messages are sent.
            sessions: the workers.
            judge: for snapshots that the pipeline does not judge; it is started when needed.
        """
        self._listeners = listeners
        self._audience = Audience(sessions)
        self._judge = judge
        self.fileno = judge.fileno
        self._answered = False

    def hear(self, received: Received, message: Listen, recorder: Recorder | None) -> None:
        """Take a message of somebody who listens.

        Args:
            received: the message as it came.
            message: the same, decoded.
            recorder: where it is recorded; None: nowhere.
        """
        peer, user, now_ns = received.peer, received.user, time.monotonic_ns()
        # What somebody who decides nothing has put beside its fields is nobody's business.
        asked = received.frames[0] if rights.may_publish(user) else codec.encode(message)
        recorded = recorder is not None and recorder.asked(now_ns, peer, asked, user)
        answer = rights.refusal(message, user)
        if answer is None:
            name = None if user is None else user.name
            problem = self._audience.ask(peer, name, message, time.monotonic())
            answer = None if problem is None else Rejection(problem)
        if answer is not None:
            data = codec.encode(answer)
            self._listeners.offer(peer, data)
            if recorder is not None and recorded:
                recorder.sent(now_ns, peer, data, answer)

    def decided(self, session: Session | None, verdict: Verdict) -> None:
        """A worker was given a verdict.

        Args:
            session: the worker; None: it has left.
            verdict: what it was told.
        """
        if session is not None:
            self._audience.decided(session, verdict)

    def revoked(self, user: str) -> None:
        """A user has lost its key or a right of it."""
        self._audience.forget(user)

    def deadline(self) -> float | None:
        """When ``tell`` wants to be called at the latest, in monotonic seconds; None: any time."""
        # There may be more answers than those that were sent.
        return 0.0 if self._answered else self._judge.deadline()

    def tell(self, recorder: Recorder | None) -> None:
        """Send what is there to those who wait for it, and have the next snapshot judged.

        Args:
            recorder: where it is recorded that it was sent; None: nowhere.
        """
        self._take_outcome()
        answers = self._audience.pop_answers(_AT_ONCE_BYTES)
        self._answered = bool(answers)
        encoded: tuple[Heard | None, bytes] = (None, b"")
        for peer, heard in answers:
            if encoded[0] is not heard:
                encoded = heard, codec.encode(heard)
            self._listeners.offer(peer, encoded[1])
            if recorder is not None:
                recorder.heard(time.monotonic_ns(), peer, heard)
        snapshot = self._audience.begin_judging(time.monotonic())
        if snapshot is not None:
            failed = self._judge.begin(Judge(snapshot.data, None, None))
            if failed is not None:
                self._audience.end_judging(failed)

    def _take_outcome(self) -> None:
        try:
            outcome = self._judge.outcome()
        except Exception as problem:  # noqa: BLE001 - listeners must not end the bridge
            _log.exception("internal error in a child's answer")
            outcome = JudgeFailed(f"internal error: {problem!r}")
        if outcome is not None:
            self._audience.end_judging(outcome)
