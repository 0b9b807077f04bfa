"""Checks that a graph is well-formed: shapes, finite numbers, sizes, and a delay in every loop.

The publisher checks a graph before it is sent, the codec when it is decoded. An error names the
path of the node.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise
from typing import TypeAlias

import numpy as np

from faustwire.errors import GraphError, NonFiniteError
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
    children,
    label,
)
from faustwire.limits import MAX_NAME
from faustwire.loops import check_loops

# Far beyond any reverberator; 256 x 256 gains is already 65,536 products a sample.
MAX_CHANNELS = 256
# 43 s at 48 kHz. Faust rounds a delay line up to a power of two: 8 MiB in single precision.
MAX_DELAY_SAMPLES = 2**21
# Every tap is written into the program, and libfaust's compile time grows with their number.
MAX_TAPS = 2**17
MAX_SECTIONS = 256
# Of nested containers: Python and libfaust both recurse over them.
MAX_DEPTH = 64
MAX_NODES = 4096
# Numbers in all: 8 MiB of them, half of codec.MAX_BYTES.
MAX_VALUES = 2**20

Sizes: TypeAlias = tuple[int, int]

_RANKS: dict[type[Leaf], tuple[str, tuple[int, ...]]] = {
    Gain: ("matrix", (2,)),
    DiagonalGain: ("gains", (1,)),
    Householder: ("vector", (1,)),
    Delay: ("samples", (1, 2)),
    FIR: ("taps", (2, 3)),
    SOS: ("sections", (3, 4)),
}


def check(root: Node) -> tuple[int, int]:
    """Check a graph.

    Args:
        root: its outermost node.

    Returns:
        The numbers of its input and output channels, (n_in, n_out).

    Raises:
        NonFiniteError: a value is NaN or infinite.
        GraphError: a shape, a size, a value or a loop that can't be played.
    """
    sizes = _check_sizes(root, label(root), depth=1, budget=_Budget())
    check_loops(root, label(root))
    return sizes


def check_name(name: object, path: str) -> str:
    """Check a node's name, which becomes a part of every path below it.

    Args:
        name: as it was read.
        path: where it stands, for an error.

    Raises:
        GraphError: it is not text, or is longer than ``MAX_NAME`` characters.
    """
    if not isinstance(name, str):
        raise GraphError(path, f"a name is text, not {type(name).__name__}")
    if len(name) > MAX_NAME:
        raise GraphError(path, f"a name is longer than {MAX_NAME} characters")
    return name


def check_values(root: Node, moved: Iterable[Leaf]) -> None:
    """Check a graph that was checked before some of its leaves got other values of the same shape.

    Args:
        root: its outermost node.
        moved: those leaves.

    Raises:
        NonFiniteError: a value is NaN or infinite.
        GraphError: a value or a loop that can't be played.
    """
    for leaf in moved:
        _check_values(leaf, label(leaf))
    check_loops(root, label(root))


class _Budget:
    """What is left of the limits for the whole graph."""

    def __init__(self) -> None:
        self.nodes = MAX_NODES
        self.values = MAX_VALUES

    def spend(self, path: str, *, values: int = 0) -> None:
        self.nodes -= 1
        self.values -= values
        if self.nodes < 0:
            raise GraphError(path, f"the graph has more than {MAX_NODES} nodes")
        if self.values < 0:
            raise GraphError(path, f"the graph holds more than {MAX_VALUES} numbers")


def _check_sizes(node: Node, path: str, depth: int, budget: _Budget) -> Sizes:
    """Check everything but the loops; returns the node's channels, (n_in, n_out)."""
    check_name(node.name, path[:MAX_NAME])
    if depth > MAX_DEPTH:
        raise GraphError(path, f"containers are nested deeper than {MAX_DEPTH}")
    if not isinstance(node, (Series, Parallel, Recursion)):
        return _check_leaf(node, path, budget)
    budget.spend(path)
    inside = children(node)
    if not inside:
        raise GraphError(path, f"a {node.type} without nodes")
    sizes = [_check_sizes(child, f"{path}.{label(child)}", depth + 1, budget) for child in inside]
    return _check_joints(node, path, sizes)


