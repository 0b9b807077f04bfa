"""Upper bounds on the gain of a whole graph on circles of several radii, in closed form.

A cascade's largest gain on a circle has a closed form, a matrix has a norm, and for a loop with
gains f ahead and b back ‖(I − F·B)⁻¹·F‖ <= f/(1 − f·b). That is a dozen operations on small arrays
for all radii at once, and enough to pass most models: what it leaves open, the exact searches
decide. Each bound grows with the magnitude of every gain in the graph, so that it also holds for
any smaller ones, such as those that a knob has turned down.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from itertools import chain
from typing import TypeAlias

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
    whole_samples,
)
from faustwire_bridge.analysis.remembered import remembered_of_leaf
from faustwire_bridge.analysis.section_peaks import section_peaks
from faustwire_bridge.codegen.fractional import interpolator

# [radii or 1, n]: a gain for each channel, or [radii or 1]: a norm.
_Gains: TypeAlias = Array
_Chain: TypeAlias = list[_Gains]

# What rounding may take from a norm, relative.
_ROUNDING = 1e-12
# A matrix with MᵀM this close to the identity has its norm bounded by that.
_NEARLY_ORTHOGONAL = 1e-3


class OpenError(Exception):
    """A part has no bound in closed form."""


@dataclass(frozen=True)
class LoopBound:
    """A recursion that is in no other one.

    Attributes:
        loop: the recursion.
        gains: upper bound on the gain once around it: [radii].
    """

    loop: Recursion
    gains: Array


@np.errstate(all="ignore")  # what is not finite bounds nothing
def gain_bound(graph: Node) -> float:
    """Bound a graph's gain from above.

    Args:
        graph: a valid one that decays.

    Returns:
        An upper bound on its largest singular value at any frequency; infinite: bounds do not tell.
    """
    try:
        # No circle further out has more.
        bound = float(CircleBounds(np.zeros(1)).norm(graph)[0])
    except (OpenError, ArithmeticError, np.linalg.LinAlgError):
        return math.inf
    return math.inf if math.isnan(bound) else bound


@dataclass
class CircleBounds:
    """Bounds on circles of some radii.

    Attributes:
        log_radii: log |z| of the circles: [radii].
        loops: the outermost recursions that were met, in order.
    """

    log_radii: Array
    loops: list[LoopBound] = field(default_factory=list)

    def norm(self, graph: Node) -> Array:
        """Bound the largest singular value of a graph's transfer matrix.

        Args:
            graph: of a valid graph.

        Returns:
            [radii]; infinite where there is no bound.

        Raises:
            OpenError: a part has no bound in closed form.
        """
        whole = _overall(self._chain(graph, in_loop=False))
        return np.broadcast_to(whole, self.log_radii.shape)

    def around(self, loop: Recursion) -> Array:
        """Bound the gain once around a recursion.

        Args:
            loop: of a valid graph.

        Returns:
            [radii]; infinite where there is no bound.

        Raises:
            OpenError: a part has no bound in closed form.
        """
        ahead = self._chain(loop.forward, in_loop=True)
        back = self._chain(loop.feedback, in_loop=True)
        return np.broadcast_to(_overall(_turned(ahead + back)), self.log_radii.shape)

    def _chain(self, node: Node, *, in_loop: bool) -> _Chain:
        """A node as factors in the order of the signal; no two neighbours are of one kind."""
        match node:
            case Series():
                parts = [self._chain(child, in_loop=in_loop) for child in node.nodes]
                return _merged(list(chain.from_iterable(parts)))
            case Parallel():
                return [_joined(node, [self._chain(c, in_loop=in_loop) for c in node.nodes])]
            case Recursion():
                return [self._closed(node, in_loop=in_loop)]
            case _:
                return [self._leaf(node, in_loop=in_loop)]

    def _leaf(self, leaf: Leaf, *, in_loop: bool) -> _Gains:
        try:
            return _leaf_gains(leaf, self.log_radii)
        except OpenError:
            if not isinstance(leaf, Delay) or self.log_radii.any():
                raise
        return _entries(_fractional_gains(leaf, in_loop=in_loop))

    def _closed(self, loop: Recursion, *, in_loop: bool) -> _Gains:
        ahead = self._chain(loop.forward, in_loop=True)
        back = self._chain(loop.feedback, in_loop=True)
        factors = _turned(ahead + back)
        if len(factors) == 1 and factors[0].ndim == 2:
            gains, forward = factors[0], ahead[0]
        else:
            gains, forward = _overall(factors), _overall(ahead)
        if not in_loop:
            around = gains.max(axis=1) if gains.ndim == 2 else gains
            self.loops.append(LoopBound(loop, np.broadcast_to(around, self.log_radii.shape)))
        return np.where(gains < 1, forward / np.where(gains < 1, 1 - gains, 1.0), np.inf)


@remembered_of_leaf
def _leaf_gains(leaf: Leaf, log_radii: Array) -> _Gains:
    match leaf:
        case Gain() | Householder():
            return np.array([matrix_norm(leaf)])
        case DiagonalGain():
            return abs(leaf.gains)[None]
        case Delay():
            return _entries(_delays(leaf, log_radii))
        case FIR():
            powers = np.exp(np.multiply.outer(-log_radii, np.arange(len(leaf.taps))))
            return _entries(np.tensordot(powers, abs(leaf.taps), 1))
        case SOS():
            return _entries(section_peaks(leaf.sections, log_radii))


def _delays(leaf: Delay, log_radii: Array) -> Array:
    samples, fractional = whole_samples(leaf.samples)
    if fractional.any():
        raise OpenError
    gains = np.exp(np.multiply.outer(-log_radii, samples))
    return gains if leaf.gains is None else gains * abs(leaf.gains)


def _fractional_gains(leaf: Delay, *, in_loop: bool) -> Array:
    """On the unit circle; in loops fractions are delayed by allpasses, elsewhere interpolated."""
    gains = np.ones((1, *leaf.samples.shape))
    if not in_loop:
        for index in zip(*whole_samples(leaf.samples)[1].nonzero(), strict=True):
            weights = interpolator(float(leaf.samples[index]))[1]
            line = (0, *index)
            gains[line] = np.abs(weights).sum()
    return gains if leaf.gains is None else gains * abs(leaf.gains)


@remembered_of_leaf
def matrix_norm(leaf: Gain | Householder) -> float:
    """Bound the largest singular value of a matrix.

    Args:
        leaf: the matrix.

    Returns:
        The bound: the value itself, but for rounding, and for matrices that are nearly orthogonal
        exact to their deviation from it.
    """
    if isinstance(leaf, Householder):
        size = float(leaf.vector @ leaf.vector)
        return max(abs(1 - 2 * size), 1.0) * (1 + _ROUNDING)
    matrix = leaf.matrix
    if min(matrix.shape) == 1:
        return float(np.sqrt(np.vdot(matrix, matrix))) * (1 + _ROUNDING)
    if matrix.shape[0] > matrix.shape[1]:
        matrix = matrix.T
    square = matrix @ matrix.T
    if abs(square[0, 0] - 1) < _NEARLY_ORTHOGONAL:
        square.flat[:: len(square) + 1] -= 1.0
        off = float(np.sqrt(np.vdot(square, square)))
        if off < _NEARLY_ORTHOGONAL:
            return float(np.sqrt(1 + off)) * (1 + _ROUNDING)
    return float(np.linalg.norm(matrix, 2)) * (1 + _ROUNDING)


def _entries(gains: Array) -> _Gains:
    """Of single transfer functions, per channel or per matrix entry."""
    if gains.ndim == 2:
        return gains
    # Schur's test: ‖H‖² <= (largest row sum)·(largest column sum).
    norm: Array = np.sqrt(gains.sum(axis=1).max(axis=1) * gains.sum(axis=2).max(axis=1))
    return norm


def _merged(factors: _Chain) -> _Chain:
    """Neighbours of one kind made one."""
    merged: _Chain = []
    for factor in factors:
        if merged and merged[-1].ndim == factor.ndim:
            merged[-1] = merged[-1] * factor
        else:
            merged.append(factor)
    return merged


def _turned(factors: _Chain) -> _Chain:
    """The factors of a loop, begun elsewhere if that makes neighbours of one kind."""
    factors = _merged(factors)
    if len(factors) > 1 and factors[0].ndim == factors[-1].ndim:
        return _merged([*factors[1:], factors[0]])
    return factors


def _overall(factors: _Chain) -> Array:
    """The norm of a chain: [radii or 1]."""
    norms = [factor.max(axis=1) if factor.ndim == 2 else factor for factor in factors]
    total = norms[0]
    for norm in norms[1:]:
        total = total * norm
    return total


def _joined(node: Parallel, branches: list[_Chain]) -> _Gains:
    if node.join == "sum" and all(len(one) == 1 and one[0].ndim == 2 for one in branches):
        return np.asarray(sum(one[0] for one in branches))
    norms = [_overall(branch) for branch in branches]
    if node.join == "sum":
        return np.asarray(sum(norms))
    return np.asarray(np.sqrt(np.asarray(sum(norm**2 for norm in norms))))
