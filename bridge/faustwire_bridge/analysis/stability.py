"""Whether a graph is stable, and its slowest decay; exact, for any nesting of recursions.

Every mode counts, also one that reaches no output, since the program's state holds it. A mode z
decays by 60 dB in ln(1000) / (−ln|z|·fs) seconds. A mode that takes longer than an hour to decay or
to grow by 60 dB makes the graph marginal: the rounding of a lossless matrix trained in single
precision moves modes about as far.

First the gain around each outermost recursion is bounded (``loop_bounds``), which takes
microseconds and decides most models. For the others the modes are counted (``mode_count``).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from enum import Enum

import numpy as np

from faustwire.graph import SOS, Array, Node, Recursion, label
from faustwire_bridge.analysis.decay_rate import (
    EXACT_WITHIN,
    LN_60_DB,
    largest_gain,
    loop_gain,
    modes_slower_than,
    rate_bound,
    slowest_rate,
)
from faustwire_bridge.analysis.mode_count import MAX_POINTS, UndecidedError
from faustwire_bridge.analysis.mode_search import outermost_of_some
from faustwire_bridge.analysis.ringing import filter_rate, ringing
from faustwire_bridge.analysis.workload import edges_of_band

# A mode slower than this, decaying or growing, is marginal. In seconds at the rate of most plugins:
# what counts is how fast it grows there, whatever rate the worker states.
MARGIN_SECONDS = 3600.0
MARGIN_RATE = LN_60_DB / (MARGIN_SECONDS * 48_000)
# Intervals of frequency, from coarse to fine.
_INTERVALS = (1, 128, 1024)


class StabilityClass(Enum):
    """Whether a graph is stable; ``UNDECIDED``: its modes are too many to be counted in time."""

    STABLE = "stable"
    MARGINAL = "marginal"
    UNSTABLE = "unstable"
    UNDECIDED = "undecided"


@dataclass(frozen=True)
class Stability:
    """A verdict and its figures.

    Attributes:
        verdict: of the whole graph.
        margin_db: loop-gain margin in dB of the worst recursion, at every frequency and for any
            delays; inconclusive below 0. None: there is no recursion, or no bound on its gain.
        rt60_seconds: decay time by 60 dB of the slowest mode, or an upper bound on it; None where
            nothing rings, or nothing decays.
        rt60_exact: whether ``rt60_seconds`` is the decay time to 2 %, not only a bound.
        growth_db_per_second: of the fastest growing mode, where known.
        path: of the recursion, or filter, that decided; "" where there is none.
        detail: one line for people.
        proof: what decided, in a few words.
    """

    verdict: StabilityClass
    margin_db: float | None
    rt60_seconds: float | None
    rt60_exact: bool
    growth_db_per_second: float | None
    path: str
    detail: str
    proof: str


@dataclass(frozen=True)
class _Part:
    """What is known of one recursion or filter.

    Attributes:
        slowest_rate: −log|z| of its slowest mode, per sample, or a lower bound on it; negative:
            the mode grows.
        exact: whether it is the rate itself.
    """

    path: str
    verdict: StabilityClass
    margin_db: float | None
    slowest_rate: float | None
    exact: bool
    note: str


@np.errstate(all="ignore")  # values that are not finite are handled where they matter
def classify(
    graph: Node, *, fs: float, exact_decay: bool = False, max_points: int = MAX_POINTS
) -> Stability:
    """Decide whether a graph is stable, without the attenuation of any knob.

    Args:
        graph: one that ``faustwire.validation.check`` accepts.
        fs: sampling rate in Hz.
        exact_decay: find the slowest mode even where a bound on its decay is at hand. That costs a
            walk around the circle: seconds for long delays.
        max_points: on a circle; where more are needed the verdict is undecided.

    Returns:
        The verdict and its figures.
    """
    parts = [
        _classify_loop(node, path, MARGIN_RATE, exact_decay=exact_decay, max_points=max_points)
        if isinstance(node, Recursion)
        else _classify_filter(node, path, MARGIN_RATE)
        for node, path in ringing(graph, label(graph))
    ]
    return _summary(parts, fs)


@np.errstate(all="ignore")  # values that are not finite bound nothing
def contracts(graph: Node) -> bool:
    """Tell whether each recursion's gain is bounded so that no mode grows, whatever its phases.

    The bound rises with the gain of each delay: of a graph whose delays have less gain it then
    holds, too.

    Args:
        graph: one that ``faustwire.validation.check`` accepts.

    Returns:
        Whether that is known; False: it takes more than a bound to decide.
    """
    loops = [node for node, _ in ringing(graph, "") if isinstance(node, Recursion)]
    return all(_coarsest_edges(loop, MARGIN_RATE)[1] for loop in loops)


def _classify_filter(node: SOS, path: str, margin: float) -> _Part:
    rate = filter_rate(node)
    verdict = _verdict(rate, margin)
    note = f"{_POLES[verdict]} the unit circle"
    return _Part(path, verdict, None, rate, exact=True, note=note)


# Where the outermost pole of a filter lies.
_POLES = {
    StabilityClass.STABLE: "it has all poles inside",
    StabilityClass.MARGINAL: "it has a pole on",
    StabilityClass.UNSTABLE: "it has a pole outside",
}


def _verdict(rate: float, margin: float) -> StabilityClass:
    if abs(rate) <= margin:
        return StabilityClass.MARGINAL
    return StabilityClass.STABLE if rate > 0 else StabilityClass.UNSTABLE


def _classify_loop(
    loop: Recursion, path: str, margin: float, *, exact_decay: bool, max_points: int
) -> _Part:
    edges, contracts = _coarsest_edges(loop, margin)
    gain = largest_gain(loop, 0.0, edges)
    margin_db = -20 * math.log10(gain) if 0 < gain < math.inf else None
    bounded = _bounded(loop, path, margin, edges, margin_db, contracts=contracts)
    if bounded is not None and (bounded.exact or not exact_decay):
        return bounded
    try:
        if bounded is None or bounded.slowest_rate is None:
            return bounded or _counted(loop, path, margin, margin_db, max_points)
        rate, exact = slowest_rate(loop, bounded.slowest_rate, math.inf, margin, max_points)
        return replace(bounded, slowest_rate=rate, exact=exact)
    except UndecidedError as error:
        return bounded or _searched(loop, path, margin, margin_db, str(error))


def _searched(
    loop: Recursion, path: str, margin: float, margin_db: float | None, problem: str
) -> _Part:
    """What some of the modes tell where they can't be counted: it grows, or nothing."""
    rate = -outermost_of_some(loop)
    if rate < -margin:
        note = "a mode outside the unit circle was found"
        return _Part(path, StabilityClass.UNSTABLE, margin_db, rate, exact=False, note=note)
    return _Part(path, StabilityClass.UNDECIDED, margin_db, None, exact=False, note=problem)


