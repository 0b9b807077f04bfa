"""Where the rt60 knob of a model stands, and how the model plays there."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from faustwire.controls import Slider, neutral_above, placed
from faustwire.graph import Delay, Node, Parallel, Recursion, Series
from faustwire_bridge.analysis import stability

# Between the ends, evenly on a logarithmic scale: where paths of a loop cancel, a loop may grow at
# positions between two at which it decays.
_BETWEEN = 3
# Whether a model decays is decided for most by a bound; where its modes must be counted, so far.
_MAX_POINTS = 2**15
# They ring for ever or worse: there the knob stands where the reference puts it.
_LOSSLESS = (stability.StabilityClass.MARGINAL, stability.StabilityClass.UNSTABLE)


def knobs_of_model(
    graph: Node, controls: Mapping[str, Slider] | None, *, fs: float
) -> dict[str, Slider]:
    """The knobs of a program, each with the position at which it stands at first.

    Args:
        graph: one that ``faustwire.validation.check`` accepts.
        controls: the sliders asked for, by the control's name.
        fs: sampling rate in Hz.

    Returns:
        The same sliders. One that leaves its position to the model is at rest where the model
        decays by itself, so that the program sounds like the model until somebody turns the knob.
    """
    asked = controls or {}
    if all(slider.init is not None for slider in asked.values()):
        return placed(asked, decays=True)
    found = stability.classify(graph, fs=fs, max_points=_MAX_POINTS)
    return placed(asked, decays=found.verdict not in _LOSSLESS)


def rt60_positions(knob: Slider) -> list[float]:
    """Choose the positions of an rt60 knob at which a model is assessed.

    Args:
        knob: the slider, in seconds.

    Returns:
        Where it stands at first, unless it does nothing there, both ends, and some between, in
        seconds.
    """
    scale = np.geomspace(knob.min, knob.max, _BETWEEN + 2).tolist()
    acts = knob.init is not None and not (knob.neutral_end and knob.init >= neutral_above(knob))
    return [*([knob.init] if acts else []), knob.min, knob.max, *scale[1:-1]]


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
