"""A graph as one state-space matrix, whose eigenvalues are its modes: the oracle for stability.

A delay is a shift register, a filter its direct form, a loop is closed by matrix algebra. Small
systems only: an eigenvalue costs the cube of the samples of delay.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import reduce

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
)
from faustwire_bridge.codegen.fractional import allpass


@dataclass(frozen=True)
class StateSpace:
    """x⁺ = a·x + b·u, y = c·x + d·u."""

    a: Array
    b: Array
    c: Array
    d: Array


def spectral_radius(graph: Node) -> float:
    """|z| of the slowest mode. Fractional delays may stand in loops only."""
    a = state_space(graph).a
    return float(abs(np.linalg.eigvals(a)).max()) if a.size else 0.0


def state_space(node: Node) -> StateSpace:
    """State-space form of a node."""
    match node:
        case Series():
            return reduce(_series, map(state_space, node.nodes))
        case Parallel():
            return _parallel(node.join, [state_space(child) for child in node.nodes])
        case Recursion():
            return _closed(state_space(node.forward), state_space(node.feedback))
        case _:
            return _leaf(node)


def block_diag(*blocks: Array) -> Array:
    """Block-diagonal matrix; blocks without rows or columns still take up their other side."""
    rows, columns = np.sum([block.shape for block in blocks], axis=0)
    whole = np.zeros((rows, columns))
    row = column = 0
    for block in blocks:
        whole[row : row + block.shape[0], column : column + block.shape[1]] = block
        row, column = row + block.shape[0], column + block.shape[1]
    return whole


def _static(matrix: Array) -> StateSpace:
    n_out, n_in = matrix.shape
    return StateSpace(np.zeros((0, 0)), np.zeros((0, n_in)), np.zeros((n_out, 0)), matrix)


def _series(first: StateSpace, second: StateSpace) -> StateSpace:
    corner = np.zeros((len(first.a), len(second.a)))
    return StateSpace(
        np.block([[first.a, corner], [second.b @ first.c, second.a]]),
        np.vstack([first.b, second.b @ first.d]),
        np.hstack([second.d @ first.c, second.c]),
        second.d @ first.d,
    )


def _parallel(join: str, branches: list[StateSpace]) -> StateSpace:
    a = block_diag(*(branch.a for branch in branches))
    b = np.vstack([branch.b for branch in branches])
    if join == "sum":
        c = np.hstack([branch.c for branch in branches])
        return StateSpace(a, b, c, np.sum([branch.d for branch in branches], axis=0))
    c = block_diag(*(branch.c for branch in branches))
    return StateSpace(a, b, c, np.vstack([branch.d for branch in branches]))


def _closed(forward: StateSpace, feedback: StateSpace) -> StateSpace:
    """From y = c·x + d·(u + v), v = c'·x' + d'·y."""
    solve = np.linalg.inv(np.eye(len(forward.d)) - forward.d @ feedback.d)
    # What goes into the forward path: v + u, in terms of both states and u.
    y = solve @ np.hstack([forward.c, forward.d @ feedback.c])
    v = feedback.d @ y + np.hstack([np.zeros((len(feedback.d), len(forward.a))), feedback.c])
    y_of_u = solve @ forward.d
    open_loop = block_diag(forward.a, feedback.a)
    return StateSpace(
        open_loop + np.vstack([forward.b @ v, feedback.b @ y]),
        np.vstack(
            [forward.b @ (np.eye(forward.b.shape[1]) + feedback.d @ y_of_u), feedback.b @ y_of_u]
        ),
        np.asarray(y, np.float64),
        y_of_u,
    )


def _leaf(node: Leaf) -> StateSpace:
    match node:
        case Gain():
            return _static(node.matrix)
        case DiagonalGain():
            return _static(np.diag(node.gains))
        case Householder():
            return _static(np.eye(len(node.vector)) - 2 * np.outer(node.vector, node.vector))
        case Delay():
            gains = np.ones_like(node.samples) if node.gains is None else node.gains
            filters = [
                _delay(float(m), float(g))
                for m, g in zip(node.samples.flat, gains.flat, strict=True)
            ]
            return _wired(filters, node.samples.shape)
        case FIR():
            shape = node.taps.shape[1:]
            taps = node.taps.reshape(len(node.taps), -1).T
            return _wired([_filter(b, np.ones(1)) for b in taps], shape)
        case SOS():
            shape = node.sections.shape[2:]
            cascades = np.moveaxis(node.sections.reshape(len(node.sections), 6, -1), -1, 0)
            return _wired(
                [reduce(_series, [_filter(s[:3], s[3:]) for s in cascade]) for cascade in cascades],
                shape,
            )


def _wired(filters: list[StateSpace], shape: tuple[int, ...]) -> StateSpace:
    """Single filters, per channel, or per matrix entry in rows of outputs."""
    a, b, c, d = (
        block_diag(*(getattr(one, key) for one in filters)) for key in ("a", "b", "c", "d")
    )
    if len(shape) == 1:
        return StateSpace(a, b, c, d)
    spread = np.tile(np.eye(shape[1]), (shape[0], 1))
    gather = np.kron(np.eye(shape[0]), np.ones((1, shape[1])))
    return StateSpace(a, b @ spread, gather @ c, gather @ d @ spread)


def _delay(samples: float, gain: float) -> StateSpace:
    if samples == round(samples):
        return _filter(np.array([*np.zeros(round(samples)), gain]), np.ones(1))
    steps, coefficients = allpass(samples)
    denominator = np.array([1.0, *coefficients])
    numerator = np.concatenate([np.zeros(steps), gain * denominator[::-1]])
    return _filter(numerator, denominator)


def _filter(b: Array, a: Array) -> StateSpace:
    """Direct form II: the state holds the past of the denominator's output."""
    order = max(len(b), len(a)) - 1
    b, a = (np.pad(p, (0, order + 1 - len(p))) for p in (b, a))
    if order == 0:
        return _static(b[None])
    shift = np.eye(order, k=-1)
    shift[0] = -a[1:]
    inlet = np.eye(order, 1)
    return StateSpace(shift, inlet, (b[1:] - b[0] * a[1:])[None], np.array([[b[0]]]))
