"""What single precision, in which the plugin computes, makes of a graph: overflow and cancellation.

Both follow from the gains of all paths added up without their signs. No signal exceeds its input
times that sum, so where it stays far below the largest float32, nothing overflows. And the rounding
of a sum is relative to its largest term, not to the sum: where large terms cancel in a loop, what
rounding adds with each pass can exceed what the loop loses.

What a path attenuates below the smallest float32 is gone, also where it is amplified again to
cancel something. So no path may amplify by as much as that takes.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable

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
    nodes_in,
)
from faustwire_bridge.analysis.filter_bounds import section_bounds
from faustwire_bridge.analysis.remembered import remembered_of_leaf
from faustwire_bridge.analysis.section_peaks import section_peaks
from faustwire_bridge.analysis.workload import memory_samples

# The largest float32 is 3.4e38: room for inputs beyond full scale and for the states of filters.
_HIGHEST_LEVEL = 1e34
# The smallest float32 of full precision is 1.2e-38: what is amplified by no more than this at one
# place of a path or at several has not vanished before, unless it was far below 24 bits then.
_HIGHEST_AMPLIFICATION = 1e25
# Half a unit in the last place of a float32, relative.
_ROUNDING = 2.0**-24
# Below this the terms of a sum are of the size of the sum: matrices of 256 channels reach 16.
_CANCELS_FROM = 1000.0
# What a closed inner loop is taken to amplify where its gains without signs give no bound.
_INNER_LOOP_GAIN = 1e3
_NEAREST_TO_ONE = 2.0**53
_LN_60_DB = math.log(1000.0)
_LARGE_CONSTANT = re.compile(r"[0-9]e\+(\d+)")
_LARGEST_EXPONENT = 37


def certainly_holds(graph: Node) -> bool:
    """Whether bounds alone show that nothing overflows or cancels in single precision.

    Args:
        graph: a valid one.

    Returns:
        True: ``overflow`` finds no level, and ``cancelling_loop`` nothing. False: they may.
    """
    bounds = _LevelBounds()
    bounds.through(graph, 1.0)
    return (
        bounds.highest <= _HIGHEST_LEVEL
        and bounds.around <= _CANCELS_FROM
        and _amplification(graph, _largest_unsigned) <= _HIGHEST_AMPLIFICATION
    )


def overflow(graph: Node, program: str) -> str | None:
    """Find a level or a constant that single precision can't hold.

    Args:
        graph: a valid one.
        program: its Faust text.

    Returns:
        What is too large; None: nothing.
    """
    exponents = [int(digits) for digits in _LARGE_CONSTANT.findall(program)]
    if max(exponents, default=0) > _LARGEST_EXPONENT:
        return f"a constant of 1e{max(exponents)}"
    levels = _Levels()
    with np.errstate(all="ignore"):
        levels.through(graph, 1.0)
        amplification = _amplification(graph, lambda leaf: float(_unsigned(leaf).max()))
    if not levels.highest <= _HIGHEST_LEVEL:
        return f"a level of {_shown_db(levels.highest)} on the way"
    if amplification <= _HIGHEST_AMPLIFICATION:
        return None
    return f"an amplification of {_shown_db(amplification)} of what was attenuated before"


def _shown_db(gain: float) -> str:
    return f"{20 * math.log10(min(gain, 1e300)):.0f} dB"


def _amplification(node: Node, largest: Callable[[Leaf], float]) -> float:
    """The product of all gains above one on any way through a node, once around its loops.

    Args:
        node: of a valid graph.
        largest: gives the largest gain of a leaf, or a bound on it.
    """
    match node:
        case Series():
            return math.prod(_amplification(child, largest) for child in node.nodes)
        case Parallel():
            return max(_amplification(child, largest) for child in node.nodes)
        case Recursion():
            return _amplification(node.forward, largest) * _amplification(node.feedback, largest)
        case _:
            return max(1.0, largest(node))


def cancelling_loop(graph: Node, *, fs: float, rt60_seconds: float | None) -> str | None:
    """Find a loop in which rounding adds more with each pass than the loop loses.

    Args:
        graph: a valid one whose modes do not grow in exact arithmetic.
        fs: sampling rate in Hz.
        rt60_seconds: its slowest decay, or an upper bound on it; None: nothing decays or rings.

    Returns:
        What cancels; None: nothing that matters.
    """
    loops = [node for node in nodes_in(graph) if isinstance(node, Recursion)]
    for loop in loops:
        with np.errstate(all="ignore"):
            levels = _Levels()
            around = levels.through(loop.feedback, 1.0) @ levels.through(loop.forward, 1.0)
        unsigned = float(np.nan_to_num(around.sum(axis=1), nan=np.inf).max())
        samples = memory_samples(loop) / channels(loop)[0]
        rate = 0.0 if rt60_seconds is None else _LN_60_DB / (rt60_seconds * fs)
        lost = -math.expm1(-rate * samples)
        if unsigned > _CANCELS_FROM and unsigned * _ROUNDING > lost:
            return f"gains of {_shown_db(unsigned)} that cancel in a loop"
    return None


class _Levels:
    """Adds up gains without signs, and keeps the highest level that a signal can reach.

    Attributes:
        highest: so far, for an input of full scale; infinite where numbers overflow.
    """

    def __init__(self) -> None:
        self.highest = 0.0

    def through(self, node: Node, level: float) -> Array:
        """The gains of a node without signs.

        Args:
            node: any of a valid graph.
            level: the highest at its inputs.

        Returns:
            [n_out, n_in], none of them negative.
        """
        match node:
            case Series():
                gains = np.eye(channels(node)[0])
                for child in node.nodes:
                    gains = self.through(child, level * _largest(gains)) @ gains
            case Parallel():
                branches = [self.through(child, level) for child in node.nodes]
                joined = np.concatenate(branches) if node.join == "concatenate" else sum(branches)
                gains = np.asarray(joined)
            case Recursion():
                gains = self._closed(node, level)
            case _:
                gains = _unsigned(node)
        reached = level * _largest(gains)
        self.highest = max(self.highest, math.inf if math.isnan(reached) else reached)
        return gains

    def _closed(self, loop: Recursion, level: float) -> Array:
        forward = self.through(loop.forward, level)
        around = self.through(loop.feedback, level * _largest(forward)) @ forward
        size = len(around)
        if _largest(around) < 1:
            closed = np.asarray(np.linalg.inv(np.eye(size) - around), np.float64)
        else:
            closed = np.eye(size) * _INNER_LOOP_GAIN
        return np.asarray(forward @ closed)


class _LevelBounds:
    """Upper bounds on what ``_Levels`` computes, with a number in place of each matrix.

    Attributes:
        highest: level, for an input of full scale.
        around: gain without signs around a loop.
    """

    def __init__(self) -> None:
        self.highest = 0.0
        self.around = 0.0

    def through(self, node: Node, level: float) -> float:
        """The largest gain of a node without signs, all inputs together; NaN: no bound.

        Args:
            node: any of a valid graph.
            level: the highest at its inputs.

        Returns:
            The bound.
        """
        match node:
            case Series():
                gain = 1.0
                for child in node.nodes:
                    gain *= self.through(child, level * gain)
            case Parallel():
                branches = [self.through(child, level) for child in node.nodes]
                gain = max(branches) if node.join == "concatenate" else sum(branches)
            case Recursion():
                gain = self._closed(node, level)
            case _:
                gain = _largest_unsigned(node)
        reached = level * gain
        # Also where one of the two is no number.
        if not reached <= self.highest:
            self.highest = math.inf if math.isnan(reached) else reached
        return gain

    def _closed(self, loop: Recursion, level: float) -> float:
        forward = self.through(loop.forward, level)
        around = self.through(loop.feedback, level * forward) * forward
        if not around <= self.around:
            self.around = math.inf if math.isnan(around) else around
        # From one on, what it bounds may still be below one, by as little as there are digits.
        return forward * (1 / (1 - around) if around < 1 else _NEAREST_TO_ONE)


@remembered_of_leaf
def _largest_unsigned(leaf: Leaf) -> float:
    """The largest gain of a leaf without signs, all inputs together."""
    match leaf:
        case Gain():
            gains = abs(leaf.matrix).sum(axis=1)
        case DiagonalGain():
            gains = abs(leaf.gains)
        case Householder():
            gains = 1 + 2 * abs(leaf.vector) * abs(leaf.vector).sum()
        case Delay() if leaf.gains is None:
            return 1.0 if leaf.samples.ndim == 1 else float(leaf.samples.shape[1])
        case Delay():
            assert leaf.gains is not None  # noqa: S101
            gains = _rows(abs(leaf.gains))
        case FIR():
            gains = _rows(abs(leaf.taps).sum(axis=0))
        case SOS():
            gains = _rows(section_peaks(leaf.sections, np.zeros(1))[0])
    return float(gains.max())


def _rows(gains: Array) -> Array:
    return gains if gains.ndim == 1 else gains.sum(axis=1)


def _largest(gains: Array) -> float:
    return float(gains.sum(axis=1).max(initial=0.0))


def _unsigned(leaf: Leaf) -> Array:
    match leaf:
        case Gain():
            return abs(leaf.matrix)
        case DiagonalGain():
            return np.diag(abs(leaf.gains))
        case Householder():
            reflected = 2 * np.outer(abs(leaf.vector), abs(leaf.vector))
            return np.asarray(np.eye(len(reflected)) + reflected)
        case Delay():
            return _matrix(np.ones_like(leaf.samples) if leaf.gains is None else abs(leaf.gains))
        case FIR():
            return _matrix(abs(leaf.taps).sum(axis=0))
        case SOS():
            # 1 − cos ω from 0 to Nyquist.
            whole_circle = np.array([0.0, 2.0])
            return _matrix(section_bounds(leaf.sections, 0.0, whole_circle)[1][0])


def _matrix(gains: Array) -> Array:
    return np.diag(gains) if gains.ndim == 1 else gains
