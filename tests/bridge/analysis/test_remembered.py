"""Functions that remember: the same results, whatever was asked before."""

from __future__ import annotations

import numpy as np
import pytest

from faustwire.graph import Array
from faustwire_bridge.analysis.remembered import remembered


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