def _coarsest_edges(loop: Recursion, margin: float) -> tuple[Array, bool]:
    """(edges of as few intervals as it takes, whether they prove that no mode grows)."""
    for intervals in _INTERVALS:
        edges = edges_of_band(intervals, loop)
        if largest_gain(loop, margin, edges) < 1:
            return edges, True
    return edges, False


def _bounded(
    loop: Recursion,
    path: str,
    margin: float,
    edges: Array,
    margin_db: float | None,
    *,
    contracts: bool,
) -> _Part | None:
    """The verdict from bounds on the loop's gain; None: they are inconclusive."""
    if not contracts:
        if loop_gain(loop, margin, edges).low.min() <= 1:
            return None
        note = "its gain is above one at every frequency"
        return _Part(path, StabilityClass.UNSTABLE, margin_db, None, exact=False, note=note)
    if largest_gain(loop, -margin, edges) < 1:
        if len(edges) == 2:  # enough for the verdict, coarse for the decay
            edges = edges_of_band(_INTERVALS[1], loop)
        rate = rate_bound(loop, margin, edges)
        beyond = -rate * EXACT_WITHIN
        exact = math.isfinite(rate) and bool(loop_gain(loop, beyond, edges).low.min() > 1)
        note = "its gain is below one at every frequency"
        return _Part(path, StabilityClass.STABLE, margin_db, rate, exact=exact, note=note)
    if loop_gain(loop, -margin, edges).low.min() > 1:
        note = "its gain is one at every frequency"
        return _Part(path, StabilityClass.MARGINAL, margin_db, 0.0, exact=True, note=note)
    return None


