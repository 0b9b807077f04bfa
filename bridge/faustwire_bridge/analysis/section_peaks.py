"""The largest gain of second-order sections on a circle, in closed form."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np

from faustwire.graph import Array
from faustwire_bridge.analysis.remembered import remembered

# p0 + p1·x + p2·x², where x = 1 − cos ω.
_Quadratic: TypeAlias = tuple[Array, Array, Array]


@remembered
@np.errstate(all="ignore")  # infinite where something is zero
def section_peaks(sections: Array, log_radii: Array) -> Array:
    """The product of the largest gains of second-order sections on circles.

    A section's squared gain is a ratio of two quadratics in x = 1 − cos ω, largest at an end of
    [0, 2] or where the numerator of its derivative, another quadratic, is zero.

    Args:
        sections: [sections, 6, ...channels], as in ``faustwire.graph.SOS``.
        log_radii: log |z| of the circles: [radii].

    Returns:
        [radii, ...channels]; infinite where a section is unstable by itself there.
    """
    shape = (3, 1, 1) + (1,) * (sections.ndim - 2)
    # On |z| = r a section is one on the unit circle with other coefficients.
    shrink = np.exp(np.multiply.outer(np.array([0.0, -1, -2]), log_radii))
    shrink = shrink.reshape(3, len(log_radii), 1, *shape[3:])
    sections = np.moveaxis(sections, 1, 0)[:, None]
    b, a = sections[:3] * shrink, sections[3:] * shrink
    above, below = _squared(b), _squared(a)
    high = np.maximum(above[0] / below[0], _at(above, 2.0) / _at(below, 2.0))
    for x in _turning_points(above, below):
        inside = (x > 0) & (x < 2)
        x = np.where(inside, x, 0.0)  # noqa: PLW2901 - what lies outside is no turning point
        high = np.maximum(high, _at(above, x) / _at(below, x))
    decays = (abs(a[2]) < 1) & (abs(a[1]) < 1 + a[2])
    # 0/0, a pole under a zero on the circle, says nothing.
    high = np.where(decays & (high >= 0), high, np.inf)
    peaks: Array = np.sqrt(high[:, 0] if high.shape[1] == 1 else high.prod(axis=1))
    return peaks


def _squared(c: Array) -> _Quadratic:
    """|c0 + c1/z + c2/z²|² on the unit circle as p0 + p1·x + p2·x², where x = 1 − cos ω."""
    c0, c1, c2 = c
    second = 4 * c0 * c2
    outer = c0 + c2
    total: Array = outer + c1
    return total * total, -2 * (c1 * outer + second), second


def _at(p: _Quadratic, x: Array | float) -> Array:
    # Rounding can take a square below zero.
    value: Array = np.maximum(p[0] + x * (p[1] + x * p[2]), 0.0)
    return value


def _turning_points(above: _Quadratic, below: _Quadratic) -> tuple[Array, Array]:
    """Where N'D − ND' = c0 + c1·x + c2·x² is zero; anything where there is no such point."""
    c0 = above[1] * below[0] - above[0] * below[1]
    c1 = 2 * (above[2] * below[0] - above[0] * below[2])
    c2 = above[2] * below[1] - above[1] * below[2]
    root = np.sqrt(np.maximum(c1 * c1 - 4 * c0 * c2, 0.0))
    # The numerically stable pair: no difference of nearly equal numbers.
    half = -(c1 + np.copysign(root, c1)) / 2
    return half / c2, c0 / half
