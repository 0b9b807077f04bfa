"""What parts of a graph do at some points of the z-plane, as factors that signals pass in turn."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from faustwire.graph import Array
from faustwire_bridge.analysis.transfer import Spectrum


class Factor(NamedTuple):
    """What a leaf does, or several in a row, at the points.

    Attributes:
        values: [n, points] for each channel, [n_out, n_in] of a constant matrix, or
            [points, n_out, n_in].
        gain: upper bound on its largest singular value: a number, or [points].
        kind: "channels", "matrix" or "entries", in the order above.
    """

    values: Array | Spectrum
    gain: Array | float
    kind: str

    @property
    def size(self) -> int:
        """How many numbers it holds."""
        return self.values.size


def per_channel(values: Array | Spectrum) -> Factor:
    """A filter in each channel, [n, points] or [n, 1], as a factor."""
    return Factor(values, abs(values).max(axis=0), "channels")


def merged(factors: list[Factor]) -> list[Factor]:
    """Make neighbours of one kind one, but for those that differ at each point.

    Args:
        factors: in the order of the signal.

    Returns:
        Fewer, or as many, that do the same.
    """
    together: list[Factor] = []
    for factor in factors:
        before = together[-1] if together else None
        if before is None or before.kind != factor.kind or factor.kind == "entries":
            together.append(factor)
        elif factor.kind == "channels":
            together[-1] = per_channel(before.values * factor.values)
        else:
            product = factor.values @ before.values
            together[-1] = Factor(product, factor.gain * before.gain, "matrix")
    return together


def turned(factors: list[Factor]) -> list[Factor]:
    """Begin a loop elsewhere, if that makes neighbours of one kind.

    Args:
        factors: of the loop, in the order of the signal.

    Returns:
        Factors of the same loop.
    """
    if len(factors) > 2 and factors[0].kind == factors[-1].kind == "channels":
        return [*factors[1:-1], *merged([factors[-1], factors[0]])]
    return factors


def gain_of(factors: list[Factor]) -> Array | float:
    """Upper bound on the largest singular value of a chain: a number, or [points]."""
    total: Array | float = 1.0
    for factor in factors:
        total = total * factor.gain
    return total


def passed(factors: list[Factor], values: Spectrum) -> Spectrum:
    """Pass signals through a chain.

    Args:
        factors: in the order of the signal.
        values: [n_in, points, inputs].

    Returns:
        [n_out, points, inputs].
    """
    for factor in factors:
        if factor.kind == "channels":
            values = factor.values[:, :, None] * values
        elif factor.kind == "matrix":
            # As real numbers: half the work of complex ones.
            flat = np.ascontiguousarray(values).reshape(len(values), -1).view(np.float64)
            product = (factor.values @ flat).view(np.complex128)
            values = product.reshape(len(factor.values), *values.shape[1:])
        else:
            values = (factor.values @ values.transpose(1, 0, 2)).transpose(1, 0, 2)
    return values