def _check_leaf(leaf: Leaf, path: str, budget: _Budget) -> Sizes:
    field, ranks = _RANKS[type(leaf)]
    values: Array = getattr(leaf, field)
    if values.ndim not in ranks:
        wanted = " or ".join(map(str, ranks))
        raise GraphError(path, f"{field} has {values.ndim} dimensions, not {wanted}")
    if values.size == 0:
        raise GraphError(path, f"{field} is empty: {list(values.shape)}")
    # Wherever paths are followed, a reflection takes as much work as its matrix.
    budget.spend(path, values=values.size ** (2 if isinstance(leaf, Householder) else 1))
    sizes = channels(leaf)
    if max(sizes) > MAX_CHANNELS:
        raise GraphError(path, f"{max(sizes)} channels; at most {MAX_CHANNELS}")
    if isinstance(leaf, FIR) and len(values) > MAX_TAPS:
        raise GraphError(path, f"{len(values)} taps; at most {MAX_TAPS}")
    if isinstance(leaf, SOS):
        _check_sections(leaf, path)
    _check_values(leaf, path)
    return sizes


def _check_values(leaf: Leaf, path: str) -> None:
    field, _ = _RANKS[type(leaf)]
    _check_finite(getattr(leaf, field), field, path)
    if isinstance(leaf, Delay):
        _check_delay(leaf, path)
    elif isinstance(leaf, SOS) and (leaf.sections[:, 3] != 1.0).any():
        raise GraphError(path, "a0 is not 1: divide each section by its a0")


def _check_finite(values: Array, field: str, path: str) -> None:
    # Half the time that all() takes.
    if np.count_nonzero(np.isfinite(values)) < values.size:
        where = tuple(map(int, np.argwhere(~np.isfinite(values))[0]))
        raise NonFiniteError(path, f"{field}{list(where)} is {values[where]}")


def _check_delay(leaf: Delay, path: str) -> None:
    if leaf.samples.min() < 0:
        raise GraphError(path, f"a delay of {leaf.samples.min():g} samples; it can't be negative")
    if leaf.samples.max() > MAX_DELAY_SAMPLES:
        longest = leaf.samples.max()
        raise GraphError(path, f"a delay of {longest:g} samples; at most {MAX_DELAY_SAMPLES}")
    if leaf.gains is not None:
        if leaf.gains.shape != leaf.samples.shape:
            shapes = f"{list(leaf.gains.shape)}, samples {list(leaf.samples.shape)}"
            raise GraphError(path, f"gains and samples differ in shape: gains {shapes}")
        _check_finite(leaf.gains, "gains", path)


def _check_sections(leaf: SOS, path: str) -> None:
    sections = leaf.sections
    if sections.shape[0] > MAX_SECTIONS:
        raise GraphError(path, f"{sections.shape[0]} sections; at most {MAX_SECTIONS}")
    if sections.shape[1] != 6:
        raise GraphError(path, f"{sections.shape[1]} coefficients a section, not b0 b1 b2 a0 a1 a2")


def _check_joints(node: Series | Parallel | Recursion, path: str, sizes: list[Sizes]) -> Sizes:
    """Check that parts with these channels fit together; returns the channels of the whole."""
    match node:
        case Series():
            for k, ((_, sent), (taken, _)) in enumerate(pairwise(sizes)):
                if sent != taken:
                    before, after = label(node.nodes[k]), label(node.nodes[k + 1])
                    raise GraphError(path, f"{before} sends {sent} channels, {after} takes {taken}")
            return sizes[0][0], sizes[-1][1]
        case Parallel():
            return _check_branches(node, path, sizes)
        case Recursion():
            (into, out), (back_in, back_out) = sizes
            if (back_in, back_out) != (out, into):
                raise GraphError(
                    path,
                    f"forward is {into} in, {out} out, so feedback must be {out} in, {into} out; "
                    f"it is {back_in} in, {back_out} out",
                )
            return into, out


def _check_branches(node: Parallel, path: str, sizes: list[Sizes]) -> Sizes:
    if node.join not in ("sum", "concatenate"):
        raise GraphError(path, f"join is {node.join!r}, not 'sum' or 'concatenate'")
    inputs, outputs = [into for into, _ in sizes], [out for _, out in sizes]
    if len(set(inputs)) > 1:
        raise GraphError(path, f"branches take different numbers of channels: {inputs}")
    if node.join == "concatenate":
        if sum(outputs) > MAX_CHANNELS:
            raise GraphError(path, f"{sum(outputs)} channels; at most {MAX_CHANNELS}")
        return inputs[0], sum(outputs)
    if len(set(outputs)) > 1:
        raise GraphError(path, f"branches to be summed send different numbers: {outputs}")
    return inputs[0], outputs[0]
