"""Does what a graph plays die away? Exactly, for any nesting, and what takes longest.

Every mode counts, the ones that no output hears as well: they live in the program's memory. A mode
z decays by 60 dB in ln(1000) / (−ln|z|·fs) seconds. Modes that take longer than an hour, to die or
to grow, are on the circle as far as anyone can tell: the rounding of a lossless matrix trained in
single precision alone moves them about as much. They make the graph marginal.

First the gain around each outermost recursion is bounded (``loop_gain``): microseconds, and enough
for most models. What that leaves open is counted (``poles``).
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from enum import Enum

import numpy as np

from faustwire.graph import SOS, Array, Node, Parallel, Recursion, Series, channels
from faustwire_bridge.analysis.loop_bounds import Band, LoopGain
from faustwire_bridge.analysis.mode_count import (
    MAX_POINTS,
    UndecidedError,
    edges_of_band,
    slowest_found,
    walk,
)
from faustwire_bridge.analysis.transfer import memory_samples, section_poles

# A mode slower than this, dying or growing, is marginal.
MARGIN_SECONDS = 3600.0
_LN_60_DB = math.log(1000.0)
# A decay time is exact when it lies between bounds this close.
_EXACT_WITHIN = 1.02
# Intervals of frequency, from a glance to a close look.
_LOOKS = (1, 128, 1024)
_MAX_LOOKS = 12
_MAX_WALKS = 16
_CROWD = 64
_NUDGE = 1.003


class Verdict(Enum):
    """What becomes of a sound in the graph; ``UNDECIDED``: too large to be counted in time."""

    STABLE = "stable"
    MARGINAL = "marginal"
    UNSTABLE = "unstable"
    UNDECIDED = "undecided"


@dataclass(frozen=True)
class Stability:
    """A verdict and its figures.

    Attributes:
        verdict: of the whole graph.
        margin_db: by so much the gain around every recursion stays below one, at every frequency
            and whatever the delays are; the worst recursion. Below 0 it decides nothing. None:
            there is no recursion, or no bound on its gain.
        rt60_seconds: the slowest mode's decay by 60 dB, or a time it does not exceed; None where
            nothing rings, or nothing decays.
        rt60_exact: whether ``rt60_seconds`` is the slowest mode's to 2 %, not just a bound.
        growth_db_per_second: of the fastest growing mode, where known.
        path: of the recursion, or filter, that decided; "" where there is none.
        detail: one line for people.
    """

    verdict: Verdict
    margin_db: float | None
    rt60_seconds: float | None
    rt60_exact: bool
    growth_db_per_second: float | None
    path: str
    detail: str


@dataclass(frozen=True)
class _Part:
    """What is known of one recursion or filter; rates are −log|z| of its slowest mode.

    Attributes:
        slowest_rate: per sample, or less than that; negative: it grows.
        exact: whether it is the rate itself.
    """

    path: str
    verdict: Verdict
    margin_db: float | None
    slowest_rate: float | None
    exact: bool
    note: str


@np.errstate(all="ignore")  # what is not finite is looked for where it matters
def judge(
    graph: Node, *, fs: float, exact_decay: bool = False, max_points: int = MAX_POINTS
) -> Stability:
    """Judge a graph as it is, all knobs aside.

    Args:
        graph: one that ``faustwire.validation.check`` accepts.
        fs: sampling rate in Hz.
        exact_decay: find the slowest mode even where a bound on its decay is at hand. That costs a
            walk around the circle: seconds for long delays.
        max_points: how long to try, in points on a circle, before the verdict is undecided.

    Returns:
        The verdict.
    """
    margin = _LN_60_DB / (MARGIN_SECONDS * fs)
    parts = [
        _judge_loop(node, path, margin, exact_decay=exact_decay, max_points=max_points)
        if isinstance(node, Recursion)
        else _judge_filter(node, path, margin)
        for node, path in _ringing(graph, graph.name or graph.type)
    ]
    return _summary(parts, fs)


def _ringing(node: Node, path: str) -> Iterator[tuple[Recursion | SOS, str]]:
    """The outermost recursions, and the filters outside of them."""
    if isinstance(node, (Recursion, SOS)):
        yield node, path
    elif isinstance(node, (Series, Parallel)):
        for child in node.nodes:
            yield from _ringing(child, f"{path}.{child.name or child.type}")


def _judge_filter(node: SOS, path: str, margin: float) -> _Part:
    outermost = float(abs(section_poles(node)).max())
    rate = -math.log(outermost) if outermost else math.inf
    return _Part(
        path,
        _verdict(rate, margin),
        None,
        rate,
        exact=True,
        note="it has a pole outside the unit circle",
    )


def _verdict(rate: float, margin: float) -> Verdict:
    if abs(rate) <= margin:
        return Verdict.MARGINAL
    return Verdict.STABLE if rate > 0 else Verdict.UNSTABLE


def _judge_loop(
    loop: Recursion, path: str, margin: float, *, exact_decay: bool, max_points: int
) -> _Part:
    edges, contracts = _first_look(loop, margin)
    gain = _largest(loop, 0.0, edges)
    margin_db = -20 * math.log10(gain) if 0 < gain < math.inf else None
    glance = None
    if contracts:
        glance = _glanced(loop, path, margin, edges, margin_db)
        if glance is not None and (glance.exact or not exact_decay):
            return glance
    elif _gain(loop, margin, edges).low.min() > 1:
        note = "its gain is above one at every frequency"
        return _Part(path, Verdict.UNSTABLE, margin_db, None, exact=False, note=note)
    try:
        if glance is not None and glance.slowest_rate is not None:
            known = glance.slowest_rate
            rate, exact = _slowest_rate(loop, known, math.inf, margin, max_points)
            return replace(glance, slowest_rate=rate, exact=exact)
        return _counted(loop, path, margin, margin_db, max_points)
    except UndecidedError as error:
        undecided = _Part(path, Verdict.UNDECIDED, margin_db, None, exact=False, note=str(error))
        return glance or undecided


def _first_look(loop: Recursion, margin: float) -> tuple[Array, bool]:
    """(edges, whether they show that no mode grows): as few intervals as it takes."""
    for intervals in _LOOKS:
        edges = edges_of_band(intervals, loop)
        if _largest(loop, margin, edges) < 1:
            return edges, True
    return edges, False


def _gain(loop: Recursion, log_radius: float, edges: Array) -> LoopGain:
    try:
        return Band(log_radius, edges).loop_gain(loop)
    except np.linalg.LinAlgError:  # beyond what numbers can hold
        return LoopGain(np.zeros(1), np.full(1, np.inf))


def _largest(loop: Recursion, log_radius: float, edges: Array) -> float:
    largest = float(_gain(loop, log_radius, edges).high.max())
    return math.inf if math.isnan(largest) else largest


def _glanced(
    loop: Recursion, path: str, margin: float, edges: Array, margin_db: float | None
) -> _Part | None:
    """What bounds say of a loop in which no mode grows; None: nothing."""
    if _largest(loop, -margin, edges) < 1:
        if len(edges) == 2:  # enough for the verdict, coarse for the decay
            edges = edges_of_band(_LOOKS[1], loop)
        rate = _rate_bound(loop, margin, edges)
        beyond = -rate * _EXACT_WITHIN
        exact = math.isfinite(rate) and bool(_gain(loop, beyond, edges).low.min() > 1)
        return _Part(path, Verdict.STABLE, margin_db, rate, exact=exact, note="loop gain")
    if _gain(loop, -margin, edges).low.min() > 1:
        return _Part(path, Verdict.MARGINAL, margin_db, 0.0, exact=True, note="loop gain")
    return None


def _rate_bound(loop: Recursion, settled: float, edges: Array) -> float:
    """The largest rate at which the loop's gain stays below one: no mode decays more slowly.

    log gain rises with the rate and is nearly straight (Hadamard's three circles), so the false
    position, with the Illinois rule, takes a handful of looks.

    Args:
        loop: the recursion.
        settled: a rate at which the gain is known to be below one.
        edges: of the frequencies to look at.

    Returns:
        The rate per sample, infinite where the loop has no modes.
    """

    def log_gain(rate: float) -> float:
        gain = _largest(loop, -rate, edges)
        return math.log(gain) if gain > 0 else -math.inf

    low, at_low = settled, log_gain(settled)
    if at_low == -math.inf:  # nothing comes back
        return math.inf
    # As if the average line were the slowest: seldom far off.
    average_samples = max(memory_samples(loop) / channels(loop)[0], 1.0)
    high = max(4 * settled, -at_low / average_samples)
    while (at_high := log_gain(high)) < 0:
        low, at_low, high = high, at_high, 4 * high
        if high > _LN_60_DB:  # gone within a sample
            return math.inf
    weight_low, weight_high, at_last = at_low, at_high, 0.0
    for _ in range(_MAX_LOOKS):
        # Found to a percent; looks closer to an end than half of that gain nothing.
        nearest = 0.005 * low
        if high - low < 2 * nearest:
            break
        if math.isinf(weight_high) or math.isinf(weight_low):
            middle = math.sqrt(low * high)
        else:
            middle = (low * weight_high - high * weight_low) / (weight_high - weight_low)
        middle = min(max(middle, low + nearest), high - nearest)
        at_middle = log_gain(middle)
        # The end that stays a second time counts half, or it would stay for ever.
        if at_middle < 0:
            weight_high /= 1 + (weight_low == at_last)
            low, weight_low = middle, at_middle
        else:
            weight_low /= 1 + (weight_high == at_last)
            high, weight_high = middle, at_middle
        at_last = at_middle
    return low


def _counted(
    loop: Recursion, path: str, margin: float, margin_db: float | None, max_points: int
) -> _Part:
    """The verdict from walks around circles, and the slowest mode from where they were steep."""
    outside, candidate = _modes(loop, -margin, max_points)
    if outside:
        rate = candidate if candidate < 0 else None
        note = f"{outside} modes outside the unit circle"
        return _Part(path, Verdict.UNSTABLE, margin_db, rate, exact=False, note=note)
    rate, exact = _slowest_rate(loop, -margin, max(candidate, margin), margin, max_points)
    if rate < margin:
        note = "modes on the unit circle"
        return _Part(path, Verdict.MARGINAL, margin_db, 0.0, exact=True, note=note)
    return _Part(path, Verdict.STABLE, margin_db, rate, exact=exact, note="counted")


def _modes(loop: Recursion, rate: float, max_points: int) -> tuple[int, float]:
    """(how many modes are slower than a rate, the rate of the slowest found around there).

    A mode may sit right on the circle; it won't on one beside it.
    """
    try:
        walked = walk(loop, -rate, max_points=max_points)
        return walked.modes_outside, -slowest_found(walked)
    except UndecidedError as error:
        if not error.on_circle:
            raise
    walked = walk(loop, -rate * _NUDGE, max_points=max_points)
    return walked.modes_outside, -slowest_found(walked)


def _slowest_rate(
    loop: Recursion, known: float, candidate: float, margin: float, max_points: int
) -> tuple[float, bool]:
    """(the slowest rate, or less; whether it is the slowest); below the margin: marginal.

    Args:
        loop: without growing modes.
        known: no mode has a smaller rate.
        candidate: the rate of a mode, perhaps the slowest; infinite: none was found yet.
        margin: below this rate a mode counts as on the circle.
        max_points: of a walk.
    """
    crowded = False
    for _ in range(_MAX_WALKS):
        if known >= margin and candidate <= known * _EXACT_WITHIN:
            return candidate, True
        if candidate == math.inf:
            asked = 1.2 * known
        elif crowded:
            asked = math.sqrt(max(known, margin) * candidate)
        else:
            asked = candidate / _EXACT_WITHIN
        asked = max(asked, margin)
        if asked > _LN_60_DB:  # gone within a sample
            return math.inf, True
        outside, found = _modes(loop, asked, max_points)
        # From the midst of many modes, the search does not see the outermost.
        crowded = outside > _CROWD
        if not outside:
            known = asked
            # One that would be slower than the slowest is none.
            candidate = min(candidate, found if found >= known else math.inf)
        elif asked == margin:
            return 0.0, True
        elif found < asked:
            candidate = found
        else:
            candidate = math.sqrt(max(known, margin) * asked)
    return known, False


def _summary(parts: list[_Part], fs: float) -> Stability:
    """The worst part speaks for the graph."""
    if not parts:
        detail = "nothing in it rings"
        return Stability(Verdict.STABLE, None, None, True, None, "", detail)
    worst = min(parts, key=_badness)
    margins = [part.margin_db for part in parts if part.margin_db is not None]
    rate = worst.slowest_rate
    rt60 = growth = None
    if rate is not None and math.isfinite(rate):
        if worst.verdict is Verdict.STABLE:
            rt60 = _LN_60_DB / (rate * fs)
        elif worst.verdict is Verdict.UNSTABLE:
            growth = -rate * fs * 20 / math.log(10)
    margin_db = min(margins, default=None)
    detail = _detail(worst, margin_db, rt60, growth)
    return Stability(worst.verdict, margin_db, rt60, worst.exact, growth, worst.path, detail)


_ORDER = [Verdict.UNSTABLE, Verdict.UNDECIDED, Verdict.MARGINAL, Verdict.STABLE]


def _badness(part: _Part) -> tuple[int, float]:
    rate = 0.0 if part.slowest_rate is None else part.slowest_rate
    return _ORDER.index(part.verdict), rate


def _detail(worst: _Part, margin_db: float | None, rt60: float | None, growth: float | None) -> str:
    match worst.verdict:
        case Verdict.STABLE if rt60 is not None:
            said = "decays in" if worst.exact else "decays in at most"
            margin = f", loop gain {-margin_db:.3g} dB" if margin_db is not None else ""
            return f"{worst.path} {said} {rt60:.3g} s{margin}"
        case Verdict.STABLE:
            return f"{worst.path} rings out at once"
        case Verdict.MARGINAL:
            return f"{worst.path} neither decays nor grows: it rings for more than an hour"
        case Verdict.UNDECIDED:
            return f"{worst.path}: could not be told: {worst.note}"
        case Verdict.UNSTABLE:
            speed = f", by {growth:.3g} dB a second" if growth is not None else ""
            return f"{worst.path} grows{speed}: {worst.note}"
