"""Functions that remember their last results: in a training most leaves stay as they are.

Only values count, so that nothing depends on what was computed before: the bytes of arrays, or a
leaf, which can't be changed.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache, wraps
from typing import Any, Concatenate, ParamSpec, TypeAlias, TypeVar
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

from faustwire.graph import Leaf

_Numbers: TypeAlias = NDArray[Any]

# Of results, and of numbers in one that is kept: 32 lines with two filters each at 160 points.
_KEPT = 64
_MAX_NUMBERS = 2**14
# Of results for one leaf, which are of a few sets of points, and of numbers in one.
_KEPT_OF_LEAF = 4
_MAX_OF_LEAF = 2**13

_LeafT = TypeVar("_LeafT", bound=Leaf)
_P = ParamSpec("_P")
_T = TypeVar("_T")


def remembered(
    compute: Callable[[_Numbers, _Numbers], _Numbers],
) -> Callable[[_Numbers, _Numbers], _Numbers]:
    """Remember what a function has returned for small arrays.

    Args:
        compute: of two arrays, the second one flat, and of nothing else.

    Returns:
        The same function; its results can't be written to.
    """

    @lru_cache(maxsize=_KEPT)
    def known(
        shape: tuple[int, ...], kinds: tuple[str, str], values: bytes, points: bytes
    ) -> _Numbers:
        first = np.frombuffer(values, dtype=kinds[0]).reshape(shape)
        result = compute(first, np.frombuffer(points, dtype=kinds[1]))
        result.setflags(write=False)
        return result

    @wraps(compute)
    def looked_up(values: _Numbers, points: _Numbers) -> _Numbers:
        if values.size * points.size > _MAX_NUMBERS:
            return compute(values, points)
        kinds = values.dtype.char, points.dtype.char
        return known(values.shape, kinds, values.tobytes(), points.tobytes())

    return looked_up


def remembered_of_leaf(
    compute: Callable[Concatenate[_LeafT, _P], _T],
) -> Callable[Concatenate[_LeafT, _P], _T]:
    """Remember what a function has returned for leaves that still exist, if it is small.

    Args:
        compute: of a leaf, of arrays of points, and of nothing else.

    Returns:
        The same function; its results must not be written to.
    """
    known: WeakKeyDictionary[_LeafT, dict[tuple[bytes, ...], _T]] = WeakKeyDictionary()

    @wraps(compute)
    def looked_up(leaf: _LeafT, /, *points: _P.args, **none: _P.kwargs) -> _T:
        results = known.get(leaf)
        if results is None:
            results = known[leaf] = {}
        key = tuple(array.tobytes() for array in points)  # type: ignore[attr-defined]
        if key in results:
            return results[key]
        result = compute(leaf, *points, **none)
        if getattr(result, "size", 1) <= _MAX_OF_LEAF:
            if len(results) >= _KEPT_OF_LEAF:
                results.clear()
            results[key] = result
        return result

    return looked_up
