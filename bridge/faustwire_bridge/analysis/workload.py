"""How much there is to compute for a graph: its modes, the numbers at a point, its intervals."""

from __future__ import annotations

import math

import numpy as np

from faustwire.graph import (
    FIR,
    LEAVES,
    SOS,
    Array,
    Delay,
    Gain,
    Leaf,
    Node,
    Recursion,
    channels,
    leaves,
    nodes_in,
    whole_samples,
)
from faustwire_bridge.analysis.remembered import remembered_of_leaf
from faustwire_bridge.codegen.matrix_structure import kronecker

# Of a graph that is judged where it arrives: 32 dense lines, or 16 with ten filters each.
_SMALL_NODES = 48
_SMALL_WIDTH = 32**2
_SMALL_TAPS = 512
_SMALL_SUMS = 8
# Sections times intervals: bounds the memory.
_SECTIONS_AT_A_TIME = 2**20


def memory_samples(node: Node) -> float:
    """At most so many modes has a node: the order of the largest determinant in its delays.

    The sampling of a circle starts from it, since so many turns can the phase make.

    Args:
        node: of a valid graph.

    Returns:
        The bound, in samples.
    """
    return sum(map(_leaf_samples, leaves(node)))


@remembered_of_leaf
def _leaf_samples(leaf: Leaf) -> float:
    match leaf:
        case Delay():
            return float(_lines(leaf.samples))
        case FIR():
            return float(min(leaf.taps.shape[1:][0], leaf.taps.shape[-1]) * (len(leaf.taps) - 1))
        case SOS():
            return 2.0 * math.prod(leaf.sections.shape[2:]) * len(leaf.sections)
        case _:
            return 0.0


def width(node: Node) -> int:
    """The most numbers that one point needs in one array: channels in times out, or sections."""
    return max(map(_own_width, nodes_in(node)))


def _own_width(node: Node) -> int:
    sections = node.sections.size // 6 if isinstance(node, SOS) else 1
    n_in, n_out = channels(node)
    return max(sections, n_in * n_out)


def taps(node: Node) -> int:
    """How many products the FIR filters cost at one point."""
    return sum(leaf.taps.size for leaf in leaves(node) if isinstance(leaf, FIR))


def is_small(node: Node) -> bool:
    """Whether writing and bounding a graph takes a few milliseconds, whatever its values are.

    Args:
        node: of a valid graph.

    Returns:
        False: it may take longer.
    """
    nodes = [*nodes_in(node)]
    parts = [each for each in nodes if isinstance(each, LEAVES)]
    return (
        len(parts) <= _SMALL_NODES
        and max(map(_own_width, nodes)) <= _SMALL_WIDTH
        and sum(each.taps.size for each in parts if isinstance(each, FIR)) <= _SMALL_TAPS
        and all(map(_is_cheap, parts))
    )


def _is_cheap(leaf: Leaf) -> bool:
    match leaf:
        case Delay():
            # An interpolator, or an allpass, is a small system of equations.
            return not whole_samples(leaf.samples)[1].any()
        case Gain():
            # Sums of one magnitude are searched for what they share.
            row = {abs(gain) for gain in leaf.matrix[0].tolist()}
            one_magnitude = leaf.matrix.shape[1] > _SMALL_SUMS and len(row - {0.0}) <= 1
            return not one_magnitude or kronecker(leaf.matrix) is not None
        case _:
            return True


def edges_of_band(intervals: int, loop: Recursion) -> Array:
    """Edges from 0 to π, half of them by octaves, since filters live there: radians a sample.

    Args:
        intervals: how many to make at most; fewer where a wide recursion limits the memory.
        loop: the recursion whose gain is to be bounded on them.

    Returns:
        [edges], ascending, at most intervals + 1; 0 and π alone where there are fewer than four
        intervals.
    """
    intervals = min(intervals, max(1, _SECTIONS_AT_A_TIME // width(loop)))
    if intervals < 4:
        return np.array([0.0, np.pi])
    octaves = np.geomspace(1e-4, np.pi, intervals // 2 + 1)
    evenly = np.linspace(0.0, np.pi, intervals - intervals // 2 + 1)
    return np.unique(np.concatenate([octaves[:-1], evenly]))


def _lines(samples: Array) -> float:
    """The sum over the lines; of one per entry, the most that a determinant can gather."""
    if samples.ndim == 1:
        return float(samples.sum())
    return float(min(samples.max(axis=0).sum(), samples.max(axis=1).sum()))
