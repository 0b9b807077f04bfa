"""How loud a program may be, and what is known of one before it is heard. Pure."""

from __future__ import annotations

import math
from dataclasses import dataclass

from faustwire.messages import Reason

# A loop that rings for a minute peaks 50 dB above its input, at frequencies a fraction of a hertz
# wide; nothing that is meant to be heard goes beyond.
MAX_GAIN_DB = 60.0
# A hundredfold: no optimiser's step does that, a parameter that has run away does.
MAX_JUMP_DB = 40.0


@dataclass(frozen=True)
class Limits:
    """What may be heard.

    Attributes:
        allow_unstable: let pass what grows.
        max_gain_db: from any input to any output, at any frequency.
        max_jump_db: above what plays now, or above unity gain where that is more.
    """

    allow_unstable: bool = False
    max_gain_db: float = MAX_GAIN_DB
    max_jump_db: float = MAX_JUMP_DB


@dataclass(frozen=True)
class Sound:
    """What is known of a program before it is heard.

    Attributes:
        refusal: why it must not be heard, and one line on what to do; None: it may.
        warnings: what people should know, a line each.
        peak_db, margin_db, rt60_seconds: as in ``faustwire.messages.Verdict``.
        certain: whether the model could be judged at all.
    """

    refusal: tuple[Reason, str] | None = None
    warnings: tuple[str, ...] = ()
    peak_db: float | None = None
    margin_db: float | None = None
    rt60_seconds: float | None = None
    certain: bool = True


def heard(peak: float, limits: Limits) -> tuple[Reason, str] | None:
    """Why text that made so much of a second of full-scale noise must not be heard, or None."""
    if not math.isfinite(peak):
        if limits.allow_unstable:
            return None
        advice = "a second of noise made it overflow; lower a feedback, or say --allow-unstable"
        return (Reason.UNSTABLE, advice)
    return too_loud(20 * math.log10(peak) if peak else -math.inf, limits, None)


def too_loud(peak_db: float, limits: Limits, playing_db: float | None) -> tuple[Reason, str] | None:
    """Why a program with this peak gain is refused, or None.

    Args:
        peak_db: largest gain from any input to any output, in dB; -inf for silence.
        limits: what may be heard.
        playing_db: peak gain of what plays now, in dB; None: not known.

    Returns:
        The reason and one line on what to do.
    """
    if peak_db > limits.max_gain_db:
        return Reason.TOO_LOUD, (
            f"it peaks at {peak_db:.1f} dB and the limit is {limits.max_gain_db:g} dB: lower its "
            "gain, or raise --max-gain-db"
        )
    if playing_db is None:
        return None
    jump_db = peak_db - max(playing_db, 0.0)
    if jump_db > limits.max_jump_db:
        return Reason.TOO_LOUD, (
            f"it is {jump_db:.1f} dB louder than what plays and the limit is "
            f"{limits.max_jump_db:g} dB: lower its gain, or raise --max-jump-db"
        )
    return None
