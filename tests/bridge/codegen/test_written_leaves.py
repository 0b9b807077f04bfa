"""Leaves that were written before: the program is the same, byte for byte."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from faustwire.controls import sliders
from faustwire.graph import SOS, Gain, Node, Parallel, Recursion, Series
from faustwire_bridge.codegen import WrittenLeaves, generate
from faustwire_bridge.codegen.builder import Place, ProgramBuilder
from faustwire_bridge.core.program_structure import structure
from graphs import fdn
from random_graphs import thrown_graph
from random_loops import KINDS, random_system

FS = 48_000


def nudged(node: Node) -> Node:
    """The same graph after a step of a training that moves its matrices alone."""
    match node:
        case Series() | Parallel():
            return replace(node, nodes=tuple(map(nudged, node.nodes)))
        case Recursion():
            return replace(node, forward=nudged(node.forward), feedback=nudged(node.feedback))
        case Gain():
            return replace(node, matrix=node.matrix * (1 - 1e-3))
        case _:
            return node


def systems() -> list[Node]:
    thrown = [thrown_graph(np.random.default_rng(seed)) for seed in range(15)]
    loops = [random_system(kind, seed, target=0.99).graph for kind in KINDS for seed in range(2)]
    return [*thrown, *loops, fdn(4), fdn(16)]


@pytest.mark.parametrize("knobs", [{}, {"rt60": True, "pre_delay": True}])
def test_a_program_does_not_depend_on_those_before_it(knobs: dict[str, bool]) -> None:
    written = WrittenLeaves()
    for graph in systems():
        for now in (graph, nudged(graph), graph, nudged(graph), graph):
            alone = generate(now, fs=FS, controls=sliders(knobs))
            after_others = generate(now, fs=FS, controls=sliders(knobs), written=written)
            assert after_others == alone
            assert after_others.example == alone.example
            assert structure(alone.example) == structure(alone.text)


def test_leaves_that_stay_as_they_are_are_not_written_again() -> None:
    sections = np.array([0.5, 0.4, 0.1, 1.0, -0.2, 0.1])[None, :, None].repeat(4, 2)
    filters = SOS("filters", sections)
    written = WrittenLeaves()
    calls = []

    def write() -> list[tuple[float, str]]:
        calls.append(1)
        return [(1.0, "x0")]

    def lines(leaf: SOS, operand: str = "x0") -> int:
        written.outputs((leaf,), [(1.0, operand)], ProgramBuilder(), Place("p"), write)
        return len(calls)

    # The first time nobody knows whether it comes again.
    assert [lines(filters) for _ in range(4)] == [1, 2, 2, 2]
    assert lines(filters, "x1") == 3
    assert lines(replace(filters, sections=2 * sections)) == 4
