"""Valid, stable graphs of every kind of node, drawn by hypothesis or from a random generator."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Literal, TypeAlias

import numpy as np
from hypothesis import strategies as st

from faustwire.errors import GraphError
from faustwire.graph import (
    FIR,
    SOS,
    Array,
    Delay,
    DiagonalGain,
    Gain,
    Householder,
    Node,
    Parallel,
    Recursion,
    Series,
    channels,
)
from faustwire.validation import check
from graph_response import frequency_response

# Names that a careless generator would trip over.
_NAMES = ["process", "x0", "delay", "with", "été", "a b", "*/", "", "line\nbreak", "letrec"]
_MAX_CHANNELS = 5

# Takes one of some things.
_Pick: TypeAlias = Callable[[Sequence[Any]], Any]


@st.composite
def graphs(draw: st.DrawFn, depth: int = 3) -> Node:
    """A valid graph with whole delays whose responses decay."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    return _grow(lambda things: draw(st.sampled_from(things)), rng, depth)


def thrown_graph(rng: np.random.Generator, depth: int = 3) -> Node:
    """The same without hypothesis: ten times as fast, but failures are not shrunk."""
    return _grow(lambda things: things[int(rng.integers(len(things)))], rng, depth)


def _grow(pick: _Pick, rng: np.random.Generator, depth: int) -> Node:
    sizes = range(1, _MAX_CHANNELS + 1)
    return _Grower(pick, rng).node(pick(sizes), pick(sizes), depth)


class _Grower:
    """Builds graphs with given channels: ``pick`` chooses the structure, numpy the numbers."""

    def __init__(self, pick: _Pick, rng: np.random.Generator) -> None:
        self._pick, self._rng = pick, rng

    def node(self, n_in: int, n_out: int, depth: int) -> Node:
        kinds = ["leaf", "series", "sum", "concatenate", "recursion"]
        match "leaf" if depth == 0 else self._pick(kinds):
            case "series":
                middle = self._pick(range(1, _MAX_CHANNELS + 1))
                nodes = (self.node(n_in, middle, depth - 1), self.node(middle, n_out, depth - 1))
                return Series(self._name(), nodes)
            case "sum":
                return self._parallel("sum", n_in, [n_out, n_out], depth)
            case "concatenate":
                return self._parallel("concatenate", n_in, [1] * n_out, depth)
            case "recursion":
                return self._recursion(n_in, n_out, depth)
            case _:
                return self._leaf(n_in, n_out)

    def _name(self) -> str:
        name: str = self._pick(_NAMES)
        return name

    def _parallel(
        self, join: Literal["sum", "concatenate"], n_in: int, outputs: list[int], depth: int
    ) -> Node:
        branches = tuple(self.node(n_in, n_out, depth - 1) for n_out in outputs)
        return Parallel(self._name(), branches, join)

    def _recursion(self, n_in: int, n_out: int, depth: int) -> Node:
        """Delays in the forward path, in the feedback, spread over both, or wherever they fell."""
        forward = self.node(n_in, n_out, depth - 1)
        feedback = self.node(n_out, n_in, depth - 1)
        match self._pick(["forward", "feedback", "spread", "as they fell"]):
            case "forward":
                forward = Series("f", (forward, Delay("d", self._whole(1, n_out))))
            case "feedback":
                feedback = Series("b", (feedback, Delay("d", self._whole(1, n_in))))
            case "spread":
                early = self._whole(0, n_in) * self._rng.integers(0, 2, n_in)
                late = np.where(early == 0, self._whole(1, n_in), 0)
                forward = Series("f", (Delay("early", early), forward))
                feedback = Series("b", (feedback, Delay("late", late)))
        loop = Recursion(self._name(), _quiet(forward), _quiet(feedback))
        try:
            check(loop)
        except GraphError:
            return forward
        return loop

    def _leaf(self, n_in: int, n_out: int) -> Node:
        kinds = ["gain", "delays", "taps", "sections"]
        if n_in == n_out:
            kinds += ["structured", "diagonal", "householder", "delay", "fir", "sos"]
        kind, name = self._pick(kinds), self._name()
        match kind:
            case "gain":
                return Gain(name, self._sparse(n_out, n_in))
            case "structured":
                return Gain(name, self._structured(n_in))
            case "diagonal":
                return DiagonalGain(name, self._sparse(n_in))
            case "householder":
                vector = self._rng.normal(size=n_in)
                return Householder(name, vector / np.linalg.norm(vector))
            case "delay" | "delays":
                shape = (n_in,) if kind == "delay" else (n_out, n_in)
                gains = self._sparse(*shape) if self._rng.random() < 0.5 else None
                return Delay(name, self._whole(0, *shape), gains)
            case "fir" | "taps":
                shape = (n_in,) if kind == "fir" else (n_out, n_in)
                return FIR(name, self._sparse(int(self._rng.integers(1, 6)), *shape))
            case _:
                shape = (n_in,) if kind == "sos" else (n_out, n_in)
                return SOS(name, self._sections(int(self._rng.integers(1, 3)), *shape))

    def _whole(self, least: int, *shape: int) -> Array:
        return self._rng.integers(least, 20, shape).astype(float)

    def _sparse(self, *shape: int) -> Array:
        """Numbers of which some are 0, some 1 and some -1."""
        values = self._rng.normal(size=shape)
        kind = self._rng.integers(0, 8, shape)
        return np.select([kind == 0, kind == 1, kind == 2], [0.0, 1.0, -1.0], values)

    def _structured(self, size: int) -> Array:
        """A permutation, a Hadamard matrix, a rotation's Kronecker power, a reflection."""
        match int(self._rng.integers(0, 4)):
            case 0:
                return np.eye(size)[self._rng.permutation(size)]
            case 1 | 2 as kind:
                angle = np.pi / 4 if kind == 1 else float(self._rng.uniform(0, np.pi))
                first = np.array([[np.cos(angle), np.sin(angle)], [np.sin(angle), -np.cos(angle)]])
                matrix = first if size > 1 else np.ones((1, 1))
                while 2 * len(matrix) <= size:
                    matrix = np.kron(first, matrix)
                grown = np.eye(size)
                grown[: len(matrix), : len(matrix)] = matrix
                return grown
            case _:
                return np.eye(size) - 2 / size

    def _sections(self, sections: int, *shape: int) -> Array:
        """Stable sections: poles anywhere up to a radius of 0.99, first order, gains, b0 = 0."""
        radius = self._rng.uniform(0.1, 0.99, (sections, *shape))
        angle = self._rng.uniform(0.05, 3.1, (sections, *shape))
        b = self._sparse(3, sections, *shape)
        a1, a2 = -2 * radius * np.cos(angle), radius**2
        if self._rng.random() < 0.2:
            b[2], a1, a2 = 0.0, radius * np.sign(angle - 1.5), 0 * a2
        values: Array = np.stack([*b, np.ones_like(a1), a1, a2], axis=1)
        return values


def _quiet(node: Node) -> Node:
    """The node with its gain below 0.7: a loop of two such nodes is stable."""
    response = frequency_response(node, np.linspace(0, 0.5, 513), 1.0)
    peak = float(np.linalg.norm(response, axis=(1, 2)).max()) * 1.3
    gains = np.full(channels(node)[1], 0.7 / max(peak, 1e-3))
    return Series("quiet", (node, DiagonalGain("gain", gains)))
