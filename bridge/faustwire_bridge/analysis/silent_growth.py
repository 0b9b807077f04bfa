"""Whether what rings for ever grows all the same: by modes that feed each other, or an offset.

A lossless loop rings at the level that it was left at. Two in a row, or one whose matrix can't be
diagonalised, pass the energy of a mode on to another of the same frequency, and that grows with
time, in silence, without any mode outside of the circle. On a circle of radius 1 + 1/T a response
that stays level peaks at T times its amplitude, whatever T; one that grows, higher.
"""

from __future__ import annotations

import math

import numpy as np

from faustwire.graph import Array, Gain, Householder, Node, Recursion, nodes_in
from faustwire_bridge.analysis.circle_bounds import CircleBounds, OpenError
from faustwire_bridge.analysis.lone_modes import followed, highest_peaks
from faustwire_bridge.analysis.peak_gain import gains_on_circle
from faustwire_bridge.analysis.played_graph import from_first_sound
from faustwire_bridge.analysis.ringing import ringing
from faustwire_bridge.analysis.stability import MARGIN_RATE, contracts
from faustwire_bridge.analysis.transfer import constant
from faustwire_bridge.analysis.workload import width
from faustwire_bridge.core.sound_limits import to_db

# In samples at the rate of most plugins: 0.05 s and 100 s.
_SOON, _LATE = 2_400.0, 4_800_000.0
# A constant input is given ten seconds, as that of a text is. What is heard to build up as well is
# 30 dB below it at most: lossless loops of 4 to 32 lines had 14 dB, an integrator has 58.
_ADDED_UP = 480_000.0
_LOWEST_HEARD = 2 * math.pi * 20 / 48_000
_STANDS_OUT = 10 ** (30 / 20)
# Fine enough to meet every mode on the first circle; for wide loops, fewer.
_POINTS = 2**13
_NUMBERS = 2**24


@np.errstate(all="ignore")  # what is not finite is found to be no growth, or an endless one
def growth_db(graph: Node) -> float:
    """Find by how much the loudest mode grows in silence, from a twentieth of a second to 100 s.

    Args:
        graph: a valid one without modes that grow by themselves.

    Returns:
        In dB; about 0, or less, where nothing grows.
    """
    if _is_bounded(graph):
        return 0.0
    angles = _grid(graph, 0.0)
    soon = gains_on_circle(from_first_sound(graph, 1 / _SOON), angles, 1 / _SOON)
    late = _highest(graph, angles, _LATE)
    return to_db(late / _LATE / (float(soon.max()) / _SOON))


@np.errstate(all="ignore")  # what is not finite is louder than any limit
def offset_db(graph: Node, least_db: float) -> float:
    """Find to what a constant input adds up in ten seconds where nothing warns ears of it.

    Args:
        graph: a valid one without modes that grow by themselves.
        least_db: what is less does not matter.

    Returns:
        The gain in dB; −inf where it does not matter, or where a sound of 20 Hz or more adds up to
        within 30 dB of it, as in any lossless reverberator.
    """
    gain = float(gains_on_circle(graph, np.zeros(1), 1 / _ADDED_UP)[0])
    if to_db(gain) <= least_db:
        return -math.inf
    heard = _highest(graph, _grid(graph, _LOWEST_HEARD), _ADDED_UP)
    return to_db(gain) if heard * _STANDS_OUT < gain else -math.inf


def _grid(graph: Node, lowest: float) -> Array:
    """Angles up to Nyquist, fewer for wide loops."""
    count = min(_POINTS, int(_NUMBERS / width(graph) ** 1.5))
    return np.linspace(lowest, np.pi, max(count, 2))


def _highest(graph: Node, angles: Array, samples: float) -> float:
    """The highest gain on the circle of that many samples, of the peaks seen on the first one."""
    gains = gains_on_circle(graph, angles, 1 / _SOON)
    tops = highest_peaks(gains)
    _, heights = followed(graph, angles[tops], np.pi / len(angles), _SOON, samples)
    return float(heights.max())


def _is_bounded(graph: Node) -> bool:
    """Whether bounds tell: a single loop that adds no energy with any pass, on some scale."""
    ring = [node for node, _ in ringing(graph, "")]
    if len(ring) != 1 or not isinstance(ring[0], Recursion):
        return False
    _, *inside = nodes_in(ring[0])
    if any(isinstance(node, Recursion) for node in inside):
        return False
    if _mixes_all(inside) and contracts(graph):
        return True
    try:
        return bool(CircleBounds(np.array([MARGIN_RATE])).around(ring[0])[0] < 1)
    except OpenError:
        return False


def _mixes_all(inside: list[Node]) -> bool:
    """Whether no channel is out of another's reach: one scale for each bounds the energy of all."""
    mixes = [node for node in inside if isinstance(node, (Gain, Householder))]
    return len(mixes) == 1 and bool(constant(mixes[0]).all())
