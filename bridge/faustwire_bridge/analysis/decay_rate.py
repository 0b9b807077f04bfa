"""How fast a loop decays: bounds on the rate of its slowest mode, and the rate itself.

A mode's rate is −log|z|, per sample: positive where it decays.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from faustwire.graph import Array, Recursion, channels
from faustwire_bridge.analysis.loop_bounds import Band, LoopGain
from faustwire_bridge.analysis.mode_count import UndecidedError, walk
from faustwire_bridge.analysis.mode_search import slowest_found
from faustwire_bridge.analysis.workload import memory_samples

LN_60_DB = math.log(1000.0)
# A decay time is exact when it lies between bounds this close.
EXACT_WITHIN = 1.02
_MAX_EVALUATIONS = 12
_MAX_WALKS = 16
_CROWD = 64
_NUDGE = 1.003


def loop_gain(loop: Recursion, log_radius: float, edges: Array) -> LoopGain:
    """Bound the gain once around a loop; without bounds where numbers overflow.

    Args:
        loop: the recursion.
        log_radius: log |z| of the circle.
        edges: [intervals + 1], of the intervals of frequency, in radians a sample.

    Returns:
        The bounds on each interval.
    """
    try:
        return Band(log_radius, edges).loop_gain(loop)
    except np.linalg.LinAlgError:  # beyond what numbers can hold
        return LoopGain(np.zeros(1), np.full(1, np.inf))


def largest_gain(loop: Recursion, log_radius: float, edges: Array) -> float:
    """Bound the gain once around a loop at every frequency.

    Args:
        loop: the recursion.
        log_radius: log |z| of the circle.
        edges: [intervals + 1], of the intervals of frequency, in radians a sample.

    Returns:
        The largest upper bound; infinite where there is none.
    """
    largest = float(loop_gain(loop, log_radius, edges).high.max())
    return math.inf if math.isnan(largest) else largest


def rate_bound(loop: Recursion, settled: float, edges: Array) -> float:
    """Find the largest rate at which the loop's gain stays below one: no mode decays more slowly.

    The logarithm of the gain is convex in the rate (Hadamard's three-circle theorem) and nearly
    straight, so the false-position method with the Illinois rule takes a handful of evaluations.

    Args:
        loop: the recursion.
        settled: a rate at which the gain is known to be below one.
        edges: of the intervals of frequency, in radians a sample.

    Returns:
        The rate per sample; infinite where the loop has no modes.

    Source:
        M. Dowell, P. Jarratt, "A modified regula falsi method for computing the root of an
        equation", BIT 11, 1971.
    """

    def log_gain(rate: float) -> float:
        gain = largest_gain(loop, -rate, edges)
        return math.log(gain) if gain > 0 else -math.inf

    low, at_low = settled, log_gain(settled)
    if at_low == -math.inf:  # nothing comes back
        return math.inf
    # As if the average line were the slowest: seldom far off.
    average_samples = max(memory_samples(loop) / channels(loop)[0], 1.0)
    high = max(4 * settled, -at_low / average_samples)
    while (at_high := log_gain(high)) < 0:
        low, at_low, high = high, at_high, 4 * high
        if high > LN_60_DB:  # gone within a sample
            return math.inf
    weight_low, weight_high, at_last = at_low, at_high, 0.0
    for _ in range(_MAX_EVALUATIONS):
        # Found to a percent; evaluations closer to an end than half of that gain nothing.
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


def modes_slower_than(loop: Recursion, rate: float, max_points: int) -> tuple[int, float]:
    """Count the modes that decay more slowly than a rate.

    Args:
        loop: the recursion.
        rate: per sample; where a mode has exactly this rate, a slightly larger one is taken.
        max_points: of a walk.

    Returns:
        (how many there are, the rate of the slowest mode found near that circle; infinite if none
        was found).

    Raises:
        UndecidedError: the walk takes more points than allowed.
    """
    try:
        walked = walk(loop, -rate, max_points=max_points)
        return walked.modes_outside, -slowest_found(walked)
    except UndecidedError as error:
        if not error.on_circle:
            raise
    walked = walk(loop, -rate * _NUDGE, max_points=max_points)
    return walked.modes_outside, -slowest_found(walked)


def slowest_rate(
    loop: Recursion, known: float, candidate: float, margin: float, max_points: int
) -> tuple[float, bool]:
    """Find the rate of the slowest mode.

    Args:
        loop: without growing modes.
        known: no mode has a smaller rate.
        candidate: the rate of a mode, perhaps the slowest; infinite: none was found yet.
        margin: below this rate a mode counts as on the circle.
        max_points: of a walk.

    Returns:
        (the rate, or a lower bound on it; whether it is the rate itself to 2 %). Below the margin
        the loop is marginal.

    Raises:
        UndecidedError: a walk takes more points than allowed.
    """
    search = _Search(known, candidate, margin)
    for _ in range(_MAX_WALKS):
        if search.is_done():
            return search.slowest, True
        asked = search.next_rate()
        try:
            outside, found = modes_slower_than(loop, asked, max_points)
        except UndecidedError as error:
            if asked == margin or not error.on_circle:
                raise
            search.ceiling = asked
            continue
        if not outside and asked == LN_60_DB:  # gone within a sample
            return math.inf, True
        if outside and asked == margin:
            return 0.0, True
        search.note(asked, outside, found)
    return search.known, False


@dataclass
class _Search:
    """Where the rate of the slowest mode can be.

    Attributes:
        known: no mode has a smaller rate.
        candidate: the rate of a mode, perhaps the slowest; infinite: no such mode was found.
        margin: below this rate nothing is looked for.
        above: some mode has a smaller rate.
        ceiling: a rate that can't be asked for: so far within, powers of z overflow.
        stride: the next step's factor where no mode was found yet.
        crowded: from the midst of many modes, the search does not see the outermost.
    """

    known: float
    candidate: float
    margin: float
    above: float = math.inf
    ceiling: float = math.inf
    stride: float = 1.2
    crowded: bool = False

    @property
    def slowest(self) -> float:
        """A rate that the slowest mode does not exceed."""
        return min(self.candidate, self.above)

    def is_done(self) -> bool:
        return self.known >= self.margin and self.slowest <= self.known * EXACT_WITHIN

    def next_rate(self) -> float:
        """The rate at which modes are counted next."""
        least = max(self.known, self.margin)
        if self.slowest == math.inf:
            rate = self.stride * self.known
        elif self.crowded or self.candidate == math.inf:
            rate = math.sqrt(least * self.slowest)
        else:
            rate = self.candidate / EXACT_WITHIN
        # A mode found far within says nothing of those between: they are counted, too.
        rate = min(rate, LN_60_DB)
        if rate >= self.ceiling:
            rate = math.sqrt(least * self.ceiling)
        return max(rate, self.margin)

    def note(self, asked: float, outside: int, found: float) -> None:
        """Take in how many modes are slower than the rate asked for, and the slowest found."""
        self.crowded = outside > _CROWD
        if not outside:
            self.known, self.stride = asked, min(self.stride**2, 1e6)
            # One that would be slower than the slowest is none.
            is_new = asked <= found < self.above
            self.candidate = min(self.candidate, found if is_new else math.inf)
        else:
            self.above = min(self.above, asked)
            self.candidate = found if found < asked else math.inf
