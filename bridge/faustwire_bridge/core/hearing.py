"""Whether a snapshot may be heard: by its verdict, or by a judgement made for listeners. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from faustwire.messages import HOLDS_BACK, Reason, Verdict
from faustwire_bridge.core.events import Judged, JudgeFailed

# Nothing was decided about the sound.
_NOT_JUDGED = frozenset(
    {
        Reason.EVERY,
        Reason.MIN_INTERVAL,
        Reason.RELOAD_COST,
        Reason.NOT_FOLLOWED,
        Reason.SUPERSEDED,
    }
)
_UNCERTAIN = "whether it decays can only be told by playing it, which is done before a publish"


@dataclass(frozen=True)
class Hearing:
    """What was decided about the sound of a snapshot.

    Attributes:
        audible: whether it may be heard.
        reason, detail, margin_db, rt60_seconds: as in ``faustwire.messages.Verdict``.
    """

    audible: bool
    reason: Reason
    detail: str = ""
    margin_db: float | None = None
    rt60_seconds: float | None = None


def by_verdict(verdict: Verdict) -> Hearing | None:
    """Decide by the verdict on a snapshot.

    Args:
        verdict: the bridge's.

    Returns:
        Whether it may be heard; None: it was not judged.
    """
    if verdict.reason in _NOT_JUDGED:
        return None
    # That a file could not be written is nothing against the sound.
    held_back = verdict.reason in HOLDS_BACK and verdict.reason is not Reason.WRITE_FAILED
    detail = verdict.detail if held_back else ""
    return Hearing(not held_back, verdict.reason, detail, verdict.margin_db, verdict.rt60_seconds)


def by_judgement(outcome: Judged | JudgeFailed, reason: Reason) -> Hearing:
    """Decide by a judgement of the sound alone.

    Args:
        outcome: what came of it.
        reason: why there was no other.

    Returns:
        Whether it may be heard.
    """
    if isinstance(outcome, JudgeFailed):
        return Hearing(False, Reason.REFUSED, outcome.problem)
    assessment = outcome.assessment
    refusal = outcome.refusal or (assessment.refusal if assessment is not None else None)
    if refusal is not None:
        return Hearing(False, refusal.reason, refusal.detail)
    if assessment is None or not assessment.certain:
        return Hearing(False, Reason.UNSTABLE, _UNCERTAIN)
    return Hearing(True, reason, "", assessment.margin_db, assessment.rt60_seconds)
