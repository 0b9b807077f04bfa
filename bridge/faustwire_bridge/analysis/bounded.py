"""A model passed by bounds alone: what they leave open is for the exact searches to decide.

Bounds prove that every loop decays, at every position of an rt60 knob as well, since that only
turns delays down; that the peak and the level are below their limits; and that single precision
holds what there is. They never refuse anything, and pass nothing that the searches would refuse.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from faustwire.graph import SOS, Array, Node, Recursion
from faustwire_bridge.analysis.circle_bounds import CircleBounds, OpenError
from faustwire_bridge.analysis.decay_rate import LN_60_DB
from faustwire_bridge.analysis.level_bounds import LevelBounds, LevelEstimator
from faustwire_bridge.analysis.peak_gain import late_level_db, level_db, level_points
from faustwire_bridge.analysis.played_graph import through_plugin
from faustwire_bridge.analysis.ringing import filter_rate, ringing
from faustwire_bridge.analysis.single_precision import certainly_holds
from faustwire_bridge.analysis.stability import MARGIN_RATE
from faustwire_bridge.core.sound_limits import Assessment, Limits, check_gain, check_jump, to_db

# What rounding may move a bound, relative.
_SURE = 1 - 1e-9
# Rates that a loop's decay is looked for at: from an hour to three samples.
_RATES = np.geomspace(MARGIN_RATE, 2.0, 26)
_FINE = np.linspace(0.0, 1.0, 12)


class Passed(NamedTuple):
    """A model that bounds pass.

    Attributes:
        assessment: without a peak.
        gain_bound: upper bound on its gain at any frequency.
    """

    assessment: Assessment
    gain_bound: float


@np.errstate(all="ignore")  # numbers that overflow give no bound
def certified(
    graph: Node,
    *,
    fs: float,
    limits: Limits,
    playing_db: float | None,
    program: str,
    levels: LevelEstimator,
    at_first: Node | None = None,
) -> Passed | None:
    """Assess a model by bounds.

    Args:
        graph: a valid one.
        fs: sampling rate in Hz.
        limits: how loud it may be.
        playing_db: level of what plays now, or a lower bound on it, in dB; None: not known.
        program: its Faust text, whose constants are looked at.
        levels: knows the levels of the last graphs.
        at_first: as its program plays it until a knob is turned; None: as it is.

    Returns:
        Its assessment and what bounds it; None: bounds do not tell.
    """
    circles = CircleBounds(np.concatenate([[0.0, level_points(fs)[0].real], -_RATES]))
    try:
        # Of the peak and of the level; what is no number is no bound.
        peak, first = circles.norm(through_plugin(graph))[:2].tolist()
        rate, gain = _decay(graph, circles)
        if not rate > MARGIN_RATE or not to_db(max(peak, first)) <= limits.max_gain_db:
            return None
        if "e+" in program or not certainly_holds(graph):
            return None
        heard = [(graph, False), (at_first, True)]
        level = _level(heard, fs=fs, limits=limits, playing_db=playing_db, levels=levels)
    except (OpenError, ArithmeticError, np.linalg.LinAlgError):
        return None
    if level is None or _loud_late(graph, fs, limits, playing_db):
        return None
    assessment = Assessment(
        margin_db=None if gain is None else -to_db(gain),
        rt60_seconds=LN_60_DB / (rate * fs) if math.isfinite(rate) else None,
        level_db=_finite(level.low_db),
        loudest_db=_finite(level.high_db),
    )
    return Passed(assessment, peak)


@np.errstate(all="ignore")  # numbers that overflow give no bound
def certainly_decays(graph: Node) -> bool:
    """Whether bounds alone show that every mode decays, within an hour.

    Args:
        graph: a valid one.

    Returns:
        True: ``stability.classify`` says the same. False: bounds do not tell.
    """
    circles = CircleBounds(np.array([-MARGIN_RATE]))
    try:
        circles.norm(graph)
    except (OpenError, ArithmeticError, np.linalg.LinAlgError):
        return False
    loops = all(one.gains[0] < _SURE for one in circles.loops)
    return loops and all(rate > MARGIN_RATE for rate in _filter_rates(graph))


def _decay(graph: Node, circles: CircleBounds) -> tuple[float, float | None]:
    """(lower bound on the slowest rate, 0 for none; largest gain around a loop, if any)."""
    rates = [_loop_rate(one.loop, one.gains[2:]) for one in circles.loops]
    rates += _filter_rates(graph)
    gains = [float(one.gains[0]) for one in circles.loops]
    gain = max(gains, default=0.0)
    return min(rates, default=math.inf), gain if gain > 0 else None


def _loop_rate(loop: Recursion, gains: Array) -> float:
    """The largest rate at which the gain around a loop is below one, from gains at ``_RATES``."""
    low = _below_one(gains)
    if low is None:
        return 0.0
    if low == len(_RATES) - 1:  # gone within a sample
        return math.inf
    # Fine enough for the bound to be within a percent of where the gain reaches one.
    rates = _RATES[low] + (_RATES[low + 1] - _RATES[low]) * _FINE
    nearer = CircleBounds(-rates).around(loop)
    last = _below_one(nearer)
    if last is None or last == len(rates) - 1:
        return float(_RATES[low])
    # The logarithm of each bound is convex in the rate: a chord lies above it.
    here, there = (math.log(nearer[k]) if nearer[k] > 0 else -math.inf for k in (last, last + 1))
    if not math.isfinite(here) or not math.isfinite(there):
        return float(rates[last])
    return float(rates[last] + (rates[last + 1] - rates[last]) * here / (here - there) * _SURE)


def _below_one(gains: Array) -> int | None:
    """Up to which of them all gains are below one; None: not even the first."""
    above = np.flatnonzero(~(gains < _SURE))
    last = len(gains) - 1 if not len(above) else int(above[0]) - 1
    return last if last >= 0 else None


def _filter_rates(graph: Node) -> list[float]:
    """Of the filters outside of all recursions."""
    return [filter_rate(node) for node, _ in ringing(graph, "") if isinstance(node, SOS)]


def _level(
    heard: Sequence[tuple[Node | None, bool]],
    *,
    fs: float,
    limits: Limits,
    playing_db: float | None,
    levels: LevelEstimator,
) -> LevelBounds | None:
    """Bounds on the highest level in dB; None: one may be too high.

    Args:
        heard: graphs, each with whether a knob has turned it; None: there is none.
        fs: sampling rate in Hz.
        limits: how loud they may be.
        playing_db: level of what plays now, in dB; None: not known.
        levels: knows the levels of the last graphs.
    """
    enough_db = min(limits.max_jump_db + max(playing_db or 0.0, 0.0), limits.max_gain_db)
    highest = LevelBounds(-math.inf, -math.inf)
    for graph, turned in heard:
        if graph is None:
            continue
        played = through_plugin(graph)
        found = levels.bounds(played, fs=fs, enough_db=enough_db + to_db(_SURE), turned=turned)
        if found is None:
            level = level_db(played, fs=fs)
            if check_gain(-math.inf, level, limits, playing_db) is not None:
                return None
            found = LevelBounds(level, level)
        highest = LevelBounds(
            max(highest.low_db, found.low_db), max(highest.high_db, found.high_db)
        )
    return highest


def _loud_late(graph: Node, fs: float, limits: Limits, playing_db: float | None) -> bool:
    """Whether something too loud may follow in a long line, for the searches to say."""
    late_db = late_level_db(through_plugin(graph), fs=fs)
    return check_jump(late_db, limits, playing_db) is not None


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
