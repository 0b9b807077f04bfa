"""Random calls of a worker: graphs and texts, valid and not, whose constants may be anything."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import numpy as np

from faustwire.controls import DEFAULTS, Slider, sliders
from faustwire.graph import Array, DiagonalGain, Gain, Node, Recursion, Series, channels
from faustwire.messages import OwnProgram, Snapshot
from faustwire_bridge.codegen import generate
from random_graphs import thrown_graph

_FS = 48_000
_TOKENS = "_ ! + * - ~ : , <: :> @ 1 0 0.5 2.5 ( ) mem ' / process = ; exp log 1e30 sqrt % int"
_LABELS = ("a", "b", "Z", "[2]c", "[1]d", "dry/wet", "e f", "h:g/x")
_EDGES = (0.0, 5e-324, 1.4e-45, 1.2e-38, 1.0, 2.0**24, 3.4e38, 3.5e38, 1.797e308)


def any_number(rng: np.random.Generator) -> float:
    """A number from the whole range of double: mostly ordinary, sometimes at an edge."""
    match int(rng.integers(8)):
        case 0:
            size = float(rng.choice(_EDGES))
        case 1:
            size = 10 ** rng.uniform(-323, 308)
        case 2:
            size = 10 ** rng.uniform(-3, 3)
        case _:
            size = float(rng.normal())
    return float(size * rng.choice([-1.0, 1.0]))


class Calls:
    """Throws one message after another."""

    def __init__(self, rng: np.random.Generator) -> None:
        self._rng = rng
        self._harm: list[Callable[[Node], Node]] = [
            _same,
            _same,
            self._in_loop,
            self._loud,
            self._around,
            self._with_any_number,
            self._poisoned,
        ]

    def message(self, seq: int) -> Snapshot | OwnProgram:
        """Throw one.

        Args:
            seq: its number.
        """
        if self._rng.random() < 0.4:
            return OwnProgram(seq, self._text())
        graph = self._graph()
        return Snapshot(seq, seq, float(_FS), graph, force=True, controls=self._controls())

    def _controls(self) -> dict[str, Slider]:
        wanted = [name for name in ("rt60", "dry_wet", "pre_delay") if self._rng.random() < 0.3]
        return sliders({name: self._range(name) for name in wanted})

    def _range(self, name: str) -> dict[str, float] | bool:
        """The usual range of a knob, or a part of another."""
        if self._rng.random() < 0.5:
            return True
        usual = DEFAULTS[name]
        scale = [usual.max * 10 ** self._rng.uniform(-4, 1) for _ in range(3)]
        low, init, high = sorted(scale)
        return {"min": low, "init": init, "max": high} if low < high else True

    # -- graphs ------------------------------------------------------------------------------

    def _graph(self) -> Node:
        graph = thrown_graph(self._rng, depth=int(self._rng.integers(0, 4)))
        return self._harm[int(self._rng.integers(len(self._harm)))](graph)

    def _in_loop(self, graph: Node) -> Node:
        """Close a loop around the graph, with a gain from far too small to far too large."""
        n_in, n_out = channels(graph)
        gain = 10 ** self._rng.uniform(-2, 1) * self._rng.normal(size=(n_in, n_out))
        return Recursion("loop", graph, Gain("back", gain))

    def _loud(self, graph: Node) -> Node:
        size = channels(graph)[1]
        return Series("loud", (graph, DiagonalGain("g", 10 ** self._rng.uniform(-40, 40, size))))

    def _around(self, graph: Node) -> Node:
        """Gains before and behind the graph that undo each other, from the whole range."""
        (n_in, n_out), size = channels(graph), 10 ** self._rng.uniform(-300, 300)
        before = DiagonalGain("before", np.full(n_in, size))
        behind = DiagonalGain("behind", np.full(n_out, 1 / size))
        return Series("around", (before, graph, behind))

    def _with_any_number(self, graph: Node) -> Node:
        def spoil(values: Array) -> None:
            for _ in range(int(self._rng.integers(1, 4))):
                values.flat[int(self._rng.integers(values.size))] = any_number(self._rng)

        return _spoilt(graph, spoil)

    def _poisoned(self, graph: Node) -> Node:
        """Replace one number by NaN or infinity."""

        def spoil(values: Array) -> None:
            place = int(self._rng.integers(values.size))
            values.flat[place] = self._rng.choice([np.nan, np.inf])

        return _spoilt(graph, spoil)

    # -- texts -------------------------------------------------------------------------------

    def _text(self) -> str:
        kinds = [self._soup, self._expression, self._expression, self._mutated]
        return kinds[int(self._rng.integers(len(kinds)))]()

    def _soup(self) -> str:
        tokens = self._rng.choice(_TOKENS.split(), int(self._rng.integers(1, 12)))
        return f"process = {' '.join(tokens)};"

    def _expression(self) -> str:
        """A mostly valid Faust expression with random channels, sliders and feedback."""
        parts = [self._term() for _ in range(int(self._rng.choice([1, 2, 2, 2, 3])))]
        return f"process = {', '.join(parts)};"

    def _term(self, depth: int = 0) -> str:
        inner = self._term(depth + 1) if depth < 3 and self._rng.random() < 0.9 else "_"
        parts = [self._arithmetic, self._feedback, self._slider, self._button, self._function]
        parts += [self._bargraph, self._delay, self._division]
        return f"({inner} {parts[int(self._rng.integers(len(parts)))]()})"

    def _arithmetic(self) -> str:
        return f": *({any_number(self._rng)!r})" if self._rng.random() < 0.5 else "<: +"

    def _feedback(self) -> str:
        return f": (+ ~ *({any_number(self._rng)!r}))"

    def _delay(self) -> str:
        return f": @({int(self._rng.integers(0, 1000))})"

    def _bargraph(self) -> str:
        return f': hbargraph("{self._label()}", 0, 1)'

    def _button(self) -> str:
        kind = self._rng.choice(["button", "checkbox"])
        return f': *({kind}("{self._label()}"))'

    def _function(self) -> str:
        return f": {self._rng.choice(['exp', 'log', 'sqrt', 'tan', '/(0)', '1/_'])}"

    def _division(self) -> str:
        kinds = ["_ / _", "int(_) % int(_)", "fmod(_, _)", "(_ - _ : 1/_)"]
        return f"<: {self._rng.choice(kinds)}"

    def _slider(self) -> str:
        kind = self._rng.choice(["hslider", "vslider", "nentry"])
        low, high = sorted([any_number(self._rng), any_number(self._rng)])
        return f': *({kind}("{self._label()}", {low!r}, {low!r}, {high!r}, 0.01))'

    def _label(self) -> str:
        return str(self._rng.choice(_LABELS))

    def _mutated(self) -> str:
        """A generated program with a few characters removed, doubled or exchanged."""
        text = list(
            generate(thrown_graph(self._rng, depth=2), fs=_FS, controls=self._controls()).text
        )
        for _ in range(int(self._rng.integers(1, 4))):
            place, other = self._rng.integers(len(text), size=2)
            match int(self._rng.integers(3)):
                case 0:
                    text[place] = ""
                case 1:
                    text[place] *= 2
                case _:
                    text[place] = text[other]
        return "".join(text)


def _same(graph: Node) -> Node:
    return graph


def _spoilt(graph: Node, spoil: Callable[[Array], None]) -> Node:
    """The graph with some numbers of its last part replaced."""
    if isinstance(graph, Series):
        return dataclasses.replace(
            graph, nodes=(*graph.nodes[:-1], _spoilt(graph.nodes[-1], spoil))
        )
    if isinstance(graph, Recursion):
        return dataclasses.replace(graph, forward=_spoilt(graph.forward, spoil))
    for field in dataclasses.fields(graph):
        value = getattr(graph, field.name)
        if isinstance(value, np.ndarray):
            values = np.array(value, dtype=float)
            spoil(values)
            return dataclasses.replace(graph, **{field.name: values})  # type: ignore[arg-type]
    return graph
