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
    whole_samples,
)
from faustwire_bridge.analysis.filter_bounds import allpass_bounds, fir_bounds, section_bounds
from faustwire_bridge.analysis.transfer import constant

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
    """Bounds on the singular values of a loop, on each interval between two edges.

    Attributes:
        low: [intervals], lower bound on the loop's singular values, of the worst group of channels
            that loop among themselves: where it is above one on all intervals, modes lie outside
            the circle.
        high: [intervals], upper bound on the loop's singular values, after the best scaling found.
    """

    low: Array
    high: Array


class Band:
    """Intervals of frequency on a circle, and bounds on the gain of nodes there.

    Args:
        log_radius: log |z| of the circle.
        edges: [intervals + 1], rising, in radians a sample.
    """

    def __init__(self, log_radius: float, edges: Array) -> None:
        self._log_radius = log_radius
        # 1 − cos ω, from the sine: exact at low frequencies.
        self._edges = 2 * np.sin(edges / 2) ** 2

    def loop_gain(self, loop: Recursion) -> LoopGain:
        """Bound the gain once around a loop.

        Args:
            loop: the recursion; its inner ones are bounded with it.

        Returns:
            The bounds on each interval.
        """
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
                return _per_entry(*fir_bounds(leaf.taps, self._log_radius))
            case SOS():
                return _per_entry(*section_bounds(leaf.sections, self._log_radius, self._edges))

    def _delay(self, leaf: Delay) -> tuple[Array, Array]:
        samples, fractional = whole_samples(leaf.samples)
        low = high = np.exp(-self._log_radius * samples)
        if fractional.any():
            low, high = low.copy(), high.copy()
            for index in zip(*fractional.nonzero(), strict=True):
                bounds = allpass_bounds(float(samples[index]), self._log_radius)
                low[index], high[index] = bounds
        gains = 1.0 if leaf.gains is None else abs(leaf.gains)
        return (low * gains)[None], (high * gains)[None]


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
    """Begin the circle elsewhere, so that stages of one kind are neighbours and can be merged."""
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
    """Bound a matrix with the filters of its channels, by groups that loop among themselves.

    A block-triangular matrix has the modes of its diagonal blocks: what a group sends to others
    does not return.
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
    """‖(I − F·B)⁻¹·F‖ <= f/(1 − f·b) where f·b < 1; elsewhere there is no bound: infinity."""
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
    """Bound ‖D·M·diag(h)·D⁻¹‖ on the intervals, with one scaling D for all: [intervals or 1].

    The scaling is found with each channel's largest filter gain, since the gains differ too.
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
