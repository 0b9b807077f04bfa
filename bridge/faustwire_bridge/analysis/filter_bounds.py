"""Bounds on the gain of single filters on a circle: allpass, FIR, second-order sections."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from faustwire.graph import Array
from faustwire_bridge.codegen.fractional import allpass

# Grid points per tap of an FIR filter; see fir_bounds.
_OVERSAMPLING = 8


def allpass_bounds(samples: float, log_radius: float) -> tuple[float, float]:
    """Bound the gain of a fractional delay in a loop.

    An allpass is a product of z ↦ (1 − p̄z)/(z − p), whose magnitude on |z| = r is largest, or
    smallest, where z and p are in line.

    Args:
        samples: the delay.
        log_radius: log |z| of the circle.

    Returns:
        (smallest, largest) of |H| over the whole circle.
    """
    steps, coefficients = allpass(samples)
    low = high = np.exp(-log_radius * steps)
    radius = np.exp(log_radius)
    for pole in abs(np.roots([1.0, *coefficients])):
        if pole >= min(radius, 1.0):
            return 0.0, np.inf
        ends = (1 - pole * radius) / (radius - pole), (1 + pole * radius) / (radius + pole)
        low, high = low * abs(min(ends)), high * abs(max(ends))
    return float(low), float(high)


def fir_bounds(taps: Array, log_radius: float) -> tuple[Array, Array]:
    """Bound the gain of FIR filters.

    Args:
        taps: [taps, ...channels].
        log_radius: log |z| of the circle.

    Returns:
        (smallest, largest) of |H| over the whole circle: [1, ...channels] each. Only a filter of a
        single tap has a smallest value above 0.

    Source:
        On a grid of K points, |H|², a cosine sum of order n, is at most 1/cos(πn/K) times its
        largest value on the grid: H. Ehlich, K. Zeller, "Schwankung von Polynomen zwischen
        Gitterpunkten", Math. Zeitschrift 86, 1964.
    """
    order = len(taps) - 1
    shape = (-1,) + (1,) * (taps.ndim - 1)
    weighted = taps * np.exp(-log_radius * np.arange(order + 1)).reshape(shape)
    alone = np.count_nonzero(taps, axis=0) <= 1
    size = 2 ** int(np.ceil(np.log2(2 * _OVERSAMPLING * max(order, 1))))
    peak = abs(np.fft.rfft(weighted, size, axis=0)).max(axis=0)
    peak = peak / np.sqrt(np.cos(np.pi * order / size))
    high = np.where(alone, abs(weighted).sum(axis=0), peak)
    return np.where(alone, high, 0.0)[None], high[None]


def section_bounds(sections: Array, log_radius: float, edges: Array) -> tuple[Array, Array]:
    """Bound the gain of cascades of second-order sections.

    Args:
        sections: [sections, 6, ...channels], as in ``faustwire.graph.SOS``.
        log_radius: log |z| of the circle.
        edges: [intervals + 1], 1 − cos ω at the edges of the intervals, rising.

    Returns:
        (smallest, largest) of |H| on each interval: [intervals, ...channels] each.
    """
    # On |z| = r a section is one on the unit circle with other coefficients.
    shrink = np.exp(-log_radius * np.array([0.0, 1, 2, 0, 1, 2]))
    shape = (1, 6) + (1,) * (sections.ndim - 2)
    coefficients = np.moveaxis(sections * shrink.reshape(shape), 1, 0)
    above, below = _squared(*coefficients[:3]), _squared(*coefficients[3:])
    low, high = _extremes(above, below, edges)
    # Small gain proves nothing about a loop with a filter that is unstable by itself.
    a1, a2 = coefficients[4:]
    decays = (abs(a2) < 1) & (abs(a1) < 1 + a2)
    high = np.where(decays, high, np.inf)
    return np.sqrt(low.prod(axis=1)), np.sqrt(high.prod(axis=1))


def _squared(c0: Array, c1: Array, c2: Array) -> tuple[Array, Array, Array]:
    """|c0 + c1/z + c2/z²|² on the unit circle as p0 + p1·x + p2·x², where x = 1 − cos ω."""
    second = 4 * c0 * c2
    first = 2 * c1 * (c0 + c2)
    return (c0 + c1 + c2) ** 2, -(first + 2 * second), second


def _extremes(
    above: tuple[Array, Array, Array], below: tuple[Array, Array, Array], edges: Array
) -> tuple[Array, Array]:
    """(smallest, largest) of the ratio of two quadratics in x between each two edges.

    Returns:
        [intervals, ...channels] each. Both ends, and where the slope is zero, are all there is.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        at_edges = _ratio(above, below, edges)
        low = np.minimum(at_edges[:-1], at_edges[1:])
        high = np.maximum(at_edges[:-1], at_edges[1:])
        for turning in _turning_points(above, below):
            inside = (turning > edges[0]) & (turning < edges[-1])
            value = _ratio(above, below, turning[None])[0]
            interval = np.clip(np.searchsorted(edges, turning) - 1, 0, len(edges) - 2)
            where = (interval[inside], *inside.nonzero())
            low[where] = np.minimum(low[where], value[inside])
            high[where] = np.maximum(high[where], value[inside])
    # 0/0, a pole under a zero on the circle, says nothing.
    return np.where(np.isnan(low), 0.0, low), np.where(np.isnan(high), np.inf, high)


def _ratio(above: tuple[Array, Array, Array], below: tuple[Array, Array, Array], x: Array) -> Array:
    """[len(x), ...channels]; x is [points], or has the channels' shape behind."""
    if x.ndim == 1:
        x = x.reshape((-1,) + (1,) * above[0].ndim)
    ratio: Array = _at(above, x) / _at(below, x)
    return ratio


def _at(p: tuple[Array, Array, Array], x: Array) -> Array:
    # Rounding can take a square below zero.
    value: Array = np.maximum(p[0] + x * (p[1] + x * p[2]), 0.0)
    return value


def _turning_points(
    above: tuple[Array, Array, Array], below: tuple[Array, Array, Array]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Where N'D − ND' = c0 + c1·x + c2·x² is zero; outside [0, 2] where there is no such point."""
    c0 = above[1] * below[0] - above[0] * below[1]
    c1 = 2 * (above[2] * below[0] - above[0] * below[2])
    c2 = above[2] * below[1] - above[1] * below[2]
    root = np.sqrt(np.maximum(c1**2 - 4 * c0 * c2, 0.0))
    # The numerically stable pair: no difference of nearly equal numbers.
    half = -(c1 + np.copysign(root, c1)) / 2
    first, second = half / c2, c0 / half
    return np.nan_to_num(first, nan=-1.0), np.nan_to_num(second, nan=-1.0)
