"""What a matrix is made of: Kronecker products, reflections, rank one, sums that rows share.

Products and rank one are taken only where they give the matrix back to the last digits of double
precision, so that a program never plays another model than the one it was given.
"""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import numpy as np

from faustwire.graph import Array

# Rounding of a handful of products, relative to the largest entry of a row or column, whichever is
# less: what is large elsewhere may be turned down before or behind the matrix.
_EXACT = 2e-15
# Where the diagonal takes back so many times what the entry is, single precision loses it; of
# reflections of 256 channels it may be 32 times.
_CANCELS_FROM = 100.0


class Kronecker(NamedTuple):
    """matrix = outer ⊗ inner: the inner one on every block, then the outer one across them."""

    outer: Array
    inner: Array


class Reflection(NamedTuple):
    """Rows of four signs, each 2·gain·sign·(half the sum − one operand), as in 2·(J/2 − I).

    Attributes:
        gain: the magnitude of every entry.
        signs: what the inputs are multiplied by to become the operands.
        rows: for each output (which operand, sign).
    """

    gain: float
    signs: tuple[int, ...]
    rows: tuple[tuple[int, int], ...]


class RankOne(NamedTuple):
    """matrix = diag(diagonal) + column·rowᵀ: a Householder reflection is one of these."""

    diagonal: Array
    column: Array
    row: Array


class SharedSums(NamedTuple):
    """Rows of signs that share sums of two.

    Attributes:
        pairs: (first, second, sign): operand n_in + k is first + sign · second.
        rows: for each output its operands and their signs.
    """

    pairs: tuple[tuple[int, int, int], ...]
    rows: tuple[tuple[tuple[int, int], ...], ...]


