"""What graphs share whose responses can be compared: all but the values that a training moves."""

from __future__ import annotations

import numpy as np

from faustwire.graph import (
    FIR,
    SOS,
    Delay,
    Leaf,
    Node,
    Parallel,
    Recursion,
    Series,
    channels,
    children,
    whole_samples,
)
from faustwire_bridge.analysis.remembered import remembered_of_leaf


def layout(node: Node) -> tuple[object, ...]:
    """Tell how a graph is wired, which whole delays it has, and how large all else is.

    Unlike a program's structure it does not depend on which values happen to be zero or one.

    Args:
        node: of a valid graph.

    Returns:
        Equal for equal layouts.
    """
    match node:
        case Series() | Parallel() | Recursion():
            join = node.join if isinstance(node, Parallel) else ""
            return node.type, join, *map(layout, children(node))
        case _:
            return _of_leaf(node)


@remembered_of_leaf
def _of_leaf(node: Leaf) -> tuple[object, ...]:
    match node:
        case Delay():
            samples, fractional = whole_samples(node.samples)
            delays = np.where(fractional, -1.0, samples).tobytes()
            return node.type, samples.shape, delays, node.gains is None
        case FIR():
            return node.type, node.taps.shape
        case SOS():
            return node.type, node.sections.shape
        case _:
            return node.type, *channels(node)
