"""The graph in a snapshot: how a linear time-invariant system is wired, and with which values.

A graph is a tree of leaves, which hold numbers, and containers, which hold nodes. It knows neither
Faust nor torch and has no behaviour: ``validation`` checks it, ``graph_codec`` turns it into dicts
and back, and the bridge's codegen writes it as a program.

Arrays are float64, C-contiguous and read-only. Names are any text; a node's *path* is the names
from the root joined by dots, and every error quotes it.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from operator import is_
from typing import ClassVar, Literal, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array: TypeAlias = NDArray[np.float64]

# A delay within this of a whole number of samples is that number: float32 training scripts write
# 593 samples as 593.00001.
_WHOLE = 1e-6


def _own(values: ArrayLike) -> Array:
    """A read-only float64 copy: an optimiser may go on writing into the original."""
    array = np.array(values, dtype=np.float64, order="C")
    array.setflags(write=False)
    return array


@dataclass(frozen=True, eq=False)
class _Leaf:
    """A node with values. Every array is copied and made read-only when the leaf is made."""

    type: ClassVar[str]
    name: str

    def __post_init__(self) -> None:
        # Not dataclasses.fields(): leaves are made on every call of a training loop.
        for key, values in list(vars(self).items())[1:]:
            if values is not None:
                object.__setattr__(self, key, _own(values))


@dataclass(frozen=True, eq=False)
class Gain(_Leaf):
    """y = matrix · x.

    Attributes:
        matrix: [n_out, n_in], linear gains.
    """

    type: ClassVar[str] = "gain"
    matrix: Array


@dataclass(frozen=True, eq=False)
class DiagonalGain(_Leaf):
    """y[i] = gains[i] · x[i].

    Attributes:
        gains: [n], linear.
    """

    type: ClassVar[str] = "diagonal_gain"
    gains: Array


@dataclass(frozen=True, eq=False)
class Householder(_Leaf):
    """y = (I − 2uuᵀ) · x, kept as its vector because the program then costs O(n).

    Attributes:
        vector: [n], u; of unit norm when the matrix is to be orthogonal.
    """

    type: ClassVar[str] = "householder"
    vector: Array

    @property
    def matrix(self) -> Array:
        """I − 2uuᵀ: [n, n]."""
        return np.eye(len(self.vector)) - 2 * np.outer(self.vector, self.vector)


@dataclass(frozen=True, eq=False)
class Delay(_Leaf):
    """Delays in samples, per channel or per matrix entry; not whole: fractional delays.

    Attributes:
        samples: [n], or [n_out, n_in] where output o is the sum over i of the delayed inputs.
        gains: the same shape, linear, on each of those paths; None: all one.
    """

    type: ClassVar[str] = "delay"
    samples: Array
    gains: Array | None = None


@dataclass(frozen=True, eq=False)
class FIR(_Leaf):
    """Finite impulse responses, per channel or per matrix entry.

    Attributes:
        taps: [taps, n], or [taps, n_out, n_in].
    """

    type: ClassVar[str] = "fir"
    taps: Array


@dataclass(frozen=True, eq=False)
class SOS(_Leaf):
    """Cascades of second-order sections, per channel or per matrix entry.

    Attributes:
        sections: [sections, 6, n], or [sections, 6, n_out, n_in]; the six are
            b0 b1 b2 a0 a1 a2 in the order of ``scipy.signal.sosfilt``, with a0 = 1.
    """

    type: ClassVar[str] = "sos"
    sections: Array


@dataclass(frozen=True, eq=False)
class Series:
    """The output of each node is the input of the next.

    Attributes:
        nodes: at least one, in the order of the signal.
    """

    type: ClassVar[str] = "series"
    name: str
    nodes: tuple[Node, ...]


@dataclass(frozen=True, eq=False)
class Parallel:
    """Every node gets the same input.

    Attributes:
        nodes: at least one.
        join: whether the outputs are summed or concatenated, in the order of ``nodes``.
    """

    type: ClassVar[str] = "parallel"
    name: str
    nodes: tuple[Node, ...]
    join: Literal["sum", "concatenate"] = "sum"


@dataclass(frozen=True, eq=False)
class Recursion:
    """y = forward(x + feedback(y)): positive feedback, (I − F·B)⁻¹·F.

    Attributes:
        forward: n_in → n_out.
        feedback: n_out → n_in; some delay must lie in every loop through the two.
    """

    type: ClassVar[str] = "recursion"
    name: str
    forward: Node
    feedback: Node


Leaf: TypeAlias = Gain | DiagonalGain | Householder | Delay | FIR | SOS
Node: TypeAlias = Leaf | Series | Parallel | Recursion

LEAVES: tuple[type[Leaf], ...] = (Gain, DiagonalGain, Householder, Delay, FIR, SOS)
CONTAINERS: tuple[type[Series | Parallel | Recursion], ...] = (Series, Parallel, Recursion)


# Which array of a leaf has its channels, and on which axes: inputs, outputs.
_CHANNEL_AXES: dict[type, tuple[str, int, int]] = {
    DiagonalGain: ("gains", 0, 0),
    Householder: ("vector", 0, 0),
    Delay: ("samples", -1, 0),
    FIR: ("taps", -1, 1),
    SOS: ("sections", -1, 2),
}


def label(node: Node) -> str:
    """What a node is called in paths and errors: its name, or its type where it has none."""
    return node.name or node.type


def children(node: Node) -> tuple[Node, ...]:
    """The nodes that a container holds, a recursion's forward path first; a leaf holds none."""
    if isinstance(node, Recursion):
        return node.forward, node.feedback
    return node.nodes if isinstance(node, (Series, Parallel)) else ()


