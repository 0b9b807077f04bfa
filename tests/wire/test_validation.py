"""What makes a graph well-formed."""

# Lists stand for arrays here: leaves copy whatever they get.
# mypy: disable-error-code="arg-type"

from __future__ import annotations

import time

import numpy as np
import pytest

from faustwire import validation
from faustwire.errors import GraphError, NonFiniteError
from faustwire.graph import (
    FIR,
    SOS,
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
from graphs import fdn


def problem(graph: Node) -> str:
    with pytest.raises(GraphError) as error:
        validation.check(graph)
    return str(error.value)


def section(*coefficients: float) -> SOS:
    return SOS("s", np.reshape(coefficients, (1, 6, 1)))


def test_a_good_graph_has_its_channels_counted() -> None:
    assert validation.check(fdn(4)) == (1, 1)


@pytest.mark.parametrize(
    ("node", "expected"),
    [
        (Gain("g", np.ones((2, 3))), (3, 2)),
        (DiagonalGain("g", np.ones(3)), (3, 3)),
        (Householder("h", np.ones(3)), (3, 3)),
        (Delay("d", np.ones(3)), (3, 3)),
        (Delay("d", np.ones((2, 3))), (3, 2)),
        (FIR("f", np.ones((5, 3))), (3, 3)),
        (FIR("f", np.ones((5, 2, 3))), (3, 2)),
        (SOS("s", np.ones((5, 6, 3))), (3, 3)),
        (SOS("s", np.ones((5, 6, 2, 3))), (3, 2)),
        (Parallel("p", (Gain("a", np.ones((2, 3))), Gain("b", np.ones((2, 3))))), (3, 2)),
        (
            Parallel("p", (Gain("a", np.ones((2, 3))), Gain("b", np.ones((1, 3)))), "concatenate"),
            (3, 3),
        ),
    ],
)
def test_channels_follow_from_the_shapes(node: Node, expected: tuple[int, int]) -> None:
    assert channels(node) == expected
    assert validation.check(node) == expected


def test_values_are_private_and_frozen() -> None:
    source = np.ones((1, 1))
    leaf = Gain("g", source)
    source[0, 0] = 5.0
    assert leaf.matrix[0, 0] == 1.0
    with pytest.raises(ValueError, match="read-only"):
        leaf.matrix[0, 0] = 2.0


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_a_value_that_is_not_finite_is_named(value: float) -> None:
    graph = Series("core", (Gain("a", [[1.0]]), Gain("b", [[value]])))
    with pytest.raises(NonFiniteError, match=r"at core\.b: matrix\[0, 0\] is"):
        validation.check(graph)


@pytest.mark.parametrize(
    ("graph", "expected"),
    [
        (Gain("g", [1.0]), "matrix has 1 dimensions, not 2"),
        (Gain("g", np.ones((0, 2))), "matrix is empty"),
        (Delay("d", [-1.0]), "can't be negative"),
        (Delay("d", [1e9]), "at most 2097152"),
        (Delay("d", [1.0], [1.0, 2.0]), "differ in shape"),
        (Delay("d", [1.0], [np.nan]), "gains[0] is nan"),
        (section(1, 0, 0, 2, 0, 0), "a0 is not 1"),
        (SOS("s", np.ones((1, 5, 1))), "not b0 b1 b2 a0 a1 a2"),
        (SOS("s", np.ones((300, 6, 1))), "300 sections"),
        (DiagonalGain("g", np.ones(300)), "300 channels"),
        (Series("s", ()), "without nodes"),
        (Series("s", (Gain("a", np.ones((2, 1))), Gain("b", np.ones((1, 3))))), "b takes 3"),
        (Parallel("p", (Gain("a", np.ones((2, 1))), Gain("b", np.ones((2, 2))))), "numbers of ch"),
        (Parallel("p", (Gain("a", np.ones((2, 1))), Gain("b", np.ones((1, 1))))), "to be summed"),
        (Recursion("r", Delay("d", [1.0, 1.0]), Gain("g", np.ones((1, 2)))), "feedback must be"),
        (Gain("n" * 300, [[1.0]]), "longer than 256"),
    ],
)
def test_what_can_not_be_is_refused_with_a_reason(graph: Node, expected: str) -> None:
    assert expected in problem(graph)


def test_nesting_and_size_are_bounded() -> None:
    deep: Node = Gain("g", [[1.0]])
    for _ in range(validation.MAX_DEPTH):
        deep = Series("s", (deep,))
    assert "nested deeper" in problem(deep)
    leaf = Gain("g", [[1.0]])
    assert "nodes" in problem(Series("s", (leaf,) * validation.MAX_NODES))
    big = FIR("f", np.ones((2**17, 5)))
    assert "numbers" in problem(Series("s", (big, big)))


LOOPS = {
    "no delay at all": Recursion("r", Gain("f", [[0.5]]), Gain("b", [[0.5]])),
    "a delay on one channel only": Recursion(
        "r", Delay("f", [5.0, 0.0]), Gain("b", np.full((2, 2), 0.1))
    ),
    "half a sample is none": Recursion("r", Delay("f", [0.5]), Gain("b", [[0.5]])),
    "hidden in a nested recursion": Recursion(
        "outer",
        Gain("f", [[0.5]]),
        Recursion("inner", Gain("g", [[0.5]]), Delay("d", [3.0])),
    ),
    "a filter whose first tap isn't zero": Recursion(
        "r", FIR("f", [[0.5], [0.5]]), Gain("b", [[1.0]])
    ),
    "a section with b0": Recursion("r", section(0.5, 0, 0, 1, 0, 0), Gain("b", [[1.0]])),
}


@pytest.mark.parametrize("name", LOOPS)
def test_a_loop_without_delay_is_refused(name: str) -> None:
    assert "a loop without delay" in problem(LOOPS[name])


FINE = {
    "delays in the feedback path": Recursion("r", Gain("f", [[0.5]]), Delay("b", [1.0])),
    "one channel delayed there, the other here": Recursion(
        "r", Delay("f", [1.0, 0.0]), Delay("b", [0.0, 1.0])
    ),
    "no channel reaches itself": Recursion(
        "r", Delay("f", [0.0, 3.0]), Gain("b", [[0.0, 1.0], [1.0, 0.0]])
    ),
    "a filter without a first tap": Recursion("r", FIR("f", [[0.0], [0.5]]), Gain("b", [[1.0]])),
    "a section without b0": Recursion("r", section(0, 0.5, 0, 1, 0, 0), Gain("b", [[1.0]])),
    "as good as whole": Recursion("r", Delay("f", [1 - 1e-7]), Gain("b", [[0.5]])),
    "a loop inside a delay": Recursion(
        "outer", Delay("d", [2.0]), Recursion("inner", Delay("e", [1.0]), Gain("g", [[0.5]]))
    ),
}


@pytest.mark.parametrize("name", FINE)
def test_wherever_the_delay_sits_a_loop_that_has_one_is_fine(name: str) -> None:
    validation.check(FINE[name])


def test_the_largest_loops_are_checked_in_no_time() -> None:
    """Followed as matrices of 256 x 256, a message of 4 MB would stop the bridge for 20 s."""
    diagonal = DiagonalGain("d", np.ones(256))
    back = Delay("back", np.ones(256))
    begun = time.process_time()
    validation.check(Recursion("loop", Series("s", (diagonal,) * 4000), back))
    validation.check(Recursion("loop", Parallel("p", (diagonal,) * 4000), back))
    assert time.process_time() - begun < 1.0


def test_a_reflection_counts_as_its_matrix() -> None:
    mirrors = Series("mirrors", (Householder("h", np.full(256, 1 / 16)),) * 17)
    with pytest.raises(GraphError, match="more than 1048576 numbers"):
        validation.check(mirrors)


def test_concatenated_channels_are_counted() -> None:
    wide = Parallel("wide", (DiagonalGain("d", np.ones(256)),) * 2, "concatenate")
    with pytest.raises(GraphError, match="512 channels; at most 256"):
        validation.check(wide)
