"""Random recursions of every kind, with their slowest mode at a given radius."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

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
from state_space import spectral_radius

KINDS = ("fdn", "filtered", "nested", "wild", "fractional")
_SHORTEST_RING = 0.05


@dataclass(frozen=True)
class System:
    """A graph and |z| of its slowest mode, by eigenvalues."""

    kind: str
    graph: Node
    radius: float


def random_system(kind: str, seed: int, *, target: float) -> System:
    """Make a random graph of one kind.

    Args:
        kind: one of ``KINDS``.
        seed: of the random numbers.
        target: |z| of the slowest mode; graphs with fractional delays come close only.

    Returns:
        The system, with its measured radius.
    """
    rng = np.random.default_rng([KINDS.index(kind), seed])
    while True:
        graph = _Grower(rng, kind).graph()
        try:
            check(graph)
        except GraphError:
            continue
        if spectral_radius(graph) > _SHORTEST_RING:
            break
    move = _tuned if kind == "fractional" else _moved
    graph = move(graph, target)
    return System(kind, graph, spectral_radius(graph))


def _moved(graph: Node, target: float) -> Node:
    return scaled_modes(graph, target / spectral_radius(graph))


def scaled_modes(node: Node, factor: float) -> Node:
    """Replace z by z/factor: every mode is multiplied by the factor. Delays must be whole."""
    match node:
        case Series() | Parallel():
            return replace(node, nodes=tuple(scaled_modes(child, factor) for child in node.nodes))
        case Recursion():
            forward, feedback = (
                scaled_modes(child, factor) for child in (node.forward, node.feedback)
            )
            return replace(node, forward=forward, feedback=feedback)
        case Delay():
            gains = 1.0 if node.gains is None else node.gains
            return replace(node, gains=gains * factor**node.samples)
        case FIR():
            powers = factor ** np.arange(float(len(node.taps)))
            return replace(node, taps=(node.taps.T * powers).T)
        case SOS():
            powers = factor ** np.array([0.0, 1, 2, 0, 1, 2])
            return replace(
                node, sections=np.swapaxes(np.swapaxes(node.sections, 1, -1) * powers, 1, -1)
            )
        case _:
            return node


def _tuned(graph: Node, target: float) -> Node:
    """Set the gain around the outermost loop by bisection, to a few digits."""
    assert isinstance(graph, Recursion)
    low, high = 0.0, 4.0
    for _ in range(20):
        middle = (low + high) / 2
        if spectral_radius(_quieter(graph, middle)) < target:
            low = middle
        else:
            high = middle
    return _quieter(graph, (low + high) / 2)


def _quieter(loop: Recursion, gain: float) -> Recursion:
    gains = DiagonalGain("tuned", np.full(_n_in(loop.feedback), gain))
    return replace(loop, feedback=Series("tuned", (gains, loop.feedback)))


def _n_in(node: Node) -> int:
    return channels(node)[0]


class _Grower:
    def __init__(self, rng: np.random.Generator, kind: str) -> None:
        self._rng, self._kind = rng, kind
        self._size = int(rng.integers(1, 6))

    def graph(self) -> Node:
        match self._kind:
            case "fdn":
                return self._with_gains(self._fdn(filtered=False))
            case "filtered":
                return self._with_gains(self._fdn(filtered=True))
            case "nested":
                return self._with_gains(self._nested())
            case "fractional":
                return self._fdn(filtered=self._rng.random() < 0.5, whole=False)
            case _:
                return self._wild(2)

    def _with_gains(self, loop: Node) -> Node:
        if self._rng.random() < 0.5:
            return loop
        ends = self._rng.normal(size=(2, self._size))
        return Series("graph", (Gain("in", ends[:1].T), loop, Gain("out", ends[1:])))

    def _fdn(self, *, filtered: bool, whole: bool = True) -> Recursion:
        forward: Node = self._delay(whole=whole)
        feedback: list[Node] = [self._mixing()]
        if filtered:
            feedback.insert(int(self._rng.integers(0, 2)), self._filter())
            if self._rng.random() < 0.3:
                forward = Series("forward", (forward, self._filter()))
        if self._rng.random() < 0.5:
            feedback.append(DiagonalGain("gains", self._rng.uniform(-1, 1, self._size)))
        return Recursion("loop", forward, Series("feedback", tuple(feedback)))

    def _nested(self) -> Recursion:
        """A loop in the forward path, in the feedback, or allpasses around inner delays."""
        inner = self._fdn(filtered=self._rng.random() < 0.3)
        if self._rng.random() < 0.7:
            # Quiet enough to matter for the outer loop, not to dwarf it.
            inner = scaled_inner(inner, float(self._rng.uniform(0.7, 1.05)))
        match int(self._rng.integers(0, 3)):
            case 0:
                return Recursion("outer", Series("f", (self._delay(), inner)), self._mixing())
            case 1:
                back = Series("b", (self._mixing(), inner))
                return Recursion("outer", self._delay(), back)
            case _:
                both = Parallel(
                    "p", (inner, DiagonalGain("past", self._rng.normal(size=self._size)))
                )
                return Recursion("outer", Series("f", (self._delay(), both)), self._mixing())

    def _wild(self, depth: int) -> Node:
        """Mix all kinds of nodes and loops."""
        if depth == 0:
            return self._leaf()
        match int(self._rng.integers(0, 4)):
            case 0:
                return Series("s", (self._wild(depth - 1), self._wild(depth - 1)))
            case 1:
                return Parallel("p", (self._wild(depth - 1), self._wild(depth - 1)))
            case _:
                forward = Series("f", (self._wild(depth - 1), self._delay()))
                return Recursion("r", forward, self._wild(depth - 1))

    def _leaf(self) -> Node:
        rng, size = self._rng, self._size
        match int(rng.integers(0, 6)):
            case 0:
                return self._mixing()
            case 1:
                return self._filter()
            case 2:
                return self._delay()
            case 3:
                return FIR("fir", rng.normal(size=(int(rng.integers(1, 5)), size)) / 2)
            case 4:
                samples = rng.integers(0, 6, (size, size)).astype(float)
                return Delay("delays", samples, rng.normal(size=(size, size)) / size)
            case _:
                return FIR("firs", rng.normal(size=(3, size, size)) / size)

    def _delay(self, *, whole: bool = True) -> Delay:
        samples = self._rng.integers(1, 16, self._size).astype(float)
        if not whole:
            samples += self._rng.uniform(-0.3, 0.9, self._size) * self._rng.integers(
                0, 2, self._size
            )
            samples = np.maximum(samples, 1.0)
        return Delay("delay", samples)

    def _mixing(self) -> Node:
        rng, size = self._rng, self._size
        match int(rng.integers(0, 5)):
            case 0 | 1:
                return Gain("orthogonal", np.linalg.qr(rng.normal(size=(size, size)))[0])
            case 2:
                return Gain("random", rng.normal(size=(size, size)) / np.sqrt(size))
            case 3:
                vector = rng.normal(size=size)
                return Householder("householder", vector / np.linalg.norm(vector))
            case _:
                return Gain("triangular", np.tril(rng.normal(size=(size, size))))

    def _filter(self) -> SOS:
        """Resonances and lowpasses, sometimes unstable alone but stable in the loop."""
        sections = int(self._rng.integers(1, 3))
        shape = (sections, self._size)
        radius = self._rng.uniform(0.1, 0.99, shape)
        if self._rng.random() < 0.15:
            radius[0, 0] = 1.02
        angle = self._rng.uniform(0.0, np.pi, shape)
        a1, a2 = -2 * radius * np.cos(angle), radius**2
        b: Array = self._rng.normal(size=(3, *shape))
        b *= (1 - radius) / abs(b).sum(axis=0)
        b[0] += 0.5
        return SOS("filter", np.stack([*b, np.ones(shape), a1, a2], axis=1))


def scaled_inner(loop: Recursion, radius: float) -> Recursion:
    """Scale the loop so that its slowest mode lies at a radius."""
    own = spectral_radius(loop)
    if own <= _SHORTEST_RING:
        return loop
    scaled = scaled_modes(loop, radius / own)
    assert isinstance(scaled, Recursion)
    return scaled
