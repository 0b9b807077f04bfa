"""What a graph does at points of the z-plane, as its program plays it.

Inside loops a fractional delay is the allpass of ``codegen.fractional``, outside it is the
interpolator; everything else is the node's own transfer function. Points are given by their
logarithm s = log z, so that delays of millions of samples keep their phase and filters their poles
near z = 1.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, TypeAlias

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
from faustwire_bridge.analysis.remembered import remembered
from faustwire_bridge.analysis.workload import width
from faustwire_bridge.codegen.fractional import allpass, interpolator

Spectrum: TypeAlias = NDArray[np.complexfloating[Any, Any]]

# 16 MiB of complex numbers in one array.
_NUMBERS_AT_A_TIME = 2**20
# So many points are not divided: one is not, however much it takes.
_FEW = 8
_LAST_DIGIT = 4e-16


@dataclass
class Trace:
    """What the modes of a graph are the zeros of, noted on the way through it.

    Attributes:
        loops: of each recursion, inner ones first, F·B or B·F: [points, n, n], or [points, n] where
            no channel meets another.
        denominators: of each filter: [points, filters], second-order sections and allpasses.
    """

    loops: list[Spectrum] = field(default_factory=list)
    denominators: list[Spectrum] = field(default_factory=list)


def circle(log_radius: float, angles: Array) -> Spectrum:
    """The points of a circle as s = log z.

    Args:
        log_radius: log |z|.
        angles: [points], in radians a sample.

    Returns:
        [points].
    """
    return log_radius + 1j * angles


def transfer(node: Node, s: Spectrum, *, in_loop: bool = False, trace: Trace | None) -> Spectrum:
    """The transfer matrix of a node.

    Args:
        node: of a valid graph.
        s: [points], log z.
        in_loop: whether the node stands inside a recursion.
        trace: gets the loops and the denominators.

    Returns:
        [points or 1, n_out, n_in], or [points or 1, n] where no channel meets another.
    """
    match node:
        case Series():
            total = transfer(node.nodes[0], s, in_loop=in_loop, trace=trace)
            for child in node.nodes[1:]:
                total = product(transfer(child, s, in_loop=in_loop, trace=trace), total)
            return total
        case Parallel():
            branches = [transfer(child, s, in_loop=in_loop, trace=trace) for child in node.nodes]
            return _joined(node, branches)
        case Recursion():
            forward = transfer(node.forward, s, in_loop=True, trace=trace)
            feedback = transfer(node.feedback, s, in_loop=True, trace=trace)
            if trace is not None:
                trace.loops.append(_smaller_loop(forward, feedback))
            return solved(product(forward, feedback), forward)
        case _:
            return _leaf(node, s, in_loop=in_loop, trace=trace)


def traced(loop: Recursion, s: Spectrum) -> Trace:
    """The trace of a recursion, without the work of closing it.

    Args:
        loop: the recursion, of a valid graph.
        s: [points], log z.

    Returns:
        Its loops and denominators, those of the recursions in it included.
    """
    trace = Trace()
    forward = transfer(loop.forward, s, in_loop=True, trace=trace)
    feedback = transfer(loop.feedback, s, in_loop=True, trace=trace)
    trace.loops.append(_smaller_loop(forward, feedback))
    return trace


def product(after: Spectrum, before: Spectrum) -> Spectrum:
    """The product after · before, of full and diagonal transfer matrices.

    Args:
        after: [points or 1, n_out, n], or [points or 1, n] of a diagonal one.
        before: [points or 1, n, n_in], or [points or 1, n] of a diagonal one.

    Returns:
        [points or 1, n_out, n_in], or [points or 1, n] where both are diagonal.
    """
    if after.ndim == 2:
        return after * before if before.ndim == 2 else after[:, :, None] * before
    return after * before[:, None, :] if before.ndim == 2 else after @ before


def full(transfer_matrix: Spectrum) -> Spectrum:
    """[points, n_out, n_in], also of a diagonal one."""
    if transfer_matrix.ndim == 3:
        return transfer_matrix
    return transfer_matrix[:, :, None] * np.eye(transfer_matrix.shape[1])


def batches(s: Spectrum, node: Node) -> list[Spectrum]:
    """The points in parts that bound the memory.

    Args:
        s: [points], log z.
        node: what is to be computed there.

    Returns:
        The parts in order, [points] each.
    """
    if len(s) <= _FEW:
        return [s]
    at_a_time = max(1, _NUMBERS_AT_A_TIME // width(node))
    return [s[start : start + at_a_time] for start in range(0, len(s), at_a_time)]


def _smaller_loop(forward: Spectrum, feedback: Spectrum) -> Spectrum:
    """F·B or B·F: det(I − F·B) = det(I − B·F)."""
    if forward.ndim == 3 and forward.shape[1] > forward.shape[2]:
        return product(feedback, forward)
    return product(forward, feedback)


def solved(loop: Spectrum, entering: Spectrum) -> Spectrum:
    """(I − loop)⁻¹ · entering; right on a mode, of a loop that is another by its last digit.

    Beyond what numbers can hold: infinite.

    Args:
        loop: [points or 1, n, n], or [points or 1, n] where no channel meets another.
        entering: [points or 1, n, n_in], or [points or 1, n] of a diagonal one.

    Returns:
        [points or 1, n, n_in], or [points or 1, n] where both are diagonal.
    """
    if loop.ndim == 2:
        gap: Spectrum = np.where(loop == 1, _LAST_DIGIT, 1 - loop)
        return product(1 / gap, entering)
    identity = np.eye(loop.shape[-1])
    entering = full(entering)
    for factor in (1.0, 1 + _LAST_DIGIT):
        with suppress(np.linalg.LinAlgError):
            closed: Spectrum = np.linalg.solve(identity - factor * loop, entering)
            return closed
    return np.full((len(loop), *entering.shape[1:]), np.inf + 0j)


def _joined(node: Parallel, branches: list[Spectrum]) -> Spectrum:
    if node.join == "sum":
        if any(branch.ndim == 3 for branch in branches):
            branches = [full(branch) for branch in branches]
        total = branches[0]
        for branch in branches[1:]:
            total = total + branch
        return total
    longest = max(len(branch) for branch in branches)
    widened = [np.broadcast_to(m, (longest, *m.shape[1:])) for m in map(full, branches)]
    return np.concatenate(widened, axis=1)


def _leaf(node: Leaf, s: Spectrum, *, in_loop: bool, trace: Trace | None) -> Spectrum:
    match node:
        case Gain() | DiagonalGain() | Householder():
            return np.asarray(constant(node)[None], dtype=np.complex128)
        case Delay():
            return _delays(node, s, in_loop=in_loop, trace=trace)
        case FIR():
            return _powers(s, np.arange(len(node.taps)), node.taps)
        case SOS():
            if trace is None:
                return _known_ratios(node.sections, s)
            ratios, below = _sections(node.sections, s)
            trace.denominators.append(below.reshape(len(s), -1))
            return ratios


def constant(node: Gain | DiagonalGain | Householder) -> Array:
    """The gains of a leaf: [n_out, n_in], or [n] of a diagonal one."""
    match node:
        case Gain():
            return node.matrix
        case DiagonalGain():
            return node.gains
        case Householder():
            return node.matrix


def _powers(s: Spectrum, exponents: Array | NDArray[np.int64], weights: Array) -> Spectrum:
    """Σ_k weights[k] · z^-exponents[k]: [points, *weights.shape[1:]]."""
    used = np.flatnonzero(weights.reshape(len(weights), -1).any(axis=1))
    total = np.zeros((len(s), *weights.shape[1:]), dtype=np.complex128)
    # Bounds the memory: a room's response has a hundred thousand taps.
    at_a_time = max(1, _NUMBERS_AT_A_TIME // len(s))
    for start in range(0, len(used), at_a_time):
        part = used[start : start + at_a_time]
        powers = np.exp(np.multiply.outer(-s, exponents[part]))
        total += np.tensordot(powers, weights[part], axes=1)
    return total


def _delays(node: Delay, s: Spectrum, *, in_loop: bool, trace: Trace | None) -> Spectrum:
    samples, fractional = whole_samples(node.samples)
    response: Spectrum = _turned(samples, s)
    if fractional.any():
        response = response.copy()
    for index in zip(*fractional.nonzero(), strict=True):
        line = (slice(None), *index)
        if in_loop:
            response[line], denominator = _allpass(float(samples[index]), s)
            if trace is not None:
                trace.denominators.append(denominator[:, None])
        else:
            first, weights = interpolator(float(samples[index]))
            response[line] = _powers(s, first + np.arange(len(weights)), np.array(weights))
    return response if node.gains is None else response * node.gains


@remembered
def _turned(samples: Array, s: Spectrum) -> Spectrum:
    """z⁻ᵐ: [points, ...samples]."""
    turned: Spectrum = np.exp(np.multiply.outer(-s, samples))
    return turned


def _allpass(samples: float, s: Spectrum) -> tuple[Spectrum, Spectrum]:
    """(H, denominator), both [points]."""
    steps, coefficients = allpass(samples)
    denominator = np.array([1.0, *coefficients])
    orders = np.arange(len(denominator))
    below = _powers(s, orders, denominator)
    return _powers(s, steps + orders, denominator[::-1]) / below, below


def _sections(sections: Array, s: Spectrum) -> tuple[Spectrum, Spectrum]:
    """The product of the sections, [points, ...channels], and their denominators."""
    b0, b1, b2, a0, a1, a2 = np.moveaxis(sections, 1, 0)
    one_minus = -np.expm1(-s).reshape((-1,) + (1,) * b0.ndim)
    below = _quadratic(a0, a1, a2, one_minus)
    return (_quadratic(b0, b1, b2, one_minus) / below).prod(axis=1), below


@remembered
def _known_ratios(sections: Array, s: Spectrum) -> Spectrum:
    return _sections(sections, s)[0]


def _quadratic(c0: Array, c1: Array, c2: Array, one_minus: Spectrum) -> Spectrum:
    """c0 + c1/z + c2/z², around z = 1, where the coefficients of low filters cancel."""
    value: Spectrum = (c0 + c1 + c2) - (c1 + 2 * c2) * one_minus + c2 * one_minus**2
    return value
