"""Which snapshots may be heard: what their verdict, or a judgement of our own, says of them."""

from __future__ import annotations

from faustwire.messages import HOLDS_BACK, Reason, Verdict
from faustwire_bridge.core.events import Judged, JudgeFailed
from faustwire_bridge.listen.sound import Figures, Refused

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


def by_verdict(run: str, call: int, verdict: Verdict) -> Figures | Refused | None:
    """What a verdict of the bridge says of a snapshot's sound.

    Args:
        run: whose it is.
        call: its number.
        verdict: the one on that call.

    Returns:
        Its figures if it may be heard, or why it may not; None: it was not judged.
    """
    if verdict.reason in _NOT_JUDGED:
        return None
    # That a file could not be written is nothing against the sound.
    if verdict.reason in HOLDS_BACK and verdict.reason is not Reason.WRITE_FAILED:
        return Refused(run, call, str(verdict.reason), verdict.detail)
    return Figures(verdict.margin_db, verdict.rt60_seconds)


def by_judgement(run: str, call: int, outcome: Judged | JudgeFailed) -> Figures | Refused:
    """What a judgement that was made for listeners says of a snapshot's sound.

    Args:
        run: whose it is.
        call: its number.
        outcome: what came of it.

    Returns:
        Its figures if it may be heard, or why it may not.
    """
    if isinstance(outcome, JudgeFailed):
        return Refused(run, call, str(Reason.REFUSED), outcome.problem)
    assessment = outcome.assessment
    refusal = outcome.refusal or (assessment.refusal if assessment is not None else None)
    if refusal is not None:
        return Refused(run, call, str(refusal.reason), refusal.detail)
    if assessment is None or not assessment.certain:
        detail = "whether it decays can only be told by playing it, which is done before a publish"
        return Refused(run, call, str(Reason.UNSTABLE), detail)
    return Figures(assessment.margin_db, assessment.rt60_seconds)
