"""The modes of a recursion outside a circle, counted.

The modes are the zeros of G(z) = Π a(z) · Π det(I − F·B): the denominators of all filters in the
recursion and the loops of all recursions in it, itself included. In w = 1/z that is a polynomial
with G(0) = 1, so its turns around zero while w walks a circle are the zeros within (argument
principle): the modes outside the circle in z. Filters that are unstable by themselves and loops
that are unstable until an outer loop catches them are counted right without being looked at.

The walk is adaptive: no step of log G is long, in phase and magnitude, and no step is much longer
than its neighbours, so that modes close to the circle, several in one place as well, are seen from
both sides. Where the gain around the loop is below one no walk is needed: there the turn is
the difference of Σ arg(1 − λ) over the loops' eigenvalues at both ends, each within ±π/2.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from faustwire.graph import Array, Recursion
from faustwire_bridge.analysis.loop_bounds import Band
from faustwire_bridge.analysis.transfer import Spectrum, batches, circle, traced
from faustwire_bridge.analysis.workload import edges_of_band, memory_samples, taps, width

# The longest step of log G that is taken without a look in between: a third of half a turn.
_LONGEST_STEP = 1.0
# Points for each mode there can be, before any adaptation.
_POINTS_A_MODE = 4.0
_BASE_POINTS = 64
# About four seconds of computing. 16 lines of 250,000 samples in all can be walked, fewer where
# many modes are close to the circle.
MAX_POINTS = 2**19
# What costs as much as 16 lines do.
_USUAL_WIDTH = 16**2
_USUAL_TAPS = 2000


class UndecidedError(Exception):
    """The circle could not be walked: too many points, or a mode right on it.

    Attributes:
        on_circle: whether a mode is on it: another circle may be walked.
    """

    def __init__(self, problem: str, *, on_circle: bool = False) -> None:
        super().__init__(problem)
        self.on_circle = on_circle


@dataclass(frozen=True)
class Walk:
    """log G along the upper half of a circle (the lower half is its mirror image).

    Attributes:
        loop: the recursion.
        log_radius: log |z|.
        angles: [points], from 0 to π, in radians a sample.
        log_g: [points]; the imaginary part is wrapped.
        settled: [points − 1], intervals in which the gain around the loop is below one.
        settled_turns: [points − 1], the phase that G gains there; 0 elsewhere.
    """

    loop: Recursion
    log_radius: float
    angles: Array
    log_g: Spectrum
    settled: NDArray[np.bool_]
    settled_turns: Array

    @cached_property
    def steps(self) -> Spectrum:
        """[points − 1] steps of log G, the phase by the shorter way."""
        return steps_of(self.log_g)

    @cached_property
    def modes_outside(self) -> int:
        """How many modes lie outside the circle, on both halves.

        Raises:
            UndecidedError: the turns are not whole: the walk came too close to a mode.
        """
        turns = float(np.where(self.settled, self.settled_turns, self.steps.imag).sum())
        # w = 1/z walks clockwise, so the turns come out negative.
        modes = -turns / np.pi
        if not abs(modes - round(modes)) < 0.05:
            raise UndecidedError("a mode lies on the circle", on_circle=True)
        return round(modes)


def log_characteristic(loop: Recursion, s: Spectrum) -> Spectrum:
    """What G is, as log G, at points s = log z: [points], its imaginary part wrapped to ±π.

    Args:
        loop: the recursion.
        s: [points], log z.

    Returns:
        [points]; not finite where a mode lies at the point.

    Raises:
        UndecidedError: an inner loop can't be solved at one of the points, since a mode lies there.
    """
    try:
        parts = [_log_characteristic(loop, part) for part in batches(s, loop)]
    except np.linalg.LinAlgError as error:  # an inner loop's mode
        raise UndecidedError("a mode lies on the circle", on_circle=True) from error
    return np.concatenate(parts)


def _log_characteristic(loop: Recursion, s: Spectrum) -> Spectrum:
    trace = traced(loop, s)
    log_g = np.zeros(len(s), dtype=np.complex128)
    with np.errstate(divide="ignore", invalid="ignore"):
        for matrix in trace.loops:
            if matrix.ndim == 2:
                log_g += np.log(1 - matrix).sum(axis=1)
            else:
                sign, magnitude = np.linalg.slogdet(np.eye(matrix.shape[-1]) - matrix)
                log_g += magnitude + 1j * np.angle(sign)
        for denominator in trace.denominators:
            log_g += np.log(denominator).sum(axis=1)
    return log_g


def _settled_phase(loop: Recursion, s: Spectrum) -> Array:
    """The unwrapped phase of G at points where the gain around the loop is below one: [points]."""
    trace = traced(loop, s)
    phase = np.zeros(len(s))
    for matrix in trace.loops:
        eigenvalues = matrix if matrix.ndim == 2 else np.linalg.eigvals(matrix)
        phase += np.angle(1 - eigenvalues).sum(axis=1)
    for denominator in trace.denominators:
        # Both roots of a section are inside, each with less than a quarter turn.
        phase += np.angle(denominator).sum(axis=1)
    return phase


def effort(loop: Recursion) -> float:
    """What a point costs, compared with one of 16 lines; at least 1."""
    return max(width(loop) / _USUAL_WIDTH, taps(loop) / _USUAL_TAPS, 1.0)


def walk(loop: Recursion, log_radius: float, *, max_points: int = MAX_POINTS) -> Walk:
    """Walk a circle.

    Args:
        loop: the recursion; its inner ones are counted with it.
        log_radius: log |z| of the circle.
        max_points: where to give up, at 16 lines; fewer of more costly ones.

    Returns:
        The walk.

    Raises:
        UndecidedError: more points than allowed, or a mode right on the circle.
    """
    max_points = int(max_points / effort(loop))
    angles, settled = _first_points(loop, log_radius, max_points)
    log_g = log_characteristic(loop, circle(log_radius, angles))
    turns = _turns_where_settled(loop, log_radius, angles, settled)
    while True:
        split = _too_long(angles, log_g, settled)
        if not split.any():
            return Walk(loop, log_radius, angles, log_g, settled, turns)
        where = np.flatnonzero(split)
        between = (angles[where] + angles[where + 1]) / 2
        if len(angles) + len(where) > max_points:
            raise UndecidedError(f"more than {max_points} points on the circle")
        if (between <= angles[where]).any():
            raise UndecidedError("a mode lies on the circle", on_circle=True)
        inserted = log_characteristic(loop, circle(log_radius, between))
        angles = np.insert(angles, where + 1, between)
        log_g = np.insert(log_g, where + 1, inserted)
        settled = np.insert(settled, where + 1, values=False)
        turns = np.insert(turns, where + 1, 0.0)


def steps_of(log_g: Spectrum) -> Spectrum:
    """The steps between values of log G, the phase by the shorter way: [points − 1]."""
    step = np.diff(log_g)
    phase = np.remainder(step.imag + np.pi, 2 * np.pi) - np.pi
    steps: Spectrum = step.real + 1j * phase
    return steps


def _too_long(angles: Array, log_g: Spectrum, settled: NDArray[np.bool_]) -> NDArray[np.bool_]:
    if not np.isfinite(log_g).all():
        raise UndecidedError("a mode lies on the circle", on_circle=True)
    widths = np.where(settled, np.inf, np.diff(angles))
    split: NDArray[np.bool_] = abs(steps_of(log_g)) > _LONGEST_STEP
    split[1:] |= widths[1:] > 2.1 * widths[:-1]
    split[:-1] |= widths[:-1] > 2.1 * widths[1:]
    return split & ~settled


def _first_points(
    loop: Recursion, log_radius: float, max_points: int
) -> tuple[Array, NDArray[np.bool_]]:
    """(angles, which intervals are settled): dense enough for as many modes as there can be."""
    edges = edges_of_band(512, loop)
    with np.errstate(over="ignore", invalid="ignore"):
        settled = Band(log_radius, edges).loop_gain(loop).high < 1 - 1e-9
    modes = memory_samples(loop)
    density = _POINTS_A_MODE * modes / (2 * np.pi) + _BASE_POINTS / np.pi
    if density * float(np.diff(edges)[~settled].sum()) > max_points:
        raise UndecidedError(f"{modes:.0f} modes need more than {max_points} points")
    angles, flags = [np.zeros(1)], []
    for low, high, is_settled in _runs(edges, settled):
        count = 1 if is_settled else max(2, int(np.ceil(density * (high - low))))
        angles.append(np.linspace(low, high, count + 1)[1:])
        flags += [is_settled] * count
    return np.concatenate(angles), np.array(flags)


def _runs(edges: Array, settled: NDArray[np.bool_]) -> list[tuple[float, float, bool]]:
    """Neighbouring intervals of one kind, as (low, high, settled)."""
    changes = np.flatnonzero(np.diff(settled)) + 1
    bounds = [0, *changes.tolist(), len(settled)]
    return [
        (float(edges[low]), float(edges[high]), bool(settled[low]))
        for low, high in pairwise(bounds)
    ]


def _turns_where_settled(
    loop: Recursion, log_radius: float, angles: Array, settled: NDArray[np.bool_]
) -> Array:
    turns = np.zeros(len(settled))
    where = np.flatnonzero(settled)
    if len(where):
        ends = np.concatenate([angles[where], angles[where + 1]])
        phase = _settled_phase(loop, circle(log_radius, ends))
        turns[where] = phase[len(where) :] - phase[: len(where)]
    return turns
