"""The verdict on a message, what watchers are told of it, and which later calls can be due."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from faustwire.messages import HOLDS_BACK, Due, Reason, Verdict
from faustwire_bridge.core.event_log import EventLog
from faustwire_bridge.core.instructions import Happened, Instruction, Send
from faustwire_bridge.core.pipeline import Pipeline
from faustwire_bridge.core.publication import Conclusion, Publication
from faustwire_bridge.core.rules import Rules
from faustwire_bridge.core.sendable_text import sendable
from faustwire_bridge.core.session import Session
from faustwire_bridge.core.throttle import due

# The last verdict is kept for each worker; a model's program has no more than a few warnings.
_MAX_WARNINGS = 32
# Characters of all of them: a name of somebody's own may be long, and stand in each.
_MAX_WARNED = 2**13
# After these the number of the call and the clock are all that decides on the next.
_TELLS_DUE = (
    Reason.PUBLISHED,
    Reason.UNCHANGED,
    Reason.INAUDIBLE,
    Reason.EVERY,
    Reason.MIN_INTERVAL,
    Reason.RELOAD_COST,
    Reason.NOT_FOLLOWED,
)


class Verdicts:
    """Turns conclusions into verdicts and events.

    Attributes:
        rules: the settings by which the bridge decides.
    """

    def __init__(self, rules: Rules, pipeline: Pipeline, event_log: EventLog) -> None:
        self.rules = rules
        self._pipeline = pipeline
        self._event_log = event_log

    def settles(self, session: Session) -> bool:
        """Whether a worker's snapshot that only time turned down is published later."""
        return self.rules.settle or session.hello.settle

    def answer(self, conclusion: Conclusion, now: float) -> list[Instruction]:
        """Give the verdict on a publication, and remember it for a message that is sent again.

        Args:
            conclusion: how the publication ended.
            now: seconds on the bridge's clock.

        Returns:
            What to send and whom to tell; no verdict on what had one before.
        """
        publication = conclusion.publication
        session = publication.session
        told = self._told(conclusion, now)
        if publication.kind != "call":
            if conclusion.reason is Reason.PUBLISHED:
                session.counts[publication.kind] += 1
            return told
        verdict = self._verdict(conclusion, now)
        session.count_verdict(verdict)
        return [*([] if session.peer is None else [Send(session.peer, verdict)]), *told]

    def _verdict(self, conclusion: Conclusion, now: float) -> Verdict:
        publication, reason = conclusion.publication, conclusion.reason
        report, assessment = publication.report, publication.assessment
        return Verdict(
            publication.seq,
            reason is Reason.PUBLISHED,
            reason,
            sendable(conclusion.detail),
            tuple(_shortened(publication.warnings[:_MAX_WARNINGS])),
            self._due(publication, now) if reason in _TELLS_DUE else None,
            compile_seconds=report.seconds if report else None,
            peak_db=assessment.peak_db,
            margin_db=assessment.margin_db,
            rt60_seconds=assessment.rt60_seconds,
            load=report.load if report else None,
        )

    def _told(self, conclusion: Conclusion, now: float) -> list[Instruction]:
        publication, reason, detail = (
            conclusion.publication,
            conclusion.reason,
            conclusion.detail,
        )
        session, call = publication.session, publication.call
        if reason is Reason.PUBLISHED:
            kind = "settled" if publication.kind == "settled" else "published"
            playing = self._pipeline.playing
            written = {"program": playing.program, "compile_seconds": playing.compile_seconds}
            event = self._event_log.add(now, kind, detail, session, call=call, **written)
            return [Happened(event)]
        if reason in HOLDS_BACK and session.reason is not reason:
            # Once for each cause, not for each step of a training.
            event = self._event_log.add(now, "held-back", detail, session, call=call, reason=reason)
            return [Happened(event)]
        return []

    def _due(self, publication: Publication, now: float) -> Due | None:
        if publication.call is None or self.rules.sees_all:
            return None
        hello = publication.session.hello
        told = due(
            publication.call,
            now,
            every=hello.every,
            min_interval=hello.min_interval,
            last_reload=self._pipeline.last_reload,
        )
        # To settle, the bridge needs what time turns down as well.
        return replace(told, after=0.0) if self.settles(publication.session) else told


def _shortened(warnings: Iterable[str]) -> Iterator[str]:
    left = _MAX_WARNED
    for warning in warnings:
        line = sendable(warning)[:left]
        left -= len(line)
        if line:
            yield line


def repeated(answered: Verdict, seq: int) -> Verdict:
    """The verdict on a message that was sent again over a new connection.

    Args:
        answered: the last verdict that the worker was given.
        seq: number of the message, at most that of ``answered``.

    Returns:
        The same verdict; "superseded" for an older message.
    """
    return answered if seq == answered.seq else Verdict(seq, False, Reason.SUPERSEDED)