def kronecker(matrix: Array) -> Kronecker | None:
    """Split a square matrix into blocks that differ by factors alone, 4 × 4 of them or 2 × 2.

    Args:
        matrix: [n, n].

    Returns:
        The factors, 4 × 4 blocks only where they are a reflection; None: there are none.
    """
    size = len(matrix)
    if matrix.shape != (size, size) or size < 4:
        return None
    for parts in (4, 2):
        if size % parts == 0 and size > parts and _may_be_product(matrix, size // parts):
            split = _kronecker(matrix.tobytes(), size, parts)
            if split is not None:
                return split
    return None


def _may_be_product(matrix: Array, block: int) -> bool:
    """Whether two entries of two blocks are in one proportion: tells most matrices apart."""
    (a, b), (c, d) = matrix[::block, :2][:2].tolist()
    largest = float(abs(matrix).max())
    # Four entries, each off by _EXACT times the largest one; what is no number is looked at.
    return not abs(a * d - b * c) > 8 * _EXACT * largest * largest


# The parts of a product ask the same, and a fixed matrix asks again with each program.
@lru_cache(maxsize=64)
def _kronecker(values: bytes, size: int, parts: int) -> Kronecker | None:
    matrix = np.frombuffer(values).reshape(size, size)
    block = size // parts
    row, column = np.unravel_index(int(np.argmax(abs(matrix))), matrix.shape)
    pivot = matrix[row, column]
    if pivot == 0.0:
        return None
    # One row tells most matrices apart.
    outer = matrix[row % block :: block, column % block :: block] / pivot
    if parts == 4 and reflection(outer) is None:
        return None
    top, left = row - row % block, column - column % block
    inner = matrix[top : top + block, left : left + block]
    if not (abs(np.kron(outer[0], inner[0]) - matrix[0]) <= abs(pivot) * _EXACT).all():
        return None
    if not (abs(np.kron(outer, inner) - matrix) <= _rounding(matrix)).all():
        return None
    # A reflection of entries of a half has no factor left.
    return Kronecker(outer / 2, inner * 2) if parts == 4 else Kronecker(outer, inner)


def reflection(matrix: Array) -> Reflection | None:
    """Find a Hadamard matrix of four rows.

    The rows of such a matrix have products of one sign. Where that is negative, one sign of each
    row differs from the other three, in each row another one; a changed sign in the first column
    changes it.

    Args:
        matrix: of any shape.

    Returns:
        Its parts; None: it is no Hadamard matrix of four rows.
    """
    if matrix.shape != (4, 4):
        return None
    gain = float(abs(matrix[0, 0]))
    signs = np.sign(matrix)
    if not (gain and (abs(matrix) == gain).all() and (signs @ signs.T == 4 * np.eye(4)).all()):
        return None
    first = -int(signs[0].prod())
    signs[:, 0] *= first
    majority = np.sign(signs.sum(axis=1))
    odd = np.argmin(signs * majority[:, None], axis=1)
    rows = tuple(zip(odd.tolist(), majority.astype(int).tolist(), strict=True))
    return Reflection(gain, (first, 1, 1, 1), rows)


def rank_one(matrix: Array) -> RankOne | None:
    """Split a square matrix into a diagonal and a rank-one part."""
    size = len(matrix)
    if matrix.shape != (size, size) or size < 4:
        return None
    # One minor tells most matrices apart.
    (a, b), (c, d) = matrix[:2, 2:4].tolist()
    if not abs(a * d - b * c) <= 1e-12 * (abs(a * d) + abs(b * c)):
        return None
    factors = _factors(matrix)
    if factors is None:
        return None
    column, row = factors
    product = np.outer(column, row)
    wanted = _rounding(matrix)
    diagonal = np.diagonal(matrix - product).copy()
    if not (abs(product - matrix + np.diag(diagonal)) <= wanted).all():
        return None
    allowed = np.diagonal(wanted)
    if (abs(np.diagonal(product)) * _EXACT > _CANCELS_FROM * allowed).any():
        return None
    diagonal[abs(diagonal) < allowed] = 0.0
    diagonal[abs(diagonal - 1.0) < allowed] = 1.0
    return RankOne(diagonal, column, row)


def _factors(matrix: Array) -> tuple[Array, Array] | None:
    """(column, row) of the rank-one matrix that has these entries beside its diagonal, if any."""
    outside = matrix - np.diag(np.diagonal(matrix))
    p, q = np.unravel_index(int(np.argmax(abs(outside))), matrix.shape)
    if not 1e-100 < abs(outside[p, q]) < 1e100:
        return None
    column, row = outside[:, q].copy(), outside[p] / outside[p, q]
    others = [i for i in range(len(matrix)) if i not in (p, q)]
    i, j = (max(others, key=lambda k: abs(values[k])) for values in (column, row))
    if min(abs(column[i]), abs(row[j])) < 1e-100:
        return None
    column[q], row[p] = matrix[q, j] / row[j], matrix[i, p] / column[i]
    return column, row


def _rounding(matrix: Array) -> Array:
    """What each entry may be off."""
    magnitudes = abs(matrix)
    rows, columns = magnitudes.max(axis=1, keepdims=True), magnitudes.max(axis=0, keepdims=True)
    return np.asarray(_EXACT * np.minimum(rows, columns))


def shared_sums(matrix: Array) -> SharedSums | None:
    """Find the sums and differences of two that rows of one magnitude and any signs share."""
    magnitude = float(abs(matrix).max())
    # One row tells most matrices apart.
    for part in (matrix[0], matrix):
        if not ((abs(part) == magnitude) | (part == 0.0)).all():
            return None
    return _shared_sums(np.sign(matrix).astype(np.int8).tobytes(), len(matrix))


@lru_cache(maxsize=64)
def _shared_sums(signs: bytes, n_out: int) -> SharedSums | None:
    """Greedily: the pair that most rows hold becomes an operand, until no two rows share one."""
    rows = np.frombuffer(signs, dtype=np.int8).reshape(n_out, -1).astype(np.int32)
    pairs: list[tuple[int, int, int]] = []
    while True:
        product, together = rows.T @ rows, abs(rows).T @ abs(rows)
        counts = np.triu(np.stack([together + product, together - product]), 1) // 2
        kind, first, second = np.unravel_index(int(np.argmax(counts)), counts.shape)
        if counts[kind, first, second] < 2:
            break
        sign = 1 - 2 * int(kind)
        holds = rows[:, first] * rows[:, second] == sign
        rows = np.column_stack([rows, np.where(holds, rows[:, first], 0)])
        rows[holds, first] = rows[holds, second] = 0
        pairs.append((int(first), int(second), sign))
    if not pairs:
        return None
    listed = tuple(tuple((int(c), int(row[c])) for c in row.nonzero()[0]) for row in rows)
    return SharedSums(tuple(pairs), listed)
