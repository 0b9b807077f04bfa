"""Matrices of gains: no work for zeros and ones, less work where there is structure."""

from __future__ import annotations

import math

import numpy as np

from faustwire.graph import Array, DiagonalGain, Gain, Householder
from faustwire_bridge.codegen.builder import Place, ProgramBuilder, Value, balanced
from faustwire_bridge.codegen.matrix_structure import (
    Kronecker,
    RankOne,
    Reflection,
    SharedSums,
    kronecker,
    rank_one,
    reflection,
    shared_sums,
)

# A sum that libfaust's simplifier does not look into. It flattens sums of sums, which would
# multiply butterflies out to the dense matrix again; ``attach`` stops it and costs nothing at run
# time.
_OPAQUE = "attach(%s,0)"
# Dense rows of so many terms are opaque, too: libfaust puts them in order once, not again for the
# sums that they enter. With 32 lines 5 % less to compile (10 % in Faust 2.83.3), and 6 % less to
# run; with 8 lines nothing is gained in compiling.
_LONG_ROW = 16


def write_diagonal_gain(
    node: DiagonalGain, inputs: list[Value], builder: ProgramBuilder, place: Place
) -> list[Value]:
    """y[i] = gains[i] · x[i].

    Args:
        node: its gains, [n].
        inputs: [n].
        builder: gets the definitions.
        place: not used: gains are written alike everywhere.

    Returns:
        [n].
    """
    del place
    return [
        builder.scaled(gain, value) for gain, value in zip(node.gains.tolist(), inputs, strict=True)
    ]


def write_gain(
    node: Gain, inputs: list[Value], builder: ProgramBuilder, place: Place
) -> list[Value]:
    """Multiply by a matrix.

    Args:
        node: its matrix, [n_out, n_in].
        inputs: [n_in].
        builder: gets the definitions.
        place: where the node stands; an exact place gets no products of cheap matrices.

    Returns:
        [n_out].
    """
    # A cheap form lets every output depend on every input, needed or not.
    return write_matrix(node.matrix, inputs, builder, structured=not place.exact)


def write_householder(
    node: Householder, inputs: list[Value], builder: ProgramBuilder, place: Place
) -> list[Value]:
    """Reflect, x − v(v·x) with v = √2·u: N + N multiplications instead of N².

    Args:
        node: its vector u, [n].
        inputs: [n].
        builder: gets the definitions.
        place: where the node stands; an exact place gets the full matrix.

    Returns:
        [n].
    """
    if place.exact or np.count_nonzero(node.vector) < 3:
        return write_matrix(node.matrix, inputs, builder, structured=False)
    scaled = math.sqrt(2) * node.vector
    return _write_rank_one(RankOne(np.ones(len(scaled)), -scaled, scaled), inputs, builder)


def write_matrix(
    matrix: Array,
    inputs: list[Value],
    builder: ProgramBuilder,
    *,
    structured: bool,
    form: str = "%s",
) -> list[Value]:
    """Multiply by a matrix.

    Args:
        matrix: [n_out, n_in].
        inputs: [n_in].
        builder: gets the definitions.
        structured: whether products of cheap matrices may stand for this one.
        form: of the sums that are the outputs.

    Returns:
        [n_out].
    """
    if structured and len(inputs) > 3:
        cheap = _write_structured(matrix, inputs, builder, form)
        if cheap is not None:
            return cheap
    factors = np.array([factor for factor, _ in inputs])
    if not _is_dense(matrix) or not factors.all() or not np.isfinite(matrix * factors).all():
        return _write_rows(matrix, inputs, builder, form)
    if form == "%s" and len(inputs) >= _LONG_ROW:
        form = _OPAQUE
    row_form = form % balanced([f"%r*{operand}" for _, operand in inputs])
    rows = (matrix * factors).tolist()
    return [(1.0, name) for name in builder.define_rows("m", row_form, rows)]


def _write_structured(
    matrix: Array, inputs: list[Value], builder: ProgramBuilder, form: str
) -> list[Value] | None:
    """Write a matrix in the first cheap form that it has; None: it has none."""
    if four := reflection(matrix):
        return _write_reflection(four, inputs, builder, form)
    if split := kronecker(matrix):
        return _write_kronecker(split, inputs, builder, form)
    if sum_of := rank_one(matrix):
        return _write_rank_one(sum_of, inputs, builder, form)
    if shared := shared_sums(matrix):
        return _write_shared(shared, float(abs(matrix).max()), inputs, builder, form)
    return None


