"""Functions that remember: the same results, whatever was asked before."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from faustwire.graph import Array, DiagonalGain
from faustwire_bridge.analysis.remembered import remembered, remembered_of_leaf


def test_what_is_asked_again_is_not_computed_again() -> None:
    calls = []

    @remembered
    def outer(values: Array, points: Array) -> Array:
        calls.append(values.shape)
        return np.multiply.outer(points, values)

    values, points = np.arange(6.0).reshape(2, 3), np.array([1.0, 2.0])
    first = outer(values, points)
    assert np.array_equal(outer(values.copy(), points), first)
    assert len(calls) == 1
    for other in (values + 1.0, -0.0 * values, values.reshape(3, 2), values.astype(np.int64)):
        outer(other, points)
    outer(values, 1j * points)
    assert len(calls) == 6
    with pytest.raises(ValueError, match="read-only"):
        first[0] = 1.0


def test_large_arrays_are_not_kept() -> None:
    calls = []

    @remembered
    def total(values: Array, points: Array) -> Array:
        calls.append(1)
        return np.asarray(values.sum() + points)

    for _ in range(2):
        total(np.ones(2**15), np.ones(1))
    assert len(calls) == 2


def test_what_a_leaf_does_is_computed_once_while_the_leaf_exists() -> None:
    computed: list[str] = []

    @remembered_of_leaf
    def gains(leaf: DiagonalGain, points: Any) -> Any:
        computed.append(leaf.name)
        return np.multiply.outer(leaf.gains, points)

    one, other = (DiagonalGain(name, np.ones(3)) for name in ("one", "other"))
    points = np.arange(2.0)
    for leaf in (one, other, one, other):
        np.testing.assert_array_equal(gains(leaf, points), [[0.0, 1.0]] * 3)
    assert computed == ["one", "other"]
    np.testing.assert_array_equal(gains(one, points + 1), [[1.0, 2.0]] * 3)
    assert computed == ["one", "other", "one"]


def test_large_and_many_results_of_a_leaf_are_not_kept() -> None:
    computed: list[int] = []

    @remembered_of_leaf
    def zeros(leaf: DiagonalGain, points: Any) -> Any:
        del leaf
        computed.append(len(points))
        return np.zeros(int(points[0]))

    leaf = DiagonalGain("one", np.ones(3))
    large, small = np.array([2.0**14]), [np.array([n + 1.0]) for n in range(100)]
    for _ in range(2):
        zeros(leaf, large)
    assert len(computed) == 2
    for points in (*small, *small):
        zeros(leaf, points)
    assert len(computed) == 202
