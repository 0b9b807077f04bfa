"""Bounds on a graph's level in the first moments, as tight as a limit asks for.

``peak_gain.level_db`` solves each loop at 160 points. Here the loops are gone round instead,
u ← x + B·F·u, from where the last graph of this shape left off: in a training that is close. What
is left of a step, r, bounds how far off it still is, by |r|/(1 − γ), where γ < 1 is the gain around
the loop at that point. So the bounds are right wherever it started; only the number of rounds
depends on it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from faustwire.graph import (
    FIR,
    SOS,
    Array,
    Delay,
    DiagonalGain,
    Gain,
    Householder,
    Leaf,
    Node,
    Parallel,
    Recursion,
    Series,
    channels,
    whole_samples,
)
from faustwire_bridge.analysis.circle_bounds import OpenError, matrix_norm
from faustwire_bridge.analysis.peak_gain import POINTS_AN_OCTAVE, level_points
from faustwire_bridge.analysis.played_graph import from_first_sound
from faustwire_bridge.analysis.point_factors import (
    Factor,
    gain_of,
    merged,
    passed,
    per_channel,
    turned,
)
from faustwire_bridge.analysis.remembered import remembered, remembered_of_leaf
from faustwire_bridge.analysis.transfer import Spectrum, constant, transfer

# Rounds before the bounds are looked at again, and how often: 16 rounds of 16 lines take as long as
# solving the loop.
_ROUNDS = 1
_LOOKS = 6
# Bounds so close are good enough: the lower one is what the next graph's jump is measured from.
_CLOSE_DB = 3.0
# Of loops that are remembered, and of numbers in each: 64 lines from two inputs.
_MAX_LOOPS = 8
_MAX_NUMBERS = 2**15


@dataclass(frozen=True)
class LevelBounds:
    """What is known of a level.

    Attributes:
        low_db: it is at least this; −inf: nothing is known.
        high_db: it is at most this.
    """

    low_db: float
    high_db: float


class _Signals(NamedTuple):
    """Signals at the points.

    Attributes:
        values: [channels, points, inputs].
        error: how far they may be off, at each point over all channels and inputs: [points].
    """

    values: Spectrum
    error: Array


class LevelEstimator:
    """Estimates levels, and begins where it has left off."""

    def __init__(self) -> None:
        # Of models as they are, and as a knob has turned them down.
        self._kept = (_Kept(), _Kept())

    @np.errstate(all="ignore")  # what overflows is not below any limit
    def bounds(
        self, graph: Node, *, fs: float, enough_db: float, turned: bool = False
    ) -> LevelBounds | None:
        """Bound the level of a graph.

        Args:
            graph: a valid one whose loops do not grow.
            fs: sampling rate in Hz.
            enough_db: an upper bound of this need not be improved.
            turned: whether it is like the last one that a knob had turned down, not like the last.

        Returns:
            The bounds; None: it takes less to compute the level itself.
        """
        points = level_points(fs)
        response = _Response(points, self._kept[turned])
        graph = from_first_sound(graph, points[0].real)
        found = None
        try:
            for _ in range(_LOOKS):
                found = response.level_bounds(graph)
                if found.high_db <= enough_db and found.high_db - found.low_db <= _CLOSE_DB:
                    break
        except OpenError:
            return None
        return found if found is not None and found.high_db <= enough_db else None


class _Kept:
    """What was computed for the last graphs, and fits others of their shape."""

    def __init__(self) -> None:
        self._solutions: dict[tuple[int, ...], Spectrum] = {}

    def solution(self, key: tuple[int, ...], otherwise: Spectrum) -> Spectrum:
        """Where to begin to solve a loop of this number and shape."""
        return self._solutions.get(key, otherwise)

    def keep_solution(self, key: tuple[int, ...], solution: Spectrum) -> None:
        """Remember where the solution of a loop is near."""
        if key not in self._solutions and len(self._solutions) >= _MAX_LOOPS:
            self._solutions.clear()
        if np.isfinite(solution).all():
            self._solutions[key] = solution
        else:
            self._solutions.pop(key, None)


class _Response:
    """The response of one graph at some points, computed by going round its loops."""

    def __init__(self, points: Spectrum, kept: _Kept) -> None:
        self._points, self._kept = points, kept
        self._factors: dict[int, list[Factor]] = {}
        self._loops = 0

    def level_bounds(self, graph: Node) -> LevelBounds:
        """Go round the loops a few times more, and bound the level.

        Raises:
            OpenError: there is no bound.
        """
        n_in = channels(graph)[0]
        count = len(self._points)
        values = np.repeat(np.eye(n_in, dtype=np.complex128)[:, None], count, axis=1)
        self._loops = 0
        found = self._through(graph, _Signals(values, np.zeros(count)))
        gains = np.sqrt((abs(found.values) ** 2).sum(axis=2))
        high = _loudest((gains + found.error) ** 2)
        low = _loudest(np.maximum(gains - found.error, 0.0) ** 2)
        if math.isnan(high) or math.isnan(low):
            raise OpenError
        return LevelBounds(_db(low), _db(high))

    def _through(self, node: Node, signals: _Signals) -> _Signals:
        match node:
            case Series():
                for child in node.nodes:
                    signals = self._through(child, signals)
                return signals
            case Parallel():
                return _joined(node, [self._through(child, signals) for child in node.nodes])
            case Recursion():
                return self._closed(node, signals)
            case _:
                factors = self._chain(node)
                return _Signals(passed(factors, signals.values), signals.error * gain_of(factors))

    def _closed(self, loop: Recursion, entering: _Signals) -> _Signals:
        """Solve y = F·u with u = x + B·y, by going round from where the last one ended."""
        self._loops += 1
        entered = entering.values
        key = (self._loops, *entered.shape)
        if entered.size > _MAX_NUMBERS:
            raise OpenError
        ahead, back = self._chain(loop.forward), self._chain(loop.feedback)
        around = merged([*ahead, *back])
        gain = gain_of(turned(around))
        if not np.all(gain < 1):
            raise OpenError
        u = self._kept.solution(key, entered)
        for _ in range(_ROUNDS):
            before, u = u, entered + passed(around, u)
        self._kept.keep_solution(key, u)
        step = np.sqrt(_power(u - before).sum(axis=(0, 2)))
        error = (gain * step + entering.error) / (1 - gain)
        return _Signals(passed(ahead, u), error * gain_of(ahead))

    def _chain(self, node: Node) -> list[Factor]:
        """What stands inside a loop, or a leaf, as factors in the order of the signal."""
        found = self._factors.get(id(node))
        if found is None:
            match node:
                case Series():
                    parts = [factor for child in node.nodes for factor in self._chain(child)]
                    found = merged(parts)
                case Parallel() | Recursion():
                    raise OpenError
                case _:
                    found = [_factor(node, self._points)]
            self._factors[id(node)] = found
        return found


@remembered_of_leaf
def _factor(leaf: Leaf, points: Spectrum) -> Factor:
    """What a leaf does at some points.

    Raises:
        OpenError: its delays are fractional.
    """
    match leaf:
        case Gain() | Householder():
            return Factor(constant(leaf), matrix_norm(leaf), "matrix")
        case DiagonalGain():
            return per_channel(leaf.gains[:, None])
        case Delay() if leaf.samples.ndim == 1:
            samples, fractional = whole_samples(leaf.samples)
            if fractional.any():
                raise OpenError
            values = _delayed(samples, points)
            return per_channel(values if leaf.gains is None else values * leaf.gains[:, None])
        case SOS() | FIR() | Delay():
            # As outside of loops: those with fractional delays were turned away.
            if isinstance(leaf, Delay) and whole_samples(leaf.samples)[1].any():
                raise OpenError
            values = transfer(leaf, points, trace=None)
            if values.ndim == 2:
                return per_channel(values.T)
            sums = abs(values).sum(axis=1).max(axis=1) * abs(values).sum(axis=2).max(axis=1)
            return Factor(values, np.sqrt(sums), "entries")


@remembered
def _delayed(samples: Array, points: Spectrum) -> Spectrum:
    """z⁻ᵐ at the points: [n, points]."""
    delays: Spectrum = np.exp(np.multiply.outer(samples, -points))
    return delays


def _joined(node: Parallel, branches: list[_Signals]) -> _Signals:
    values, errors = zip(*branches, strict=True)
    if node.join == "sum":
        return _Signals(np.asarray(sum(values)), np.asarray(sum(errors)))
    return _Signals(np.concatenate(values), np.asarray(sum(errors)))


def _power(values: Spectrum) -> Array:
    power: Array = values.real**2 + values.imag**2
    return power


def _loudest(powers: Array) -> float:
    """The mean of the loudest octave of the loudest output; ``powers`` [outputs, points]."""
    sums = powers.reshape(len(powers), -1, POINTS_AN_OCTAVE).sum(axis=2)
    return float(sums.max()) / POINTS_AN_OCTAVE


def _db(power: float) -> float:
    return 10 * math.log10(power) if power > 0 else -math.inf
