"""How loud a graph can get: its peak gain at any frequency, and its level in the first moments."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from faustwire.graph import Array, Delay, Node, Recursion, Series, nodes_in
from faustwire_bridge.analysis.played_graph import from_first_sound
from faustwire_bridge.analysis.poles import filter_poles
from faustwire_bridge.analysis.transfer import (
    Spectrum,
    batches,
    circle,
    full,
    product,
    solved,
    transfer,
)
from faustwire_bridge.core.sound_limits import to_db

# A grid of this many frequencies, and this many of its peaks climbed.
_POINTS = 384
_PEAKS = 12
_CLIMBS = 12
# At most so many resonances of filters are looked at besides, the sharpest.
_RESONANCES = 128
_LOWEST = 1e-7
# Ears integrate loudness over about a tenth of a second (E. Zwicker, H. Fastl, "Psychoacoustics").
LEVEL_SECONDS = 0.1
_LOWEST_BAND_HZ = 20.0
_OCTAVES = 10
POINTS_AN_OCTAVE = 16
# Half a second, two and eight; a few points are enough for what is loud all over an octave.
LATE_TIMES = (5.0, 20.0, 80.0)
LATE_POINTS = 4
# So few points say 5 dB more than the level of reverberators of 2 to 32 lines that ring for ever.
_LATE_SLACK_DB = 6.0
# What counts is what is heard at the rate of most plugins, whatever rate the worker states.
_PLUGIN_FS = 48_000.0


@dataclass(frozen=True)
class Loudness:
    """The highest peak that was found.

    Attributes:
        peak_db: the largest singular value of the transfer matrix, in dB; −inf for silence.
        frequency_hz: where.
    """

    peak_db: float
    frequency_hz: float


@np.errstate(all="ignore")  # what overflows counts as infinitely loud
def measure(
    graph: Node, *, fs: float, points: int = _POINTS, also: Array | None = None
) -> Loudness:
    """Find the peak of |H|.

    A long reverb has thousands of narrow peaks, of which the grid meets some; the highest of those
    are climbed. The rest are of the same kind, so the highest of all is a few dB above at most,
    unless a mode stands alone, as ``lone_modes`` tells.

    Args:
        graph: a valid, stable one.
        fs: sampling rate in Hz.
        points: of the grid.
        also: angles to be looked at besides, in radians a sample.

    Returns:
        The peak.
    """
    angles = np.concatenate([_grid(points), _resonances(graph)])
    if also is not None:
        angles = np.concatenate([angles, also])
    # An integrator in a loop is infinite at 0 Hz, the closed loop is not.
    angles = np.unique(np.maximum(angles, _LOWEST))
    gains = gains_on_circle(graph, angles)
    peak, where = _climbed(graph, angles, gains)
    return Loudness(to_db(peak), where * fs / (2 * math.pi))


@np.errstate(all="ignore")  # what overflows counts as infinitely loud
def level_db(graph: Node, *, fs: float) -> float:
    """Measure how loud a graph is in the first tenth of a second, in its loudest octave band.

    Unlike the peak it is finite for a lossless loop, and a sharp resonance, which takes seconds to
    build up, does not count in full. What loops make is weighted by exp(−t/0.1 s) from their first
    sound on: its transfer matrix is that on a circle outside of the unit circle. Outside of loops
    what comes late counts in full.

    Args:
        graph: a valid one whose loops do not grow.
        fs: sampling rate in Hz.

    Returns:
        The RMS gain of the loudest output in dB, all inputs fed with noise of their own, in the
        loudest octave from 20 Hz; −inf for silence.
    """
    points = level_points(fs)
    graph = from_first_sound(graph, points[0].real)
    powers = np.concatenate([_powers_of(graph, s) for s in batches(points, graph)])
    powers[~np.isfinite(powers)] = np.inf
    bands = powers.reshape(-1, POINTS_AN_OCTAVE, powers.shape[1]).mean(axis=1)
    loudest = float(bands.max())
    return 10 * math.log10(loudest) if loudest > 0 else -math.inf


@np.errstate(all="ignore")  # what overflows counts as infinitely loud
def late_level_db(graph: Node, *, fs: float) -> float:
    """Measure how loud a graph is later, where something louder follows in a loop's long lines.

    On circles of longer times, less what the same level adds up to in them. The median of an
    octave counts, not the mean: a point that hits one of the narrow peaks of a loop that rings for
    long says nothing about its level.

    Args:
        graph: a valid one whose loops do not grow.
        fs: sampling rate in Hz.

    Returns:
        The RMS gain as ``level_db`` has it, averaged over the time of the loudest circle, in dB,
        less 6 dB: of reverberators it is below their level; −inf where no line is long.
    """
    if not _has_long_lines(graph):
        return -math.inf
    points = level_points(fs)[:: POINTS_AN_OCTAVE // LATE_POINTS]
    loudest = 0.0
    for times in LATE_TIMES:
        late = points.real / times + 1j * points.imag
        slow = from_first_sound(graph, late[0].real)
        powers = np.concatenate([_powers_of(slow, s) for s in batches(late, slow)])
        powers[~np.isfinite(powers)] = np.inf
        bands = np.median(powers.reshape(-1, LATE_POINTS, powers.shape[1]), axis=1)
        loudest = max(loudest, float(bands.max()) / times)
    return 10 * math.log10(loudest) - _LATE_SLACK_DB if loudest > 0 else -math.inf


def _has_long_lines(graph: Node) -> bool:
    """Whether a loop has a line of a tenth of a second or more, behind which it may get louder."""
    loops = (node for node in nodes_in(graph) if isinstance(node, Recursion))
    delays = (node for loop in loops for node in nodes_in(loop) if isinstance(node, Delay))
    return any(float(delay.samples.max()) > LEVEL_SECONDS * _PLUGIN_FS for delay in delays)


@lru_cache(maxsize=8)
def level_points(fs: float) -> Spectrum:
    """Where the level is measured: up to the highest frequencies that there are.

    Args:
        fs: sampling rate in Hz.

    Returns:
        log z of 16 points in each of ten octaves from 20 Hz at 48 kHz, or of more from 20 Hz at a
        higher rate: [160 or more].
    """
    rate = max(fs, _PLUGIN_FS)
    count = _OCTAVES + math.ceil(math.log2(rate / _PLUGIN_FS))
    octaves = np.arange(count * POINTS_AN_OCTAVE) / POINTS_AN_OCTAVE
    points = circle(1 / (LEVEL_SECONDS * rate), 2 * np.pi * _LOWEST_BAND_HZ / rate * 2**octaves)
    points.setflags(write=False)
    return points


def _powers_of(graph: Node, s: Spectrum) -> Array:
    """The power gain of each output, summed over the inputs: [points, n_out]."""
    powers = (abs(full(response(graph, s))) ** 2).sum(axis=2)
    return np.array(np.broadcast_to(powers, (len(s), powers.shape[1])))


def _grid(points: int) -> Array:
    """Half of them by octaves, radians a sample."""
    octaves = np.geomspace(1e-4, np.pi, points // 2, endpoint=False)
    # Evenly but for a drift: equal steps would meet a comb always at the same place.
    index = np.arange(points - points // 2) / (points - points // 2 - 1)
    return np.unique(np.concatenate([octaves, np.pi * (index + 0.02 * np.sin(np.pi * index))]))


def _resonances(graph: Node) -> Array:
    """Where filters resonate, in radians a sample: a grid would miss the sharp ones."""
    poles = filter_poles(graph)
    sharpest = np.argsort(abs(abs(poles) - 1))[:_RESONANCES]
    return abs(np.angle(poles[sharpest]))


def gains_on_circle(graph: Node, angles: Array, log_radius: float = 0.0) -> Array:
    """The largest singular value of the transfer matrix at some frequencies.

    Args:
        graph: a valid one.
        angles: in radians a sample.
        log_radius: log |z| of the circle.

    Returns:
        [points]; enormous on a mode.
    """
    parts = [_gains_of(graph, s) for s in batches(circle(log_radius, angles), graph)]
    return np.concatenate(parts) if parts else np.zeros(0)


def _gains_of(graph: Node, s: Spectrum) -> Array:
    found = full(response(graph, s))
    gains = np.full(len(found), np.inf)
    finite = np.isfinite(found).all(axis=(1, 2))
    # The norm of one row or column needs no singular values.
    order = None if min(found.shape[1:]) == 1 else 2
    gains[finite] = np.linalg.norm(found[finite], order, axis=(1, 2))
    return np.broadcast_to(gains, len(s))


def response(graph: Node, s: Spectrum) -> Spectrum:
    """The transfer matrix, from the inputs on: loops are solved for as many as there are.

    Args:
        graph: a valid one.
        s: [points], log z.

    Returns:
        As ``transfer``.
    """
    if not isinstance(graph, Series):
        return transfer(graph, s, trace=None)
    total: Spectrum | None = None
    for node in graph.nodes:
        if total is not None and isinstance(node, Recursion):
            total = _through_loop(node, total, s)
        else:
            through = response(node, s)
            total = through if total is None else product(through, total)
    assert total is not None  # noqa: S101
    return total


def _through_loop(loop: Recursion, before: Spectrum, s: Spectrum) -> Spectrum:
    forward = transfer(loop.forward, s, in_loop=True, trace=None)
    around = product(forward, transfer(loop.feedback, s, in_loop=True, trace=None))
    return solved(around, product(forward, before))


def _climbed(graph: Node, angles: Array, gains: Array) -> tuple[float, float]:
    """(gain, angle) of the highest peak, after a climb from the highest local maxima."""
    padded = np.concatenate([[-np.inf], gains, [-np.inf]])
    tops = np.flatnonzero((gains >= padded[:-2]) & (gains >= padded[2:]))
    tops = tops[np.argsort(-gains[tops])[:_PEAKS]]
    middle, best = angles[tops], gains[tops]
    left, right = angles[np.maximum(tops - 1, 0)], angles[np.minimum(tops + 1, len(angles) - 1)]
    for _ in range(_CLIMBS):
        # Three looks into each bracket; the highest point stays, its neighbours close in.
        tries = np.stack([(left + middle) / 2, middle, (middle + right) / 2])
        values = np.stack(
            [gains_on_circle(graph, tries[0]), best, gains_on_circle(graph, tries[2])]
        )
        highest = values.argmax(axis=0)
        columns = np.arange(len(tops))
        left = np.where(highest == 0, left, np.where(highest == 1, tries[0], middle))
        right = np.where(highest == 2, right, np.where(highest == 1, tries[2], middle))
        middle, best = tries[highest, columns], values[highest, columns]
    top = int(best.argmax())
    return float(best[top]), float(middle[top])