def _is_dense(matrix: Array) -> bool:
    """Whether every row is a sum of products: no zeros, no rows of one magnitude."""
    if matrix.shape[1] == 1:
        return False
    magnitudes = abs(matrix)
    one_each = (magnitudes == magnitudes[0, 0]).any(axis=1).all()
    return not (magnitudes.min() == 0.0 or one_each)


def _write_rows(
    matrix: Array, inputs: list[Value], builder: ProgramBuilder, form: str
) -> list[Value]:
    """Row by row, without zeros; equal rows once."""
    if form == "%s" and len(inputs) == 1:
        return _write_column(matrix[:, 0].tolist(), inputs[0], builder)
    written: dict[tuple[float, ...], Value] = {}
    rows = [tuple(row) for row in matrix.tolist()]
    for row in rows:
        if row not in written:
            pairs = zip(row, inputs, strict=True)
            terms = [builder.scaled(gain, value) for gain, value in pairs if gain != 0.0]
            written[row] = builder.total("m", terms, form)
    return [written[row] for row in rows]


def _write_column(gains: list[float], value: Value, builder: ProgramBuilder) -> list[Value]:
    """Gains of one input; equal ones once."""
    scaled = {gain: builder.scaled(gain, value) for gain in dict.fromkeys(gains)}
    return [scaled[gain] for gain in gains]


def _write_kronecker(
    split: Kronecker, inputs: list[Value], builder: ProgramBuilder, form: str
) -> list[Value]:
    """The inner matrix on every block, then the outer one across them."""
    size = len(split.inner)
    blocks = [
        write_matrix(split.inner, inputs[at : at + size], builder, structured=True, form=_OPAQUE)
        for at in range(0, len(inputs), size)
    ]
    across = [
        write_matrix(split.outer, list(values), builder, structured=True, form=form)
        for values in zip(*blocks, strict=True)
    ]
    return [value for outputs in zip(*across, strict=True) for value in outputs]


def _write_reflection(
    four: Reflection, inputs: list[Value], builder: ProgramBuilder, form: str
) -> list[Value]:
    """Each output from half the sum and one operand; being a product, the half is opaque."""
    operands = [
        _signed_operand(builder.scaled(2 * four.gain * sign, value), builder)
        for sign, value in zip(four.signs, inputs, strict=True)
    ]
    half_sign, half = builder.total("m", _positive_first(operands), "0.5*(%s)")
    outputs = []
    for one, row_sign in four.rows:
        sign, operand = operands[one]
        pair = [(row_sign * half_sign, half), (-row_sign * sign, operand)]
        outputs.append(builder.total("m", _positive_first(pair), form))
    return outputs


def _signed_operand(value: Value, builder: ProgramBuilder) -> Value:
    """The same value with a factor of 1, −1 or 0."""
    factor, operand = value
    if abs(factor) in (0.0, 1.0):
        return value
    return (math.copysign(1.0, factor), builder.operand((abs(factor), operand)))


def _positive_first(terms: list[Value]) -> list[Value]:
    """A sum that begins with a positive term needs no sign of its own."""
    return sorted(terms, key=lambda value: value[0] < 0)


def _write_shared(
    shared: SharedSums, magnitude: float, inputs: list[Value], builder: ProgramBuilder, form: str
) -> list[Value]:
    operands = list(inputs)
    for first, second, sign in shared.pairs:
        pair = (operands[first], builder.scaled(sign, operands[second]))
        operands.append(builder.total("m", pair, _OPAQUE))
    return [
        builder.scaled(
            magnitude,
            builder.total("m", [builder.scaled(sign, operands[c]) for c, sign in row], form),
        )
        for row in shared.rows
    ]


def _write_rank_one(
    parts: RankOne, inputs: list[Value], builder: ProgramBuilder, form: str = "%s"
) -> list[Value]:
    row, column, diagonal = (
        values.tolist() for values in (parts.row, parts.column, parts.diagonal)
    )
    projected = builder.total(
        "p", [builder.scaled(gain, value) for gain, value in zip(row, inputs, strict=True)]
    )
    return [
        builder.total("h", (builder.scaled(own, value), builder.scaled(gain, projected)), form)
        for own, gain, value in zip(diagonal, column, inputs, strict=True)
    ]
