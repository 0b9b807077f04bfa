"""How a model would sound: whether it grows, and how loud it gets."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from faustwire.graph import Node
from faustwire.messages import Reason
from faustwire_bridge.gates import stability
from faustwire_bridge.gates.loudness import measure

# A loop that rings for a minute peaks 50 dB above its input, at frequencies a fraction of a hertz
# wide; nothing that is meant to be heard goes beyond.
MAX_GAIN_DB = 60.0
# A hundredfold: no optimiser's step does that, a parameter that has run away does.
MAX_JUMP_DB = 40.0
# At worst (32 lines of a second together) three seconds of computing, in which the bridge answers
# nobody else; what takes more is told from a second of noise.
_MAX_POINTS = 2**18


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


def listen(graph: Node, *, fs: float, limits: Limits, playing_db: float | None) -> Sound:
    """Judge a model.

    Args:
        graph: one that ``faustwire.validation.check`` accepts.
        fs: sampling rate in Hz.
        limits: what may be heard.
        playing_db: the peak of what plays now; None: not known.
    """
    try:
        return _listen(graph, fs, limits, playing_db)
    except (ArithmeticError, np.linalg.LinAlgError) as problem:
        # A frequency that hits a mode to the last digit; what it does, a second of noise tells.
        return Sound(None, (f"its sound could not be computed: {problem}",), certain=False)


def _listen(graph: Node, fs: float, limits: Limits, playing_db: float | None) -> Sound:
    stable = stability.judge(graph, fs=fs, max_points=_MAX_POINTS)
    margin_db, rt60_seconds = stable.margin_db, stable.rt60_seconds
    match stable.verdict:
        case stability.Verdict.UNSTABLE if not limits.allow_unstable:
            figure = "" if margin_db is None else f", loop gain {-margin_db:+.3g} dB"
            advice = f"{stable.detail}{figure}; lower its gain, or say --allow-unstable"
            return Sound((Reason.UNSTABLE, advice), margin_db=margin_db)
        case stability.Verdict.STABLE:
            pass
        case _:
            # Without decay a peak is as high as one waits; there is no figure for it.
            certain = stable.verdict is not stability.Verdict.UNDECIDED
            return Sound(None, (stable.detail,), None, margin_db, rt60_seconds, certain)
    peak_db = measure(graph, fs=fs).peak_db
    refusal = _too_loud(peak_db, limits, playing_db)
    known_db = peak_db if math.isfinite(peak_db) else None
    return Sound(refusal, (), known_db, margin_db, rt60_seconds)


def heard(peak: float, limits: Limits) -> tuple[Reason, str] | None:
    """Why text that made so much of a second of full-scale noise must not be heard, or None."""
    if not math.isfinite(peak):
        if limits.allow_unstable:
            return None
        advice = "a second of noise made it overflow; lower a feedback, or say --allow-unstable"
        return (Reason.UNSTABLE, advice)
    return _too_loud(20 * math.log10(peak) if peak else -math.inf, limits, None)


def _too_loud(
    peak_db: float, limits: Limits, playing_db: float | None
) -> tuple[Reason, str] | None:
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
