"""Finite impulse responses: taps of zero cost nothing, so sparse responses stay sparse.

libfaust's compile time grows with the square of the number of terms in a sum. A long response is
therefore written as a chain of short sums, each of which adds what the rest of the chain gave some
samples ago (Horner's scheme in the delay operator, a block of taps at a time): compile time grows
more slowly, and the program runs faster, since a block reads only recent samples.
``benchmarks/compile_time.py`` has the figures.
"""

from __future__ import annotations

from collections.abc import Sequence

from faustwire.graph import FIR, Array
from faustwire_bridge.codegen.builder import Place, ProgramBuilder, Value, delayed

# Taps in a sum. Of 8,000 taps, 32 and 128 took about a tenth longer to compile and to run.
_BLOCK = 64
# Up to here one sum, which is as fast.
_MAX_SINGLE = 128


def write_fir(node: FIR, inputs: list[Value], builder: ProgramBuilder, place: Place) -> list[Value]:
    """Write FIR filters: y[i] = taps[:, i] ∗ x[i], or a sum over the inputs for taps per entry.

    Args:
        node: its taps are [taps, channels] or [taps, outputs, inputs].
        inputs: one signal per input.
        builder: gets the definitions.
        place: where in the graph the node stands.

    Returns:
        One signal per output.
    """
    operands = [value if value[0] == 0.0 else (1.0, builder.operand(value)) for value in inputs]
    if node.taps.ndim == 2:
        return [
            builder.total("f", _filtered(node.taps[:, i], value, builder, place))
            for i, value in enumerate(operands)
        ]
    return [
        builder.total(
            "f",
            [
                part
                for i, value in enumerate(operands)
                for part in _filtered(node.taps[:, o, i], value, builder, place)
            ],
        )
        for o in range(node.taps.shape[1])
    ]


def _filtered(taps: Array, value: Value, builder: ProgramBuilder, place: Place) -> list[Value]:
    """The terms whose sum is the filtered signal."""
    factor, operand = value
    if factor == 0.0:
        return []
    steps = taps.nonzero()[0].tolist()
    if len(steps) > _MAX_SINGLE:
        return _chained(taps, steps, operand, builder, place)
    return [
        (taps.item(step), delayed(operand, step, builder, in_loop=place.in_loop)) for step in steps
    ]


def _chained(
    taps: Array, steps: Sequence[int], operand: str, builder: ProgramBuilder, place: Place
) -> list[Value]:
    """The first block's terms and the rest of the chain, written from its end."""
    blocks = [steps[first : first + _BLOCK] for first in range(0, len(steps), _BLOCK)]
    rest: list[Value] = []
    for block, before in zip(reversed(blocks), [*reversed(blocks[:-1]), [0]], strict=True):
        block_sum = [*_terms(taps, block, operand, builder, place), *rest]
        rest = _late(block_sum, block[0] - before[0], builder, place)
    return rest


def _terms(
    taps: Array, steps: Sequence[int], operand: str, builder: ProgramBuilder, place: Place
) -> list[Value]:
    """Products of the taps at some steps, read so that the first needs no delay."""
    return [
        (taps.item(step), delayed(operand, step - steps[0], builder, in_loop=place.in_loop))
        for step in steps
    ]


def _late(values: list[Value], steps: int, builder: ProgramBuilder, place: Place) -> list[Value]:
    """The sum of some values, so many samples later."""
    if steps == 0:
        return values
    factor, operand = builder.total("f", values)
    return [(factor, delayed(operand, steps, builder, in_loop=place.in_loop))]
