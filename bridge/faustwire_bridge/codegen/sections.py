"""Second-order sections, each in the form that single precision, which the plugin runs, can bear.

Direct form II is the cheapest to compile and to run, and good to −130 dB while |A(e^jω)| stays
above 0.1 or so. Where poles come near the circle its coefficients no longer say where exactly, and
its state outgrows its output: −90 dB for ten-band equalisers, −40 dB for a section at 12 Hz. Such
sections become trapezoidal state-variable filters with the same transfer function, whose small
coefficients say how far the poles are from z = 1 (or −1): −120 dB or better, 36 Hz
at a Q of 15 included.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple, TypeGuard

from faustwire.graph import SOS, Delay, whole
from faustwire_bridge.codegen.builder import (
    ZERO,
    Place,
    ProgramBuilder,
    Value,
    attenuated,
    balanced,
    delayed,
    term,
)

_DIRECT_FORM_ABOVE = 0.1
# Poles beyond twice the unit circle: no digits to be kept; and where a2 is so large that 1 − a2
# has none left, the other form divides by zero.
_FAR_OUTSIDE = 4.0


class _Section(NamedTuple):
    """H = (b0 + b1/z + b2/z²) / (1 + a1/z + a2/z²)."""

    b0: float
    b1: float
    b2: float
    a1: float
    a2: float


def write_sections(
    node: SOS, inputs: list[Value], builder: ProgramBuilder, place: Place
) -> list[Value]:
    """Cascades of sections: one per channel, or one per entry and their sum over the inputs.

    Args:
        node: its sections, [sections, 6, n] or [sections, 6, n_out, n_in].
        inputs: [n_in].
        builder: gets the definitions and loop variables.
        place: not used: sections are written alike everywhere.

    Returns:
        [n_out].
    """
    del place
    # Now [n, 6, sections] or [n_in, n_out, 6, sections].
    cascades = node.sections.T.tolist()
    if node.sections.ndim == 3:
        return [
            _write_cascade(_sections(cascade), value, builder)
            for cascade, value in zip(cascades, inputs, strict=True)
        ]
    return [
        builder.total(
            "c",
            [_write_cascade(_sections(cascades[i][o]), v, builder) for i, v in enumerate(inputs)],
        )
        for o in range(node.sections.shape[2])
    ]


def write_delayed_sections(
    lines: Delay, sections: SOS, inputs: list[Value], builder: ProgramBuilder
) -> list[Value]:
    """Delay lines in a loop, each followed by its cascade.

    The first section comes before its line instead, where its state is the only loop variable that
    the line needs: the same response for four fifths of what libfaust would have to do.

    Args:
        lines: whole delays of at least one sample, per channel.
        sections: per channel.
        inputs: [n].
        builder: gets the definitions and loop variables.

    Returns:
        [n].
    """
    samples = lines.samples.tolist()
    gains = [1.0] * len(samples) if lines.gains is None else lines.gains.tolist()
    cascades = sections.sections.T.tolist()
    return [
        _write_line(m, cascade, builder.scaled(gain, value), builder)
        for m, gain, cascade, value in zip(samples, gains, cascades, inputs, strict=True)
    ]


def is_delay_line(node: object) -> TypeGuard[Delay]:
    """Whether ``write_delayed_sections`` takes the node as its ``lines``."""
    return (
        isinstance(node, Delay)
        and node.samples.ndim == 1
        and all((whole(m) or 0) >= 1 for m in node.samples.tolist())
    )


def _write_line(
    samples: float, coefficients: list[list[float]], value: Value, builder: ProgramBuilder
) -> Value:
    factor, operand = value
    steps = whole(samples)
    first, *rest = _sections(coefficients)
    if factor == 0.0 or not steps:
        return ZERO
    if _form(first) is _write_direct_form:
        value = builder.scaled(factor, _write_direct_form(first, operand, builder, steps))
    else:
        rest = [first, *rest]
        value = (factor, delayed(operand, steps, builder, in_loop=True))
    return _write_cascade(rest, attenuated(value, samples, builder), builder)


def _sections(coefficients: list[list[float]]) -> list[_Section]:
    """From six lists over the sections, b0 b1 b2 a0 a1 a2."""
    return [
        _Section(b0, b1, b2, a1, a2) for b0, b1, b2, _, a1, a2 in zip(*coefficients, strict=True)
    ]


def _write_cascade(sections: list[_Section], value: Value, builder: ProgramBuilder) -> Value:
    for section in sections:
        if value[0] == 0.0:
            return ZERO
        value = builder.scaled(value[0], _form(section)(section, value[1], builder))
    return value


def _form(section: _Section) -> Callable[[_Section, str, ProgramBuilder], Value]:
    if _suits_direct_form(section):
        return _write_direct_form
    return _write_state_variables if section.b2 or section.a2 else _write_first_order


def _suits_direct_form(section: _Section) -> bool:
    """Whether |A| stays large on the circle, or no state-variable form exists."""
    _, _, _, a1, a2 = section
    at_dc, at_nyquist = 1 + a1 + a2, 1 - a1 + a2
    if at_dc <= 0 or at_nyquist <= 0 or a2 > _FAR_OUTSIDE:
        return True
    lowest = min(at_dc, at_nyquist)
    if a1 * a1 < 4 * a2:
        lowest = min(lowest, (1 - a2) * math.sqrt(1 - a1 * a1 / (4 * a2)))
    return lowest > _DIRECT_FORM_ABOVE


def _write_direct_form(
    section: _Section, operand: str, builder: ProgramBuilder, steps: int = 0
) -> Value:
    """Direct form II: one loop variable a section; with steps, its output so much later."""
    b0, b1, b2, a1, a2 = section
    if not (b0 or b1 or b2):
        return ZERO
    state, previous = builder.name("w"), builder.name("z")
    terms = [(1.0, operand), (-a1, previous), (-a2, f"{previous}@1")]
    builder.definitions.append(f"{state} = {balanced([term(v) for v in terms if v[0]])};")
    builder.equations.append((previous, state))
    if not steps:
        taps = [(b0, state), (b1, previous), (b2, f"{previous}@1")]
        return _weighted(taps, builder)
    taps = [(b0, previous), (b1, f"{previous}@1"), (b2, f"{previous}@2")]
    return _weighted(taps, builder, steps - 1)


def _write_state_variables(section: _Section, operand: str, builder: ProgramBuilder) -> Value:
    """Trapezoidal state variables: bandpass s1 and lowpass s2, each moved by small steps.

    With p = 1 + a1 + a2, m = 1 − a1 + a2: g = √(p/m), k = 2(1 − a2)/√(pm), as in A. Simper,
    "Linear trapezoidal integrated state variable filter", 2013; its update written as
    s1 += β(x − s2 − (g + k)·s1), s2 += g(s1 + s1 before), so that small coefficients keep their
    digits (libfaust would add up s1 + α·s1), and its output as b0·x + e1·s1 + e2·s2, so that an
    output without b0 doesn't need x.
    """
    # Poles in the left half of the circle: the same filter for −z, whose states change sign.
    mirrored = section.a1 > 0
    b0, b1, b2, a1, a2 = section
    if mirrored:
        b1, a1 = -b1, -a1
    at_dc, at_nyquist = 1 + a1 + a2, 1 - a1 + a2
    root = math.sqrt(at_dc * at_nyquist)
    g, k = math.sqrt(at_dc / at_nyquist), 2 * (1 - a2) / root
    beta = 2 * g / (1 + g * (g + k))
    highpass = (b0 - b1 + b2) / at_nyquist
    lowpass = (b0 + b1 + b2) / at_dc - highpass
    bandpass = (2 * (b0 - b2) / root - k * highpass + g * lowpass) / 2
    s1, s2, moved = builder.name("z"), builder.name("z"), builder.name("w")
    builder.definitions.append(f"{moved} = {s1}+{beta!r}*(({operand}-{s2})-{g + k!r}*{s1});")
    next_s2 = f"{s2}+{g!r}*({s1}+{moved})"
    if mirrored:
        builder.equations += [(s1, f"-1.0*{moved}"), (s2, f"-1.0*({next_s2})")]
    else:
        builder.equations += [(s1, moved), (s2, next_s2)]
    weights = [
        (b0, operand),
        (2 * bandpass / (1 + g * (g + k)), s1),
        (lowpass - bandpass * beta, s2),
    ]
    return _weighted(weights, builder)


def _write_first_order(section: _Section, operand: str, builder: ProgramBuilder) -> Value:
    """A lowpass s += p(x − s) with p = 1 + a1 = 1 − pole, and y = b0·x + c·s; mirrored as above."""
    b0, b1, _, a1, _ = section
    sign = -1.0 if a1 > 0 else 1.0
    step = 1 - abs(a1)
    s = builder.name("z")
    moved = f"{s}+{step!r}*({operand}-{s})"
    builder.equations.append((s, f"-1.0*({moved})" if sign < 0 else moved))
    return _weighted([(b0, operand), (sign * (b1 - b0 * a1) / step, s)], builder)


def _weighted(weights: list[Value], builder: ProgramBuilder, steps: int = 0) -> Value:
    """A sum, some steps ago, whose largest weight waits as a factor for whatever comes next."""
    largest = max((weight for weight, _ in weights), key=abs)
    if largest == 0.0:
        return ZERO
    terms = [(weight / largest, operand) for weight, operand in weights]
    return builder.scaled(largest, builder.total("b", terms, f"(%s)@{steps}" if steps else "%s"))
