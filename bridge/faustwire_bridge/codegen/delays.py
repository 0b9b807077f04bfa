"""Delay lines: whole, fractional, per channel and per matrix entry."""

from __future__ import annotations

from faustwire.graph import Delay, whole
from faustwire_bridge.codegen.builder import (
    ZERO,
    Place,
    ProgramBuilder,
    Value,
    attenuated,
    delayed,
)
from faustwire_bridge.codegen.fractional import write_fractional


def write_delay(
    node: Delay, inputs: list[Value], builder: ProgramBuilder, place: Place
) -> list[Value]:
    """y[i] = gains[i] · x[i] delayed, or the sum over the inputs where there is one per entry.

    Args:
        node: delays in samples, per channel or per entry.
        inputs: [n_in].
        builder: gets the definitions and loop variables.
        place: where the node stands.

    Returns:
        [n_out].
    """
    samples = node.samples.tolist()
    if node.samples.ndim == 1:
        lines = [
            _write_line(m, value, builder, place) for m, value in zip(samples, inputs, strict=True)
        ]
        if node.gains is None:
            return lines
        return [
            builder.scaled(gain, value)
            for gain, value in zip(node.gains.tolist(), lines, strict=True)
        ]
    gains = [[1.0] * len(inputs)] * len(samples) if node.gains is None else node.gains.tolist()
    return [
        builder.total(
            "e",
            [
                builder.scaled(gain, _write_line(m, value, builder, place))
                for m, gain, value in zip(row, row_gains, inputs, strict=True)
                if gain != 0.0
            ],
        )
        for row, row_gains in zip(samples, gains, strict=True)
    ]


def _write_line(samples: float, value: Value, builder: ProgramBuilder, place: Place) -> Value:
    factor, operand = value
    if factor == 0.0:
        return ZERO
    steps = whole(samples)
    if steps is None:
        operand = write_fractional(samples, operand, builder, place)
    else:
        operand = delayed(operand, steps, builder, in_loop=place.in_loop)
    value = (factor, operand)
    return attenuated(value, samples, builder) if place.in_loop else value
