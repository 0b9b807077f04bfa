"""Random graphs and texts, valid and not, through a bridge's core and a real libfaust.

    python tools/gate_fuzz.py --count 100000 --seed 1

Every program that the core decides to write must compile in libfaust, have 2 outputs and at most 2
inputs, answer a second of noise with finite samples, and declare its sliders in a safe order. Fails
with the first program that does not. No sockets or files are involved.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import select
import sys
import time
from collections import Counter
from collections.abc import Callable
from typing import Any

import numpy as np
from cyfaust import cyfaust

from faustwire import codec
from faustwire.controls import Slider, sliders
from faustwire.errors import FaustwireError
from faustwire.graph import DiagonalGain, Gain, Node, Recursion, Series, channels
from faustwire.messages import Hello, OwnProgram, Reason, Snapshot, Verdict, Welcome
from faustwire.packed_snapshot import read
from faustwire_bridge.analysis.judgement import judge
from faustwire_bridge.children.compiler import Compiler, Failed, Missing
from faustwire_bridge.children.libfaust import compile_program
from faustwire_bridge.codegen import generate
from faustwire_bridge.core import events, instructions, pipeline, state_machine
from faustwire_bridge.core.sound_limits import Limits
from random_graphs import thrown_graph

_FS = 48_000
_TOKENS = "_ ! + * - ~ : , <: :> @ 1 0 0.5 2.5 ( ) mem ' / process = ; exp log 1e30 sqrt"
_LABELS = ("a", "b", "Z", "[2]c", "[1]d", "dry/wet", "e f", "h:g/x")


class Fuzz:
    """A core with a real libfaust, whose disk checks every program that it is given.

    Attributes:
        reasons: number of calls by reason.
    """

    def __init__(self, seed: int) -> None:
        self.reasons: Counter[str] = Counter()
        self._rng = np.random.default_rng(seed)
        self._compiler = Compiler("live")
        self._core = state_machine.Core(Welcome(1, "here", "/live.dsp"), 0.0)
        self._core.handle(events.Arrived(b"fuzz", Hello("fuzz", "1", min_interval=0)), 0.0)
        self._seq = 0

    def close(self) -> None:
        """End libfaust."""
        self._compiler.close()

    def step(self) -> Reason | None:
        """Make one random call.

        Returns:
            The reason; None: no valid message came of it.

        Raises:
            AssertionError: a harmful program would have been written.
        """
        self._seq += 1
        try:
            message = read(codec.encode(self._message()))
        except FaustwireError:
            self.reasons["no message"] += 1
            return None
        # So much time that whatever failed may be tried again.
        now = self._seq * pipeline.RETRY_SECONDS
        reason = self._handle(events.Arrived(b"fuzz", message), now)
        self.reasons[str(reason)] += 1
        return reason

    def _handle(self, event: events.CoreEvent, now: float) -> Reason:
        made = self._core.handle(event, now)
        [instruction] = [one for one in made if not isinstance(one, instructions.Happened)]
        match instruction:
            case instructions.Judge(data, playing, playing_db):
                judged = judge(data, limits=Limits(), playing=playing, playing_db=playing_db)
                return self._handle(judged, now)
            case instructions.Compile(program, play, thorough):
                return self._handle(self._compile(program, play=play, thorough=thorough), now)
            case instructions.Write(program):
                check(program, self._rng)
                return self._handle(events.Written(), now)
            case instructions.Send(message=Verdict(reason=reason)):
                return reason
        raise AssertionError(f"unexpected: {instruction}")

    def _compile(self, program: str, *, play: bool, thorough: bool) -> events.CoreEvent:
        self._compiler.ask(program, play=play, thorough=thorough)
        while (answer := self._compiler.receive()) is None:
            descriptor = self._compiler.fileno()
            assert descriptor is not None
            select.select([descriptor], [], [], 0.1)
        assert not isinstance(answer, Missing)
        return (
            events.CompileFailed(answer.problem)
            if isinstance(answer, Failed)
            else events.Compiled(answer)
        )

    # -- what is sent ------------------------------------------------------------------------

    def _message(self) -> Snapshot | OwnProgram:
        if self._rng.random() < 0.4:
            return OwnProgram(self._seq, self._text())
        graph = self._graph()
        return Snapshot(
            self._seq, self._seq, float(_FS), graph, force=True, controls=self._controls()
        )

    def _controls(self) -> dict[str, Slider]:
        wanted = [name for name in ("rt60", "dry_wet", "pre_delay") if self._rng.random() < 0.3]
        return sliders(dict.fromkeys(wanted, True))

    def _graph(self) -> Node:
        graph = thrown_graph(self._rng, depth=int(self._rng.integers(0, 4)))
        harm: list[Callable[[Node], Node]] = [
            _same,
            _same,
            self._in_loop,
            self._loud,
            self._poisoned,
        ]
        return harm[int(self._rng.integers(len(harm)))](graph)

    def _in_loop(self, graph: Node) -> Node:
        """Close a loop around the graph, with a gain from far too small to far too large."""
        n_in, n_out = channels(graph)
        gain = 10 ** self._rng.uniform(-2, 1) * self._rng.normal(size=(n_in, n_out))
        return Recursion("loop", graph, Gain("back", gain))

    def _loud(self, graph: Node) -> Node:
        size = channels(graph)[1]
        return Series("loud", (graph, DiagonalGain("g", 10 ** self._rng.uniform(-40, 40, size))))

    def _poisoned(self, graph: Node) -> Node:
        """Replace one number by NaN or infinity."""
        if isinstance(graph, Series):
            return dataclasses.replace(
                graph, nodes=(*graph.nodes[:-1], self._poisoned(graph.nodes[-1]))
            )
        for field in dataclasses.fields(graph):
            value = getattr(graph, field.name)
            if isinstance(value, np.ndarray):
                spoilt = np.array(value, dtype=float)
                spoilt.flat[int(self._rng.integers(spoilt.size))] = self._rng.choice(
                    [np.nan, np.inf]
                )
                return dataclasses.replace(graph, **{field.name: spoilt})  # type: ignore[arg-type]
        return graph

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
        def deeper() -> str:
            return self._term(depth + 1) if depth < 3 else "_"

        number = repr(float(self._rng.normal()))
        match int(self._rng.integers(9)):
            case 0:
                return f"({deeper()} : *({number}))"
            case 1:
                return f"({deeper()} : @({int(self._rng.integers(0, 1000))}))"
            case 2:
                return f"({deeper()} : (+ ~ *({number})))"
            case 3:
                return f"({deeper()} <: +)"
            case 4:
                kind = self._rng.choice(["hslider", "vslider", "nentry"])
                low, high = sorted(self._rng.normal(size=2).tolist())
                return (
                    f'({deeper()} : *({kind}("{self._label()}", {low!r}, {low!r}, {high!r}, 0.01)))'
                )
            case 5:
                return f'({deeper()} : hbargraph("{self._label()}", 0, 1))'
            case 6:
                kind = self._rng.choice(["button", "checkbox"])
                return f'({deeper()} : *({kind}("{self._label()}")))'
            case 7:
                function = self._rng.choice(["exp", "log", "sqrt", "tan", "/(0)", "1/_"])
                return f"({deeper()} : {function})"
            case _:
                return "_"

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


def check(program: str, rng: np.random.Generator) -> None:
    """Check a program that would be written against what the plugin needs.

    Raises:
        AssertionError: the plugin could not run it safely.
    """
    compiled = compile_program(program, name="live")
    assert compiled.n_out == 2, program
    assert compiled.n_in <= 2, program
    noise = rng.uniform(-1, 1, (compiled.n_in, _FS))
    assert np.isfinite(compiled.render(noise, _FS)).all(), program
    _check_sliders(program)


def _check_sliders(program: str) -> None:
    """Ranges come in the order of the interface, values in that of addresses, as in the plugin."""

    def flat(items: list[dict[str, Any]]) -> list[dict[str, Any]]:
        return [leaf for item in items for leaf in flat(item.get("items", [])) or [item]]

    ui = json.loads(cyfaust.create_dsp_factory_from_string("live", program).get_json())["ui"]
    leaves = [item for item in flat(ui) if "address" in item]
    ranged = [item for item in leaves if not item["type"].endswith("bargraph")]
    values = dict(sorted({item["address"]: item for item in leaves}.items()))
    for one, other in zip(ranged, values.values(), strict=False):
        assert [one.get(key, key == "max") for key in ("init", "min", "max")] == [
            other.get(key, key == "max") for key in ("init", "min", "max")
        ], program
        assert not other["type"].endswith("bargraph"), program


def main() -> None:
    """Run the fuzz and print the counts."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--count", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    fuzz, begun = Fuzz(options.seed), time.monotonic()
    for number in range(1, options.count + 1):
        fuzz.step()
        if number % 1000 == 0 or number == options.count:
            told = ", ".join(f"{reason} {count}" for reason, count in fuzz.reasons.most_common())
            sys.stdout.write(f"{number} in {time.monotonic() - begun:.0f} s: {told}\n")
            sys.stdout.flush()
    fuzz.close()


if __name__ == "__main__":
    main()
