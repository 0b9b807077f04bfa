"""The parts of a graph that can ring, each of which is stable or not by itself."""

from __future__ import annotations

import math
from collections.abc import Iterator

from faustwire.graph import SOS, Node, Parallel, Recursion, Series, label
from faustwire_bridge.analysis.poles import outermost_pole


def ringing(node: Node, path: str) -> Iterator[tuple[Recursion | SOS, str]]:
    """Find what can ring: the outermost recursions, and the filters outside of them.

    Args:
        node: of a valid graph.
        path: its own.

    Yields:
        Each of them with its path.
    """
    if isinstance(node, (Recursion, SOS)):
        yield node, path
    elif isinstance(node, (Series, Parallel)):
        for child in node.nodes:
            yield from ringing(child, f"{path}.{label(child)}")


def filter_rate(leaf: SOS) -> float:
    """How fast a filter decays: −log|z| of its slowest mode, per sample; infinite: it has none."""
    outermost = outermost_pole(leaf)
    return -math.log(outermost) if outermost else math.inf