def _counted(
    loop: Recursion, path: str, margin: float, margin_db: float | None, max_points: int
) -> _Part:
    """The verdict from the number of modes outside circles."""
    outside, candidate = modes_slower_than(loop, -margin, max_points)
    if outside:
        rate = candidate if candidate < 0 else None
        note = f"{outside} modes outside the unit circle"
        return _Part(path, StabilityClass.UNSTABLE, margin_db, rate, exact=False, note=note)
    rate, exact = slowest_rate(loop, -margin, max(candidate, margin), margin, max_points)
    if rate < margin:
        note = "modes on the unit circle"
        return _Part(path, StabilityClass.MARGINAL, margin_db, 0.0, exact=True, note=note)
    note = "every mode lies inside the unit circle: they were counted"
    return _Part(path, StabilityClass.STABLE, margin_db, rate, exact=exact, note=note)


def _summary(parts: list[_Part], fs: float) -> Stability:
    """The worst part speaks for the graph."""
    if not parts:
        detail = "nothing in it rings"
        return Stability(StabilityClass.STABLE, None, None, True, None, "", detail, detail)
    worst = min(parts, key=_badness)
    margins = [part.margin_db for part in parts if part.margin_db is not None]
    rate = worst.slowest_rate
    rt60 = growth = None
    if rate is not None and math.isfinite(rate):
        if worst.verdict is StabilityClass.STABLE:
            rt60 = LN_60_DB / (rate * fs)
        elif worst.verdict is StabilityClass.UNSTABLE:
            growth = -rate * fs * 20 / math.log(10)
    margin_db = min(margins, default=None)
    detail = _detail(worst, margin_db, rt60, growth)
    return Stability(
        worst.verdict, margin_db, rt60, worst.exact, growth, worst.path, detail, worst.note
    )


# The first of these that a part of a graph has is that of the whole.
WORST_FIRST = (
    StabilityClass.UNSTABLE,
    StabilityClass.UNDECIDED,
    StabilityClass.MARGINAL,
    StabilityClass.STABLE,
)


def _badness(part: _Part) -> tuple[int, float]:
    rate = 0.0 if part.slowest_rate is None else part.slowest_rate
    return WORST_FIRST.index(part.verdict), rate


def _detail(worst: _Part, margin_db: float | None, rt60: float | None, growth: float | None) -> str:
    match worst.verdict:
        case StabilityClass.STABLE if rt60 is not None:
            said = "decays in" if worst.exact else "decays in at most"
            margin = f", loop gain {-margin_db:.3g} dB" if margin_db is not None else ""
            return f"{worst.path} {said} {rt60:.3g} s{margin}"
        case StabilityClass.STABLE:
            return f"{worst.path} rings out at once"
        case StabilityClass.MARGINAL:
            return f"{worst.path} neither decays nor grows: it rings for more than an hour"
        case StabilityClass.UNDECIDED:
            return f"{worst.path}: could not be told: {worst.note}"
        case StabilityClass.UNSTABLE:
            speed = f", by {growth:.3g} dB a second" if growth is not None else ""
            return f"{worst.path} grows{speed}: {worst.note}"
