"""Checks that every loop of a graph has a delay, without which it can't be computed."""

from __future__ import annotations

from functools import reduce
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from faustwire.errors import GraphError
from faustwire.graph import (
    FIR,
    SOS,
    Delay,
    DiagonalGain,
    Gain,
    Householder,
    Leaf,
    Node,
    Parallel,
    Recursion,
    Series,
    label,
    whole_samples,
)

Paths: TypeAlias = NDArray[np.bool_]


def check_loops(node: Node, path: str) -> None:
    """Check that each loop has a sample of delay.

    Only what is inside a recursion has to be followed.

    Args:
        node: of a graph whose shapes fit.
        path: where it is, for errors.

    Raises:
        GraphError: a loop without delay, with a channel that it goes through.
    """
    if isinstance(node, Recursion):
        _direct_paths(node, path)
    elif isinstance(node, (Series, Parallel)):
        for child in node.nodes:
            check_loops(child, f"{path}.{label(child)}")


def _direct_paths(node: Node, path: str) -> Paths:
    """Which inputs reach which outputs within the same sample: bool [n_out, n_in].

    A diagonal is kept as one dimension, because 4096 matrices of 256 x 256 would take long.

    A recursion in which such a path leads from a channel back to itself has a loop without delay.
    """
    match node:
        case Series():
            reach: Paths = _direct_paths(node.nodes[0], f"{path}.{label(node.nodes[0])}")
            for child in node.nodes[1:]:
                reach = _after(reach, _direct_paths(child, f"{path}.{label(child)}"))
            return reach
        case Parallel():
            branches = (_direct_paths(child, f"{path}.{label(child)}") for child in node.nodes)
            if node.join == "concatenate":
                return np.concatenate([_full(branch) for branch in branches])
            return reduce(_either, branches)
        case Recursion():
            forward = _direct_paths(node.forward, f"{path}.{label(node.forward)}")
            if not forward.any():  # In most reverberators the delays are here.
                check_loops(node.feedback, f"{path}.{label(node.feedback)}")
                return forward
            feedback = _direct_paths(node.feedback, f"{path}.{label(node.feedback)}")
            loop = _full(_after(feedback, forward))
            return _after(forward, _closed(loop, path)) if loop.any() else forward
        case _:
            return _leaf_paths(node)


def _full(paths: Paths) -> Paths:
    return np.diag(paths) if paths.ndim == 1 else paths


def _either(one: Paths, other: Paths) -> Paths:
    return one | other if one.ndim == other.ndim else _full(one) | _full(other)


def _after(first: Paths, then: Paths) -> Paths:
    """The paths through two nodes in series."""
    if first.ndim == 1:
        return then & first
    if then.ndim == 1:
        return then[:, None] & first
    # Sums of at most 256 ones are exact, and numbers multiply 20 times as fast as truth values.
    both: Paths = then.astype(np.float32) @ first.astype(np.float32) > 0
    return both


def _leaf_paths(node: Leaf) -> Paths:
    direct: Paths
    match node:
        case Gain():
            direct = node.matrix != 0
        case DiagonalGain():
            direct = node.gains != 0
        case Householder():
            direct = node.matrix != 0
        case Delay():
            # A fractional delay needs a whole sample as well: its filter has a first tap.
            direct = whole_samples(node.samples)[0] < 1
            if node.gains is not None:
                direct &= node.gains != 0
        case FIR():
            direct = node.taps[0] != 0
        case SOS():
            direct = (node.sections[:, 0] != 0).all(axis=0)
    return direct


def _closed(loop: Paths, path: str) -> Paths:
    """The sum I + L + L² + … over a loop's direct paths L; no channel may reach itself."""
    reach = loop | np.eye(len(loop), dtype=np.bool_)
    # (I + L)ⁿ has all of them, and squaring gets there in log2(n) steps.
    for _ in range(len(loop).bit_length()):
        before, reach = reach, _after(reach, reach)
        if np.array_equal(reach, before):
            break
    again = np.diagonal(_after(reach, loop))
    if not again.any():
        return reach
    channel = int(np.argmax(again))
    raise GraphError(
        path,
        f"a loop without delay through channel {channel}: put at least one sample of delay "
        "into the forward or the feedback path",
    )
