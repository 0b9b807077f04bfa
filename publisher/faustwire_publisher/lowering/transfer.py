"""The transfer matrices of a graph, at a few frequencies."""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from faustwire import graph
from faustwire.graph import Node

Response: TypeAlias = NDArray[np.complex128]
"""[frequencies, channels], or [frequencies, n_out, n_in]."""


def transfer(node: Node, delay: Response) -> Response:
    """The transfer matrices of a graph.

    Args:
        node: the graph.
        delay: z⁻¹, the transfer function of one sample of delay, [frequencies].

    Returns:
        [frequencies, n_out, n_in].
    """
    match node:
        case graph.Series():
            result = transfer(node.nodes[0], delay)
            for part in node.nodes[1:]:
                result = transfer(part, delay) @ result
            return result
        case graph.Parallel():
            branches = [transfer(branch, delay) for branch in node.nodes]
            return sum(branches[1:], branches[0]) if node.join == "sum" else np.hstack(branches)
        case graph.Recursion():
            forward, back = transfer(node.forward, delay), transfer(node.feedback, delay)
            loop = forward @ back
            solved: Any = np.linalg.solve(np.eye(loop.shape[-1]) - loop, forward)
            return np.asarray(solved, dtype=np.complex128)
    return _leaf(node, delay)


def _leaf(node: graph.Leaf, delay: Response) -> Response:
    entries: Any
    match node:
        case graph.Gain() | graph.Householder():
            matrix = node.matrix
            entries = np.broadcast_to(matrix, (len(delay), *matrix.shape))
        case graph.DiagonalGain():
            entries = np.broadcast_to(node.gains, (len(delay), *node.gains.shape))
        case graph.Delay():
            late = np.power.outer(delay, node.samples)
            entries = late if node.gains is None else late * node.gains
        case graph.FIR():
            powers = np.power.outer(delay, np.arange(len(node.taps)))
            entries = np.tensordot(powers, node.taps, 1)
        case graph.SOS():
            powers = np.power.outer(delay, np.arange(3))
            b, a = (
                np.tensordot(powers, node.sections[:, part].swapaxes(0, 1), 1)
                for part in (slice(3), slice(3, 6))
            )
            entries = np.prod(b / a, axis=1)
    return _matrices(entries.astype(np.complex128))


def _matrices(entries: Response) -> Response:
    """[frequencies, n] on the diagonal; [frequencies, n_out, n_in] as they are."""
    if entries.ndim == 3:
        return entries
    return entries[:, :, None] * np.eye(entries.shape[1])
