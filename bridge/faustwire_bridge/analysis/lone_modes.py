"""Where single modes stand out that a grid of frequencies would miss.

A mode close to the unit circle is as narrow as it is slow. On a circle further out it is wider, and
what comes late, as all that rings in long delays, is weak there. So peaks are looked for on the
circle on which they are as wide as the grid, and followed inwards.
"""

from __future__ import annotations

import math

import numpy as np

from faustwire.graph import Array, Node, Recursion
from faustwire_bridge.analysis.decay_rate import LN_60_DB
from faustwire_bridge.analysis.mode_search import some_modes
from faustwire_bridge.analysis.peak_gain import gains_on_circle
from faustwire_bridge.analysis.ringing import ringing

_POINTS = 384
# The narrowest peaks that matter: modes of a decay of a quarter of an hour.
_LAST = 1e-7
# The highest peaks, and how they are followed inwards: a quarter of the way a step, with so many
# looks over two widths to each side.
_PEAKS = 48
_STEP = 4.0
_LOOKS = np.linspace(-2.0, 2.0, 9)
# Of the loops whose modes are looked for one by one.
_LOOPS = 8


def hidden_peak_db(peak_db: float, *, fs: float, rt60_seconds: float | None) -> float:
    """How high a mode may be that a grid has shown no higher than the peak it found.

    Args:
        peak_db: that peak, in dB.
        fs: sampling rate in Hz.
        rt60_seconds: decay of the slowest mode, or more; None: nothing rings.

    Returns:
        In dB: a mode is as much higher than half a step of the grid away as it is narrower.
    """
    if rt60_seconds is None:
        return peak_db
    narrower = np.pi / _POINTS * rt60_seconds * fs / LN_60_DB
    return peak_db + 20 * math.log10(max(narrower, 1.0))


@np.errstate(all="ignore")  # what overflows is a peak
def lone_angles(graph: Node) -> Array:
    """Find where modes may stand out.

    Args:
        graph: a valid one whose modes decay.

    Returns:
        Angles in radians a sample.
    """
    spacing = np.pi / _POINTS
    angles = np.linspace(0.0, np.pi, _POINTS)
    tops = highest_peaks(gains_on_circle(graph, angles, spacing))
    found, _ = followed(graph, angles[tops], spacing, 1 / spacing, 1 / _LAST)
    loops = [node for node, _ in ringing(graph, "") if isinstance(node, Recursion)]
    modes = [some_modes(loop).imag for loop in loops[:_LOOPS]]
    return np.asarray(np.minimum(abs(np.concatenate([found, *modes])), np.pi))


def highest_peaks(gains: Array) -> Array:
    """The places of the highest local maxima.

    Args:
        gains: [points].

    Returns:
        [peaks], the highest first.
    """
    padded = np.concatenate([[-np.inf], gains, [-np.inf]])
    tops = np.flatnonzero((gains >= padded[:-2]) & (gains >= padded[2:]))
    return np.asarray(tops[np.argsort(-gains[tops])[:_PEAKS]])


def followed(
    graph: Node, angles: Array, spacing: float, first: float, last: float
) -> tuple[Array, Array]:
    """Follow peaks from circle to circle inwards.

    Args:
        graph: a valid one.
        angles: [peaks], radians a sample, of peaks on the first circle.
        spacing: of the grid on which they were found.
        first: the circle's radius is exp(1/first), in samples.
        last: that of the last circle.

    Returns:
        [peaks] angles and [peaks] heights on the last circle.
    """
    rate, reach = 1 / first, spacing
    best = np.zeros(len(angles))
    rows = np.arange(len(angles))
    while rate > 1 / last:
        rate = max(rate / _STEP, 1 / last)
        tries = angles[:, None] + reach * _LOOKS / 2
        values = gains_on_circle(graph, tries.ravel(), rate).reshape(tries.shape)
        highest = values.argmax(axis=1)
        angles, best = tries[rows, highest], values[rows, highest]
        reach = min(reach, 4 * rate)
    return angles, best
