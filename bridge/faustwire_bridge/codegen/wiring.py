"""From a graph to scalar signals on a builder: containers here, leaves each in a function."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeGuard

from faustwire.graph import (
    FIR,
    LEAVES,
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
    channels,
)
from faustwire_bridge.codegen.builder import Place, ProgramBuilder, Value
from faustwire_bridge.codegen.delays import write_delay
from faustwire_bridge.codegen.fir import write_fir
from faustwire_bridge.codegen.gains import write_diagonal_gain, write_gain, write_householder
from faustwire_bridge.codegen.names import printable
from faustwire_bridge.codegen.sections import (
    is_delay_line,
    write_delayed_sections,
    write_sections,
)
from faustwire_bridge.codegen.written_leaves import WrittenLeaves

LeafWriter = Callable[[Any, list[Value], ProgramBuilder, Place], list[Value]]

_LEAF_WRITERS: dict[type[Leaf], LeafWriter] = {
    Gain: write_gain,
    DiagonalGain: write_diagonal_gain,
    Householder: write_householder,
    Delay: write_delay,
    FIR: write_fir,
    SOS: write_sections,
}


def write_node(
    node: Node,
    inputs: list[Value],
    builder: ProgramBuilder,
    place: Place,
    written: WrittenLeaves,
) -> list[Value]:
    """Write what a node does to some signals.

    Args:
        node: of a valid graph.
        inputs: [n_in], its input signals.
        builder: gets the definitions and loop variables.
        place: where the node stands.
        written: what leaves were written as in other programs.

    Returns:
        [n_out], its output signals.
    """
    match node:
        case Series():
            return _write_series(node, inputs, builder, place, written)
        case Parallel():
            return _write_parallel(node, inputs, builder, place, written)
        case Recursion():
            return _write_recursion(node, inputs, builder, place, written)
        case _:

            def write() -> list[Value]:
                _title(node, builder, place)
                return _LEAF_WRITERS[type(node)](node, inputs, builder, place)

            return written.outputs((node,), inputs, builder, place, write)


def _title(leaf: Node, builder: ProgramBuilder, place: Place) -> None:
    n_in, n_out = channels(leaf)
    builder.comment(f"{printable(place.path)}: {leaf.type}, {n_in} in, {n_out} out")


def _write_series(
    node: Series,
    inputs: list[Value],
    builder: ProgramBuilder,
    place: Place,
    written: WrittenLeaves,
) -> list[Value]:
    signals = inputs
    nodes = list(node.nodes)
    while nodes:
        child = nodes.pop(0)
        after = nodes[0] if nodes else None
        if place.in_loop and is_delay_line(child) and _is_per_channel(after):
            nodes.pop(0)
            signals = _write_filtered_lines((child, after), signals, builder, place, written)
        else:
            signals = write_node(child, signals, builder, place.below(child), written)
    return signals


def _is_per_channel(node: Node | None) -> TypeGuard[SOS]:
    return isinstance(node, SOS) and node.sections.ndim == 3


def _write_filtered_lines(
    leaves: tuple[Delay, SOS],
    inputs: list[Value],
    builder: ProgramBuilder,
    place: Place,
    written: WrittenLeaves,
) -> list[Value]:
    def write() -> list[Value]:
        for leaf in leaves:
            _title(leaf, builder, place.below(leaf))
        return write_delayed_sections(*leaves, inputs, builder)

    return written.outputs(leaves, inputs, builder, place, write)


def _write_parallel(
    node: Parallel,
    inputs: list[Value],
    builder: ProgramBuilder,
    place: Place,
    written: WrittenLeaves,
) -> list[Value]:
    branches = [
        write_node(child, inputs, builder, place.below(child), written) for child in node.nodes
    ]
    if node.join == "concatenate":
        return [signal for branch in branches for signal in branch]
    builder.comment(f"{printable(place.path)}: sum of {len(branches)} branches")
    return [builder.total("s", signals) for signals in zip(*branches, strict=True)]


def _write_recursion(
    node: Recursion,
    inputs: list[Value],
    builder: ProgramBuilder,
    place: Place,
    written: WrittenLeaves,
) -> list[Value]:
    """Solve y = F(x + B·y): the sums are named before they are known, and defined when B·y is."""
    inside = place.looped(every_path_delayed=_delays_every_path(node))
    sums: list[Value] = [(1.0, builder.name("u")) for _ in inputs]
    outputs = write_node(node.forward, sums, builder, inside.below(node.forward), written)
    returned = write_node(node.feedback, outputs, builder, inside.below(node.feedback), written)
    builder.comment(f"{printable(place.path)}: what enters the loop, its input and its feedback")
    for (_, name), pair in zip(sums, zip(inputs, returned, strict=True), strict=True):
        builder.define_sum(name, pair)
    return outputs


def _delays_every_path(node: Recursion) -> bool:
    """Whether some stage that all signals of the loop pass delays each of them by a sample."""
    return _is_cut(node.forward) or _is_cut(node.feedback)


def _is_cut(node: Node) -> bool:
    match node:
        case Delay():
            return bool(node.samples.min() >= 1)
        case FIR():
            return not node.taps[0].any()
        case Series():
            return any(_is_cut(child) for child in node.nodes)
        case Parallel():
            return all(_is_cut(child) for child in node.nodes)
        case Recursion():
            return _is_cut(node.forward)
        case _ if isinstance(node, LEAVES):
            return False
    raise AssertionError(node)
