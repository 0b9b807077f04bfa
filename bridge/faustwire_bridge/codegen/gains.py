"""Matrices of gains: no work for zeros and ones, less work where there is structure."""

from __future__ import annotations

from faustwire.graph import Array, DiagonalGain, Gain, Householder
from faustwire_bridge.codegen.sheet import ZERO, Place, Sheet, Value, balanced


def write_diagonal_gain(
    node: DiagonalGain, inputs: list[Value], sheet: Sheet, place: Place
) -> list[Value]:
    """y[i] = gains[i] · x[i]."""
    del place
    return [
        sheet.scaled(gain, value) for gain, value in zip(node.gains.tolist(), inputs, strict=True)
    ]


def write_gain(node: Gain, inputs: list[Value], sheet: Sheet, place: Place) -> list[Value]:
    """Multiply by a matrix."""
    del place
    return write_matrix(node.matrix, inputs, sheet)


def write_householder(
    node: Householder, inputs: list[Value], sheet: Sheet, place: Place
) -> list[Value]:
    """Reflect, x − 2u(u·x): N + N multiplications instead of N²."""
    vector = node.vector.tolist()
    if place.exact or sum(value != 0.0 for value in vector) < 3:
        matrix = -2.0 * node.vector[:, None] * node.vector[None, :]
        matrix.flat[:: len(vector) + 1] += 1.0
        return write_matrix(matrix, inputs, sheet)
    projection = sheet.total(
        "p", [sheet.scaled(u, value) for u, value in zip(vector, inputs, strict=True)]
    )
    return [
        sheet.total("h", (value, sheet.scaled(-2.0 * u, projection)))
        for u, value in zip(vector, inputs, strict=True)
    ]


def write_matrix(matrix: Array, inputs: list[Value], sheet: Sheet) -> list[Value]:
    """Multiply by a matrix, [n_out, n_in]."""
    factors = [factor for factor, _ in inputs]
    if (matrix == 0.0).any() or (abs(matrix) == 1.0).any() or not all(factors):
        return _write_sparse(matrix, inputs, sheet)
    operands = inputs
    if any(factor != 1.0 for factor in factors):
        operands = [(1.0, sheet.operand(value)) for value in inputs]
    form = balanced([f"%r*{operand}" for _, operand in operands])
    return [(1.0, sheet.define("m", form % tuple(row))) for row in matrix.tolist()]


def _write_sparse(matrix: Array, inputs: list[Value], sheet: Sheet) -> list[Value]:
    return [
        sheet.total(
            "m",
            [
                sheet.scaled(gain, value)
                for gain, value in zip(row, inputs, strict=True)
                if gain != 0.0
            ],
        )
        if any(row)
        else ZERO
        for row in matrix.tolist()
    ]
