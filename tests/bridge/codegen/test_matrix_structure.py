"""What a matrix is made of is written only where single precision plays the same."""

from __future__ import annotations

import numpy as np
import pytest

from faustwire.graph import Array, Delay, DiagonalGain, Gain, Node, Parallel, Recursion, Series
from faustwire_bridge.children.libfaust import compile_program
from faustwire_bridge.codegen import generate
from faustwire_bridge.codegen.matrix_structure import kronecker, rank_one

FS = 48_000


def loudest(graph: Node) -> float:
    """The largest sample that its program makes of a second of noise."""
    program = compile_program(generate(graph, fs=FS).text)
    noise = np.random.default_rng(1).uniform(-1, 1, (program.n_in, FS))
    return float(abs(program.render(noise, FS)).max())


def loop(matrix: Array) -> Node:
    """Its first channel is turned down before the matrix, its last one twice what it leaves."""
    before = DiagonalGain("before", np.array([1e-17, 1.0, 1.0, 1.0]))
    beside = DiagonalGain("beside", np.array([0.0, 0.0, 0.0, 1.5]))
    back = Parallel("back", (beside, Series("mixed", (before, Gain("mix", matrix)))))
    return Recursion("loop", Delay("lines", np.full(4, 100.0)), back)


def test_small_entries_beside_large_ones_are_no_rounding() -> None:
    """Without the last one the loop, which decays, would grow."""
    matrix = np.diag([1e16, 0.5, 0.5, -0.9])
    assert kronecker(matrix) is None
    assert loudest(loop(matrix)) < 10
    scaled = np.kron(np.diag([1e16, 1.0]), np.array([[0.5, 0.3], [0.1, 0.2]]))
    assert kronecker(scaled) is not None


def test_a_diagonal_that_takes_back_what_is_far_larger_is_written_as_it_is() -> None:
    """A matrix of rank one but for its diagonal, whose largest entry would be 3e7 − 3e7 + 0.5."""
    column = np.array([1e4, 1e-4, 1e-4, 1e-4])
    matrix = 0.3 * np.outer(column, column)
    np.fill_diagonal(matrix, [0.5, 0.1, 0.1, 0.1])
    assert abs(np.linalg.eigvals(matrix)).max() < 0.95
    lines = Delay("lines", np.array([100.0, 120.0, 140.0, 160.0]))
    assert rank_one(matrix) is None
    assert loudest(Recursion("loop", lines, Gain("mix", matrix))) < 10


@pytest.mark.parametrize("size", [4, 16, 64])
def test_reflections_are_rank_one_all_the_same(size: int) -> None:
    vector = np.random.default_rng(size).normal(size=size)
    vector /= np.linalg.norm(vector)
    assert rank_one(np.eye(size) - 2 * np.outer(vector, vector)) is not None
