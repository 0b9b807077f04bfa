"""Bounds on the gain of a loop that hold whatever its delays do: rigorous, cheap, often enough.

A loop is a chain of per-channel filters and matrices, walked in a circle. A channel's filters are
bounded on an interval of frequencies by the largest values of their sections there, found in closed
form; matrices by their norm, after a scaling of the channels that the loop can't notice (E. E.
Osborne, "On pre-conditioning of matrices", J. ACM 7(4), 1960). A product below one means: no pole
of the closed loop on that part of the circle, for any phases (small gain). Where the smallest
gain of every part is above one instead, every pole lies outside.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

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
)
from faustwire_bridge.analysis.transfer import constant, whole_samples
from faustwire_bridge.codegen.fractional import allpass

# Grid points a tap of an FIR filter; see _fir.
_OVERSAMPLING = 8
_BALANCING_ROUNDS = 20


@dataclass(frozen=True)
class _Lines:
    """Per-channel magnitudes: [intervals or 1, n], each (smallest, largest)."""

    low: Array
    high: Array


@dataclass(frozen=True)
class _Matrix:
    """A constant matrix: [n_out, n_in]."""

    matrix: Array


@dataclass(frozen=True)
class _Norm:
    """Anything else: its singular values lie between these, [intervals or 1]."""

    low: Array
    high: Array


_Stage: TypeAlias = _Lines | _Matrix | _Norm


@dataclass(frozen=True)
class LoopGain:
    """The singular values of a loop, on each interval between two edges.

    Attributes:
        low: [intervals], some modes see no gain below: where it is above one all around, they lie
            outside the circle.
        high: [intervals], no mode sees more, after the best scaling found.
    """

    low: Array
    high: Array


class Band:
    """Intervals of frequency on a circle, and the bounds of nodes on them.

    Args:
        log_radius: log |z| of the circle.
        edges: [intervals + 1], rising, in radians a sample.
    """

    def __init__(self, log_radius: float, edges: Array) -> None:
        self._log_radius = log_radius
        # 1 − cos ω, from the sine: exact at low frequencies.
        self._edges = 2 * np.sin(edges / 2) ** 2

    def loop_gain(self, loop: Recursion) -> LoopGain:
        """The gain once around a loop."""
        stages = [*self._stages(loop.forward), *self._stages(loop.feedback)]
        stages = _merged(_turned(stages))
        low, high = _around(stages)
        count = len(self._edges) - 1
        return LoopGain(np.broadcast_to(low, count), np.broadcast_to(high, count))

    def _stages(self, node: Node) -> list[_Stage]:
        """The chain that a node is, in the order of the signal."""
        match node:
            case Series():
                return _merged([stage for child in node.nodes for stage in self._stages(child)])
            case Parallel():
                return [_parallel(node, [self._stages(child) for child in node.nodes])]
            case Recursion():
                return [_closed(self._stages(node.forward), self._stages(node.feedback))]
            case _:
                return [self._leaf(node)]

    def _leaf(self, leaf: Leaf) -> _Stage:
        match leaf:
            case Gain() | Householder():
                return _Matrix(constant(leaf))
            case DiagonalGain():
                return _lines(abs(leaf.gains)[None])
            case Delay():
                return _per_entry(*self._delay(leaf))
            case FIR():
                return _per_entry(*_fir(leaf.taps, self._log_radius))
            case SOS():
                return _per_entry(*self._sections(leaf.sections))

    def _delay(self, leaf: Delay) -> tuple[Array, Array]:
        samples, fractional = whole_samples(leaf.samples)
        low = high = np.exp(-self._log_radius * samples)
        if fractional.any():
            low, high = low.copy(), high.copy()
            for index in zip(*fractional.nonzero(), strict=True):
                bounds = _allpass_bounds(float(samples[index]), self._log_radius)
                low[index], high[index] = bounds
        gains = 1.0 if leaf.gains is None else abs(leaf.gains)
        return (low * gains)[None], (high * gains)[None]

    def _sections(self, sections: Array) -> tuple[Array, Array]:
        """(smallest, largest) of |H| on each interval: [intervals, ...channels]."""
        # On |z| = r a section is one on the unit circle with other coefficients.
        shrink = np.exp(-self._log_radius * np.array([0.0, 1, 2, 0, 1, 2]))
        shape = (1, 6) + (1,) * (sections.ndim - 2)
        coefficients = np.moveaxis(sections * shrink.reshape(shape), 1, 0)
        above, below = _squared(*coefficients[:3]), _squared(*coefficients[3:])
        low, high = _extremes(above, below, self._edges)
        # The small gain says nothing about a loop with a filter that is unstable by itself.
        a1, a2 = coefficients[4:]
        decays = (abs(a2) < 1) & (abs(a1) < 1 + a2)
        high = np.where(decays, high, np.inf)
        return np.sqrt(low.prod(axis=1)), np.sqrt(high.prod(axis=1))


def _lines(magnitudes: Array) -> _Lines:
    return _Lines(magnitudes, magnitudes)


def _per_entry(low: Array, high: Array) -> _Stage:
    """Bounds of single transfer functions, per channel or per matrix entry."""
    if high.ndim == 2:
        return _Lines(low, high)
    # Schur's test: ‖H‖² <= (largest row sum)·(largest column sum).
    norm = np.sqrt(high.sum(axis=1).max(axis=1) * high.sum(axis=2).max(axis=1))
    return _Norm(np.zeros_like(norm), norm)


def _merged(stages: list[_Stage]) -> list[_Stage]:
    """Neighbours of one kind made one."""
    merged: list[_Stage] = []
    for stage in stages:
        match merged[-1] if merged else None, stage:
            case _Lines() as before, _Lines():
                merged[-1] = _Lines(before.low * stage.low, before.high * stage.high)
            case _Matrix() as before, _Matrix():
                merged[-1] = _Matrix(stage.matrix @ before.matrix)
            case _Norm() as before, _Norm():
                merged[-1] = _Norm(before.low * stage.low, before.high * stage.high)
            case _:
                merged.append(stage)
    return merged


def _turned(stages: list[_Stage]) -> list[_Stage]:
    """Where a loop is opened does not matter: not between two neighbours of one kind."""
    if len(stages) > 2 and type(stages[0]) is type(stages[-1]):
        return [*stages[1:], stages[0]]
    return stages


def _bounds(stage: _Stage) -> tuple[Array, Array]:
    """(smallest, largest) singular value: [intervals or 1] each."""
    match stage:
        case _Lines():
            return stage.low.min(axis=1), stage.high.max(axis=1)
        case _Norm():
            return stage.low, stage.high
        case _Matrix():
            values = np.asarray(np.linalg.svd(stage.matrix, compute_uv=False), np.float64)
            n_out, n_in = stage.matrix.shape
            return values[-1:] if n_out == n_in else np.zeros(1), values[:1]


def _around(stages: list[_Stage]) -> tuple[Array, Array]:
    """(low, high) of a closed loop: [intervals or 1] each."""
    match stages:
        case [_Lines() as lines, _Matrix(matrix)] | [_Matrix(matrix), _Lines() as lines]:
            if matrix.shape[0] == matrix.shape[1]:
                return _mixed(matrix, lines)
    return _overall(stages)


def _mixed(matrix: Array, lines: _Lines) -> tuple[Array, Array]:
    """Of one matrix and the filters of its channels, by groups that loop among themselves.

    The modes of a triangular matrix are those of its diagonal: what a group sends on to others it
    never hears again.
    """
    low, high = np.zeros(1), np.zeros(1)
    for group in _groups(matrix):
        own = matrix[np.ix_(group, group)]
        filters = _Lines(lines.low[:, group], lines.high[:, group])
        least, most = _overall([filters, _Matrix(own)])
        if len(group) > 1:
            most = np.minimum(most, _scaled_high(own, filters))
        low, high = np.maximum(low, least.min()), np.maximum(high, most)
    return low, high


def _groups(matrix: Array) -> list[NDArray[np.intp]]:
    """The channels that reach each other, group by group (strongly connected components)."""
    reach = matrix != 0
    if not reach.all():
        reach = reach | np.eye(len(matrix), dtype=np.bool_)
        for _ in range(len(matrix).bit_length()):
            reach = reach @ reach
    mutual = reach & reach.T
    return [row.nonzero()[0] for k, row in enumerate(mutual) if row.any() and row.argmax() == k]


def _overall(stages: list[_Stage]) -> tuple[Array, Array]:
    low, high = np.ones(1), np.ones(1)
    for stage in stages:
        smallest, largest = _bounds(stage)
        low, high = low * smallest, high * largest
    return low, high


def _parallel(node: Parallel, branches: list[list[_Stage]]) -> _Stage:
    if node.join == "sum" and all(
        len(branch) == 1 and isinstance(branch[0], _Lines) for branch in branches
    ):
        total = sum(branch[0].high for branch in branches if isinstance(branch[0], _Lines))
        high = np.asarray(total)
        return _Lines(np.zeros_like(high), high)
    norms = [_overall(branch)[1] for branch in branches]
    if node.join == "sum":
        norm = np.asarray(sum(norms))
    else:
        norm = np.sqrt(np.asarray(sum(value**2 for value in norms)))
    return _Norm(np.zeros_like(norm), norm)


def _closed(forward: list[_Stage], feedback: list[_Stage]) -> _Stage:
    """‖(I − F·B)⁻¹·F‖ <= f/(1 − f·b); where that says nothing, infinity."""
    diagonal = [stage for stage in (*forward, *feedback) if isinstance(stage, _Lines)]
    if len(forward) == len(feedback) == 1 and len(diagonal) == 2:
        ahead, loop = diagonal[0].high, diagonal[0].high * diagonal[1].high
    else:
        ahead = _overall(forward)[1]
        loop = _overall([*forward, *feedback])[1]
    with np.errstate(divide="ignore", invalid="ignore"):
        high = np.where(loop < 1, ahead / (1 - loop), np.inf)
    low = np.zeros_like(high)
    return _Lines(low, high) if high.ndim == 2 else _Norm(low, high)


def _scaled_high(matrix: Array, lines: _Lines) -> Array:
    """A bound of ‖D·M·diag(h)·D⁻¹‖ over the intervals, by one scaling D for all: [intervals or 1].

    Balanced with the loudest filters that there are, for their differences matter as well.
    """
    loudest = lines.high.max(axis=0)
    if not ((loudest > 0) & (loudest < np.inf)).all():
        return np.full(1, np.inf)
    scale = _balancing(matrix * loudest)
    balanced = scale[:, None] * matrix / scale
    whole = np.linalg.norm(balanced * loudest, 2)
    apart: Array = np.linalg.norm(balanced, 2) * lines.high.max(axis=1)
    return np.minimum(apart, whole)


def _balancing(matrix: Array) -> Array:
    """D, [n], that makes each row of D·M·D⁻¹ as long as its column."""
    squares = matrix**2
    np.fill_diagonal(squares, 0.0)
    scale = np.ones(len(matrix))
    for _ in range(_BALANCING_ROUNDS):
        rows, columns = squares.sum(axis=1), squares.sum(axis=0)
        if not (rows > 0).all() or not (columns > 0).all():
            return np.ones(len(matrix))
        # Half the way, for all channels change at once.
        step = (columns / rows) ** 0.125
        if abs(step - 1).max() < 1e-4:
            break
        scale *= step
        squares = squares * step[:, None] ** 2 / step**2
    return scale


def _allpass_bounds(samples: float, log_radius: float) -> tuple[float, float]:
    """(smallest, largest) of |H| of a fractional delay in a loop, on a circle.

    An allpass is a product of z ↦ (1 − p̄z)/(z − p), whose magnitude on |z| = r is largest, or
    smallest, where z and p are in line.
    """
    steps, coefficients = allpass(samples)
    low = high = np.exp(-log_radius * steps)
    radius = np.exp(log_radius)
    for pole in abs(np.roots([1.0, *coefficients])):
        if pole >= min(radius, 1.0):
            return 0.0, np.inf
        ends = (1 - pole * radius) / (radius - pole), (1 + pole * radius) / (radius + pole)
        low, high = low * abs(min(ends)), high * abs(max(ends))
    return float(low), float(high)


def _fir(taps: Array, log_radius: float) -> tuple[Array, Array]:
    """(smallest, largest) of |H| over the whole circle: [1, ...channels].

    Between the points of a grid of K, |H|², a cosine sum of order n, stays below the largest value
    on the grid by 1/cos(πn/K) (H. Ehlich, K. Zeller, "Schwankung von Polynomen zwischen
    Gitterpunkten", Math. Zeitschrift 86, 1964).
    """
    order = len(taps) - 1
    shape = (-1,) + (1,) * (taps.ndim - 1)
    weighted = taps * np.exp(-log_radius * np.arange(order + 1)).reshape(shape)
    alone = np.count_nonzero(taps, axis=0) <= 1
    size = 2 ** int(np.ceil(np.log2(2 * _OVERSAMPLING * max(order, 1))))
    peak = abs(np.fft.rfft(weighted, size, axis=0)).max(axis=0)
    peak = peak / np.sqrt(np.cos(np.pi * order / size))
    high = np.where(alone, abs(weighted).sum(axis=0), peak)
    return np.where(alone, high, 0.0)[None], high[None]


def _squared(c0: Array, c1: Array, c2: Array) -> tuple[Array, Array, Array]:
    """|c0 + c1/z + c2/z²|² on the unit circle as p0 + p1·x + p2·x², where x = 1 − cos ω."""
    second = 4 * c0 * c2
    first = 2 * c1 * (c0 + c2)
    return (c0 + c1 + c2) ** 2, -(first + 2 * second), second


def _extremes(
    above: tuple[Array, Array, Array], below: tuple[Array, Array, Array], edges: Array
) -> tuple[Array, Array]:
    """(smallest, largest) of the ratio of two quadratics in x between each two edges.

    Returns:
        [intervals, ...channels] each. Both ends, and where the slope is zero, are all there is.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        at_edges = _ratio(above, below, edges)
        low = np.minimum(at_edges[:-1], at_edges[1:])
        high = np.maximum(at_edges[:-1], at_edges[1:])
        for turning in _turning_points(above, below):
            inside = (turning > edges[0]) & (turning < edges[-1])
            value = _ratio(above, below, turning[None])[0]
            interval = np.clip(np.searchsorted(edges, turning) - 1, 0, len(edges) - 2)
            where = (interval[inside], *inside.nonzero())
            low[where] = np.minimum(low[where], value[inside])
            high[where] = np.maximum(high[where], value[inside])
    # 0/0, a pole under a zero on the circle, says nothing.
    return np.where(np.isnan(low), 0.0, low), np.where(np.isnan(high), np.inf, high)


def _ratio(above: tuple[Array, Array, Array], below: tuple[Array, Array, Array], x: Array) -> Array:
    """[len(x), ...channels]; x is [points], or has the channels' shape behind."""
    if x.ndim == 1:
        x = x.reshape((-1,) + (1,) * above[0].ndim)
    ratio: Array = _at(above, x) / _at(below, x)
    return ratio


def _at(p: tuple[Array, Array, Array], x: Array) -> Array:
    # Rounding can take a square below zero.
    value: Array = np.maximum(p[0] + x * (p[1] + x * p[2]), 0.0)
    return value


def _turning_points(
    above: tuple[Array, Array, Array], below: tuple[Array, Array, Array]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Where N'D − ND' = c0 + c1·x + c2·x² is zero; outside [0, 2] where there is no such point."""
    c0 = above[1] * below[0] - above[0] * below[1]
    c1 = 2 * (above[2] * below[0] - above[0] * below[2])
    c2 = above[2] * below[1] - above[1] * below[2]
    root = np.sqrt(np.maximum(c1**2 - 4 * c0 * c2, 0.0))
    # The numerically stable pair: no difference of nearly equal numbers.
    half = -(c1 + np.copysign(root, c1)) / 2
    first, second = half / c2, c0 / half
    return np.nan_to_num(first, nan=-1.0), np.nan_to_num(second, nan=-1.0)
