"""Finite impulse responses, tap by tap: taps of zero cost nothing, so sparse ones stay sparse."""

from __future__ import annotations

from faustwire.graph import FIR, Array
from faustwire_bridge.codegen.builder import Place, ProgramBuilder, Value, delayed


def write_fir(node: FIR, inputs: list[Value], builder: ProgramBuilder, place: Place) -> list[Value]:
    """y[i] = taps[:, i] ∗ x[i], or the sum over the inputs where there are taps per entry."""
    operands = [value if value[0] == 0.0 else (1.0, builder.operand(value)) for value in inputs]
    if node.taps.ndim == 2:
        return [
            builder.total("f", _tapped(node.taps[:, i], value, builder, place))
            for i, value in enumerate(operands)
        ]
    return [
        builder.total(
            "f",
            [
                tap
                for i, value in enumerate(operands)
                for tap in _tapped(node.taps[:, o, i], value, builder, place)
            ],
        )
        for o in range(node.taps.shape[1])
    ]


def _tapped(taps: Array, value: Value, builder: ProgramBuilder, place: Place) -> list[Value]:
    factor, operand = value
    if factor == 0.0:
        return []
    return [
        (taps.item(steps), delayed(operand, steps, builder, in_loop=place.in_loop))
        for steps in taps.nonzero()[0].tolist()
    ]
