"""A graph as listeners hear it: through the plugin's channels, and counted from its first sound.

Only to be measured; programs are written from the graph itself.
"""

from __future__ import annotations

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
    label,
)
from faustwire_bridge.codegen.fitting import input_matrix, output_matrix


def through_plugin(graph: Node) -> Node:
    """Add what the plugin's two channels make of a model that has more.

    Its inputs are fed with the same two signals and its outputs summed, so that it may be louder
    than by itself: of 64 channels by up to 30 dB.

    Args:
        graph: a valid one.

    Returns:
        The graph between two matrices; itself where it has no more than two inputs and outputs.
    """
    n_in, n_out = channels(graph)
    nodes = [*(graph.nodes if isinstance(graph, Series) else (graph,))]
    feeds, sums = input_matrix(n_in), output_matrix(n_out)
    if feeds is not None:
        nodes.insert(0, Gain("plugin_inputs", feeds))
    if sums is not None:
        nodes.append(Gain("plugin_outputs", sums))
    return graph if feeds is None and sums is None else Series(label(graph), tuple(nodes))


def from_first_sound(graph: Node, log_radius: float) -> Node:
    """Undo the weight that a circle gives to what comes late, as far as nothing rings meanwhile.

    On |z| = r an impulse response is weighted by r⁻ᵗ. That is meant for what rings, and would hide
    an echo however loud. So delays and FIR filters outside of loops count in full, and each output
    of a loop from its first sound on.

    Args:
        graph: a valid one.
        log_radius: log |z| of the circle.

    Returns:
        A graph with larger gains, to be looked at on that circle only.
    """
    nodes = _undamped(graph, log_radius)
    return nodes[0] if len(nodes) == 1 else Series(label(graph), tuple(nodes))


def _undamped(node: Node, rate: float) -> list[Node]:
    match node:
        case Series():
            return [part for child in node.nodes for part in _undamped(child, rate)]
        case Parallel():
            branches = tuple(from_first_sound(child, rate) for child in node.nodes)
            return [Parallel(node.name, branches, node.join)]
        case Recursion():
            late = _arrivals(node, np.zeros(channels(node)[0]))
            late = np.where(np.isfinite(late), late, 0.0)
            return (
                [node, DiagonalGain("first_sound", np.exp(rate * late))] if late.any() else [node]
            )
        case Delay():
            gains = np.exp(rate * node.samples)
            return [Delay(node.name, node.samples, _product(gains, node.gains))]
        case FIR():
            weights = np.exp(rate * np.arange(len(node.taps)))
            return [FIR(node.name, node.taps * weights.reshape(-1, *[1] * (node.taps.ndim - 1)))]
        case _:
            return [node]


def _product(gains: Array, more: Array | None) -> Array:
    return gains if more is None else gains * more


def _arrivals(node: Node, at: Array) -> Array:
    """When each output is reached at the earliest, if the inputs are at some times, in samples.

    Args:
        node: of a valid graph.
        at: [n_in]; infinite: never.

    Returns:
        [n_out].
    """
    match node:
        case Series():
            for child in node.nodes:
                at = _arrivals(child, at)
            return at
        case Parallel():
            branches = [_arrivals(child, at) for child in node.nodes]
            return np.concatenate(branches) if node.join == "concatenate" else np.min(branches, 0)
        case Recursion():
            return _arrivals_of_loop(node, at)
        case _:
            return _through_leaf(node, at)


def _arrivals_of_loop(loop: Recursion, at: Array) -> Array:
    # What comes back may be the first to reach a channel; nothing comes before the beginning.
    while at.any():
        back = _arrivals(loop.feedback, _arrivals(loop.forward, at))
        if (back >= at).all():
            break
        at = np.minimum(at, back)
    return _arrivals(loop.forward, at)


def _through_leaf(leaf: Leaf, at: Array) -> Array:
    """Each path takes a time, or is none where its gain is zero."""
    match leaf:
        case Gain() | Householder():
            passes, times = leaf.matrix != 0, np.zeros(())
        case DiagonalGain():
            passes, times = leaf.gains != 0, np.zeros(())
        case Delay():
            times = leaf.samples
            passes = np.ones(times.shape, bool) if leaf.gains is None else leaf.gains != 0
        case FIR():
            nonzero = leaf.taps != 0
            passes, times = nonzero.any(axis=0), nonzero.argmax(axis=0)
        case SOS():
            passes, times = np.ones(leaf.sections.shape[2:], bool), np.zeros(())
    late = np.where(passes, at + times, np.inf)
    return late if late.ndim == 1 else np.asarray(late.min(axis=1))
