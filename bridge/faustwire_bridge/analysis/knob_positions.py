"""A model as it plays with its rt60 knob at some position."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from faustwire.controls import Slider
from faustwire.graph import Delay, Node, Parallel, Recursion, Series

# Between the ends, evenly on a logarithmic scale: where paths of a loop cancel, a loop may grow at
# positions between two at which it decays.
_BETWEEN = 3


def rt60_positions(knob: Slider) -> list[float]:
    """Choose the positions of an rt60 knob at which a model is assessed.

    Args:
        knob: the slider, in seconds.

    Returns:
        Its position at rest, both ends, and some between, in seconds.
    """
    scale = np.geomspace(knob.min, knob.max, _BETWEEN + 2).tolist()
    return [knob.init, knob.min, knob.max, *scale[1:-1]]


def attenuated(node: Node, *, fs: float, rt60_seconds: float, in_loop: bool = False) -> Node:
    """Attenuate each delay inside a recursion, as the program's rt60 knob does.

    Args:
        node: of a valid graph.
        fs: sampling rate in Hz.
        rt60_seconds: the knob's position.
        in_loop: whether the node stands inside a recursion.

    Returns:
        The same graph with delays of m samples in its loops times 10^(-3m/(fs·RT60)).
    """

    def inside(child: Node, *, loop: bool = in_loop) -> Node:
        return attenuated(child, fs=fs, rt60_seconds=rt60_seconds, in_loop=loop)

    match node:
        case Series() | Parallel():
            return replace(node, nodes=tuple(inside(child) for child in node.nodes))
        case Recursion():
            forward, feedback = inside(node.forward, loop=True), inside(node.feedback, loop=True)
            return replace(node, forward=forward, feedback=feedback)
        case Delay() if in_loop:
            factors = np.exp(-3 * math.log(10) * node.samples / (fs * rt60_seconds))
            gains = factors if node.gains is None else node.gains * factors
            return replace(node, gains=gains)
        case _:
            return node
