"""Where the rt60 knob of a model stands, and how the model plays there."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from faustwire.controls import Slider, neutral_above, placed
from faustwire.graph import FIR, SOS, Delay, Node, Parallel, Recursion, Series, whole_samples
from faustwire_bridge.analysis import stability
from faustwire_bridge.analysis.bounded import certainly_decays

# Over the whole range of the knob, evenly on a logarithmic scale, at most a third apart: where
# paths of a loop cancel, it may grow between two positions at which it decays.
_APART = 1.334
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
    known = knobs_by_bounds(graph, controls)
    if known is not None:
        return known
    found = stability.classify(graph, fs=fs, max_points=_MAX_POINTS)
    return placed(controls or {}, decays=found.verdict not in _LOSSLESS)


def knobs_by_bounds(graph: Node, controls: Mapping[str, Slider] | None) -> dict[str, Slider] | None:
    """The knobs of a program, as ``knobs_of_model`` gives them, if bounds tell where they stand.

    Args:
        graph: one that ``faustwire.validation.check`` accepts.
        controls: the sliders asked for, by the control's name.

    Returns:
        The same sliders, placed; None: bounds do not tell.
    """
    asked = controls or {}
    if all(slider.init is not None for slider in asked.values()) or certainly_decays(graph):
        return placed(asked, decays=True)
    return None


def rt60_positions(knob: Slider) -> list[float]:
    """Choose the positions of an rt60 knob at which a model is assessed.

    Args:
        knob: the slider, in seconds.

    Returns:
        Where it stands at first, unless it does nothing there, both ends, and some between, in
        seconds, from the longest to the shortest.
    """
    steps = math.ceil(math.log(knob.max / knob.min) / math.log(_APART))
    scale = np.geomspace(knob.min, knob.max, steps + 1).tolist()
    rest = rest_seconds(knob)
    own = set() if rest is None else {rest}
    return sorted({knob.min, knob.max, *scale[1:-1]} | own, reverse=True)


def at_first(graph: Node, controls: Mapping[str, Slider] | None, *, fs: float) -> Node | None:
    """The graph as its program plays it until somebody turns a knob.

    Args:
        graph: of the program.
        controls: its knobs, by the control's name, each with its position at first.
        fs: sampling rate in Hz.

    Returns:
        The graph with the attenuation of its rt60 knob; None: it does nothing there.
    """
    rest = rest_seconds((controls or {}).get("rt60"))
    return None if rest is None else attenuated(graph, fs=fs, rt60_seconds=rest)


def rest_seconds(knob: Slider | None) -> float | None:
    """Find where an rt60 knob stands at first.

    Args:
        knob: the slider, in seconds; None: there is none.

    Returns:
        Seconds; None: it does nothing there.
    """
    if knob is None or knob.init is None:
        return None
    return None if knob.neutral_end and knob.init >= neutral_above(knob) else knob.init


def attenuates_evenly(node: Node, *, in_loop: bool = False) -> bool:
    """Tell whether an rt60 knob moves each mode towards the middle, whatever its position.

    So it does where a loop's only memory is delays of whole samples, which it attenuates by
    10^(-3m/(fs·RT60)): as if z were multiplied by the same factor everywhere.

    Args:
        node: of a valid graph.
        in_loop: whether the node stands inside a recursion.

    Returns:
        Whether no loop holds a filter or a fractional delay.
    """
    match node:
        case Series() | Parallel():
            return all(attenuates_evenly(child, in_loop=in_loop) for child in node.nodes)
        case Recursion():
            parts = (node.forward, node.feedback)
            return all(attenuates_evenly(part, in_loop=True) for part in parts)
        case FIR() | SOS():
            return not in_loop
        case Delay():
            return not (in_loop and whole_samples(node.samples)[1].any())
        case _:
            return True


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
