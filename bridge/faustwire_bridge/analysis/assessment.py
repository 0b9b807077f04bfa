"""How a model would sound: whether it grows, and how loud it gets."""

from __future__ import annotations

import math

import numpy as np

from faustwire.graph import Node
from faustwire.messages import Reason
from faustwire_bridge.analysis import stability
from faustwire_bridge.analysis.peak_gain import level_db, measure
from faustwire_bridge.core.refusal import Refusal
from faustwire_bridge.core.sound_limits import Assessment, Limits, check_gain

# At worst (32 lines of a second together) three seconds of computing, in which the bridge answers
# nobody else; what takes more is told from a second of noise.
_MAX_POINTS = 2**18


def assess(graph: Node, *, fs: float, limits: Limits, playing_db: float | None) -> Assessment:
    """Assess how a model would sound.

    Args:
        graph: one that ``faustwire.validation.check`` accepts.
        fs: sampling rate in Hz.
        limits: how loud it may be.
        playing_db: level of what plays now, in dB; None: not known.

    Returns:
        What is known of its sound, and why it is refused if it is.
    """
    try:
        return _assess(graph, fs, limits, playing_db)
    except (ArithmeticError, np.linalg.LinAlgError) as problem:
        # A frequency that hits a mode to the last digit; what it does, a second of noise tells.
        return Assessment(None, (f"its sound could not be computed: {problem}",), certain=False)


def _assess(graph: Node, fs: float, limits: Limits, playing_db: float | None) -> Assessment:
    stable = stability.classify(graph, fs=fs, max_points=_MAX_POINTS)
    verdict, margin_db = stable.verdict, stable.margin_db
    if verdict is stability.Verdict.UNSTABLE and not limits.allow_unstable:
        figure = "" if margin_db is None else f", loop gain {-margin_db:+.3g} dB"
        advice = f"{stable.detail}{figure}; lower its gain, or say --allow-unstable"
        return Assessment(Refusal(Reason.UNSTABLE, advice), margin_db=margin_db)
    decays = verdict is stability.Verdict.STABLE
    # Without decay a peak is as high as one waits; there is no figure for it.
    peak_db = measure(graph, fs=fs).peak_db if decays else -math.inf
    level = level_db(graph, fs=fs)
    return Assessment(
        check_gain(peak_db, level, limits, playing_db),
        () if decays else (stable.detail,),
        peak_db if math.isfinite(peak_db) else None,
        margin_db,
        stable.rt60_seconds,
        certain=verdict is not stability.Verdict.UNDECIDED,
        level_db=level if math.isfinite(level) else None,
    )