def nodes_in(node: Node) -> Iterator[Node]:
    """A node and all that it holds, each before what it holds itself.

    Args:
        node: of a graph that is not nested too deeply, as ``validation.check`` sees to.

    Yields:
        Each of them.
    """
    yield node
    for child in children(node):
        yield from nodes_in(child)


def leaves(node: Node) -> Iterator[Leaf]:
    """The leaves of a graph, as ``nodes_in`` comes upon them.

    Args:
        node: as for ``nodes_in``.

    Yields:
        Each of them.
    """
    return (each for each in nodes_in(node) if isinstance(each, LEAVES))


def with_leaves(node: Node, leaves: Mapping[int, Leaf]) -> Node:
    """A graph with other leaves in the places of some of its own.

    Args:
        node: as for ``nodes_in``.
        leaves: by the ``id`` of the leaf whose place they take.

    Returns:
        The graph; what holds none of those leaves is the same object.
    """
    match node:
        case Series() | Parallel():
            parts = tuple(with_leaves(child, leaves) for child in node.nodes)
            if all(map(is_, parts, node.nodes)):
                return node
            if isinstance(node, Series):
                return Series(node.name, parts)
            return Parallel(node.name, parts, node.join)
        case Recursion():
            forward, back = with_leaves(node.forward, leaves), with_leaves(node.feedback, leaves)
            same = forward is node.forward and back is node.feedback
            return node if same else Recursion(node.name, forward, back)
        case _:
            return leaves.get(id(node), node)


def channels(node: Node) -> tuple[int, int]:
    """The numbers of input and output channels of a valid node, (n_in, n_out)."""
    axes = _CHANNEL_AXES.get(type(node))
    if axes is not None:
        field, into, out = axes
        shape = getattr(node, field).shape
        return shape[into], shape[out]
    match node:
        case Gain():
            n_out, n_in = node.matrix.shape
        case Series():
            n_in, n_out = channels(node.nodes[0])[0], channels(node.nodes[-1])[1]
        case Parallel():
            outputs = [channels(branch)[1] for branch in node.nodes]
            n_in = channels(node.nodes[0])[0]
            n_out = outputs[0] if node.join == "sum" else sum(outputs)
        case Recursion():
            n_in, n_out = channels(node.forward)
    return n_in, n_out


def whole(samples: float) -> int | None:
    """Round a delay that counts as whole.

    Args:
        samples: one delay in samples.

    Returns:
        The whole number of samples; None: the delay is fractional.
    """
    nearest = math.floor(samples + 0.5)
    return nearest if abs(samples - nearest) <= _WHOLE else None


def whole_samples(samples: Array) -> tuple[Array, NDArray[np.bool_]]:
    """Tell whole delays from fractional ones; ``whole`` of many.

    Args:
        samples: delays in samples, of any shape.

    Returns:
        (the delays, rounded where they count as whole; which ones are fractional), each of the
        shape of ``samples``.
    """
    nearest = np.floor(samples + 0.5)
    fractional = abs(samples - nearest) > _WHOLE
    return np.where(fractional, samples, nearest), fractional
