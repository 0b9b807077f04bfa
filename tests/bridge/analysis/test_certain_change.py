"""A change that a few points prove is one that all points show."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from faustwire.graph import Delay, Gain, Node, Recursion, Series
from faustwire_bridge.analysis.change import WrittenModel, certain_change_db, change_db
from faustwire_bridge.codegen import generate
from graphs import fdn, gain

FS = 48_000.0


def written(graph: Node) -> WrittenModel:
    program = generate(graph, fs=FS)
    return WrittenModel(program.text, graph, FS, {}, program.example)


def nudged(graph: Node, by: float) -> Node:
    """The same graph with its output gains a little larger."""
    assert isinstance(graph, Series)
    *before, last = graph.nodes
    assert isinstance(last, Gain)
    return replace(graph, nodes=(*before, replace(last, matrix=last.matrix * (1 + by))))


@pytest.mark.parametrize("lines", [1, 4, 16])
@pytest.mark.parametrize("by", [1e-2, 1e-3, 1e-4, 1e-6, 0.0])
def test_it_is_never_more_than_the_change(lines: int, by: float) -> None:
    before, after = written(fdn(lines)), written(nudged(fdn(lines), by))
    all_points = change_db(before, after, 1.0)
    some = certain_change_db(before, after, None)
    assert by == 0.0 or some is not None
    assert (-math.inf if some is None else some) <= all_points + 1e-9


def test_a_smaller_change_than_asked_for_is_not_told() -> None:
    before, after = written(fdn(4)), written(nudged(fdn(4), 1e-3))
    some = certain_change_db(before, after, None)
    assert some is not None
    assert certain_change_db(before, after, some - 0.1) == some
    closer = certain_change_db(before, after, some + 0.1)
    assert closer is None or closer >= some + 0.1
    assert certain_change_db(before, after, change_db(before, after, 1.0) + 0.1) is None


@pytest.mark.parametrize("lines", [1, 4, 16])
@pytest.mark.parametrize("by", [1e-2, 1e-4, 1e-6])
def test_what_is_far_below_the_bound_on_the_gain_is_looked_at_in_an_octave(
    lines: int, by: float
) -> None:
    before, after = written(fdn(lines)), written(nudged(fdn(lines), by))
    some, all_points = certain_change_db(before, after, None), change_db(before, after, 1.0)
    assert some is not None
    least_db = (some + all_points) / 2
    closer = certain_change_db(before, after, least_db)
    assert closer is None or least_db <= closer <= all_points + 1e-9


def test_another_structure_is_another_sound() -> None:
    assert certain_change_db(written(fdn(4)), written(fdn(5)), -80.0) == math.inf


def test_what_has_no_bound_on_its_gain_is_not_told() -> None:
    def lossless(value: float) -> WrittenModel:
        loop = Recursion("loop", Delay("d", np.array([300.0])), gain(1.0))
        return written(Series("s", (loop, gain(value))))

    assert certain_change_db(lossless(1.2), lossless(1.3), -80.0) is None
    assert certain_change_db(written(gain(1.2)), written(gain(1.3)), -80.0) is not None
