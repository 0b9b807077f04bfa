"""Modes of a recursion, found by Newton's method from places where they may be near."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from faustwire.graph import Array, Recursion, channels
from faustwire_bridge.analysis.mode_count import (
    UndecidedError,
    Walk,
    effort,
    log_characteristic,
    steps_of,
)
from faustwire_bridge.analysis.transfer import Spectrum, circle
from faustwire_bridge.analysis.workload import memory_samples

_CANDIDATES = 192
_NEWTON_STEPS = 40
_CONVERGED = 1e-11
# Where a loop has too many modes to be counted, from so many places at 16 lines, fewer of wider
# ones, at distances from the unit circle of so many parts of what one pass may grow by.
_STARTS, _FEWEST_STARTS = 72, 8
_PASSES = (0.3, 0.03, 0.003)
_LOWEST = 1e-5


def slowest_found(of: Walk) -> float:
    """The outermost mode near a walked circle, by Newton's method: log |z|; −inf: none found.

    A mode d away from the circle makes log G change by 1/d there: the fastest changes are where
    the search starts.
    """
    inverse = np.where(of.settled, 0.0, abs(of.steps) / np.diff(of.angles))
    peaks = np.flatnonzero(_is_local_maximum(inverse))
    peaks = peaks[np.argsort(-inverse[peaks])[:_CANDIDATES]]
    if not len(peaks):
        return -np.inf
    middle = (of.angles[peaks] + of.angles[peaks + 1]) / 2
    modes = _newton(of.loop, circle(of.log_radius, middle), 0.1 / np.maximum(inverse[peaks], 1e-9))
    return float(modes.real.max()) if len(modes) else -np.inf


def outermost_of_some(loop: Recursion) -> float:
    """The outermost of some modes, of a loop that has too many to be counted: log |z|.

    Long delays make modes dense, and all that lie at one frequency are about as far out. So from
    anywhere outside of the circle Newton's method finds one of the outermost near there.

    Args:
        loop: the recursion.

    Returns:
        A lower bound on log |z| of the outermost mode; −inf: none was found.
    """
    return float(some_modes(loop).real.max(initial=-np.inf))


def some_modes(loop: Recursion) -> Spectrum:
    """Some modes of a loop, near the unit circle and all around: all of them where they are few.

    Args:
        loop: the recursion.

    Returns:
        [modes], log z, some of them more than once.
    """
    count = max(_FEWEST_STARTS, round(_STARTS / math.sqrt(effort(loop))))
    # As many by octaves as evenly, and each at another distance than its neighbours.
    angles = np.concatenate(
        [np.geomspace(_LOWEST, np.pi, count // 2), np.linspace(0.0, np.pi, count - count // 2)]
    )
    # A loop without delays has no modes.
    modes = max(memory_samples(loop), 1.0)
    passes = np.resize(_PASSES, count) * channels(loop)[0] / modes
    try:
        return _newton(loop, passes + 1j * angles, np.full(count, 2.0 / modes))
    except UndecidedError:
        return np.zeros(0, dtype=np.complex128)


def _is_local_maximum(values: Array) -> NDArray[np.bool_]:
    padded = np.concatenate([[-np.inf], values, [-np.inf]])
    return (values > 0) & (values >= padded[:-2]) & (values > padded[2:])


def _newton(loop: Recursion, s: Spectrum, reach: Array) -> Spectrum:
    """Zeros of G by Newton's method on log G, from each start; those that converged."""
    scale, zeros = reach, np.zeros(0, dtype=np.complex128)
    for _ in range(_NEWTON_STEPS):
        step = _newton_step(loop, s, scale)
        s, size = s + step, abs(step)
        # A zero is no further away than this times the order of G.
        done = size < _CONVERGED
        zeros = np.concatenate([zeros, s[done]])
        going = np.isfinite(step) & ~done
        s, scale = s[going], np.maximum(size[going], 1e-9)
        if not len(s):
            break
    return zeros


def _newton_step(loop: Recursion, s: Spectrum, scale: Array) -> Spectrum:
    """−1/(log G)', at most ten times the scale, a thousandth of which the difference spans."""
    with np.errstate(all="ignore"):
        log_g = log_characteristic(loop, np.concatenate([s - 1e-3 * scale, s + 1e-3 * scale]))
        change = steps_of(log_g.reshape(2, -1).T.ravel())[::2]
        step: Spectrum = -2e-3 * scale / change
        step *= np.minimum(1.0, 10 * scale / np.maximum(abs(step), 1e-300))
    return step
