"""How much a model sounds unlike the one that plays: the change of the response, not of parameters.

What is compared is what listeners would hear with the knobs at rest: the response from the
plugin's inputs to its two outputs, octave by octave.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property, lru_cache

import numpy as np

from faustwire.controls import Slider
from faustwire.graph import Array, Node, channels
from faustwire_bridge.analysis.circle_bounds import gain_bound
from faustwire_bridge.analysis.knob_positions import at_first
from faustwire_bridge.analysis.layout import layout
from faustwire_bridge.analysis.peak_gain import response
from faustwire_bridge.analysis.played_graph import through_plugin
from faustwire_bridge.analysis.poles import filter_poles
from faustwire_bridge.analysis.ringing import ringing
from faustwire_bridge.analysis.transfer import Spectrum, batches, full
from faustwire_bridge.analysis.workload import memory_samples
from faustwire_bridge.codegen.fitting import PLUGIN_CHANNELS
from faustwire_bridge.core.program_structure import structure_of_example

_LOWEST_BAND_HZ = 20.0
_OCTAVES = 10
_POINTS_AN_OCTAVE = 24
# With this much damping every resonance is as wide as the step to the next point.
_RESOLVED = math.log(2) / _POINTS_AN_OCTAVE / 2
# In the mean distance between two modes: with as many modes as a reverb has, a point in eight lies
# on one, and none is more than 9 dB above the mean.
_TURNS = 2.5
# The sharpest resonances of filters, which a grid would miss, are points as well.
_RESONANCES = 64
# What is so far below the loudest octave is not heard beside it.
_FLOOR_DB = -60.0
# A difference in a mode grows for as long as the mode rings, but nobody remembers for longer.
_LONGEST_SECONDS = 10.0
_LN_60_DB = math.log(1000)
# Some of the points, from 320 Hz to 2 kHz: whoever hears a change hears it there.
_FEW = slice(4 * _POINTS_AN_OCTAVE, 7 * _POINTS_AN_OCTAVE, _POINTS_AN_OCTAVE // 2 + 1)
# The octave from 640 Hz, and which of those points lie in it; mostly they are enough.
_OCTAVE = 5
_FEW_IN_OCTAVE = slice(2, 4)


@dataclass(frozen=True)
class WrittenModel:
    """A program and the graph that it was written from.

    Attributes:
        program: Faust text.
        graph: a valid one.
        fs: sampling rate in Hz.
        controls: the knobs, by the control's name, each with its position at first.
        example: a program of the same structure; see ``codegen.Program``.
        gain_bound: upper bound on the graph's gain at any frequency; None: not known.
    """

    program: str
    graph: Node
    fs: float
    controls: Mapping[str, Slider]
    example: str = field(default="", repr=False)
    gain_bound: float | None = None

    @cached_property
    def structure(self) -> bytes:
        """The digest of the program's structure."""
        return structure_of_example(self.example or self.program)

    @cached_property
    def layout(self) -> tuple[object, ...]:
        """See ``layout.layout``."""
        return layout(self.graph)

    @cached_property
    def points(self) -> Spectrum:
        """Where its response is compared: [points], log z."""
        return _points(self)

    @cached_property
    def response(self) -> Spectrum:
        """Its response there; see ``_responses``."""
        return _responses(self, self.points)

    @cached_property
    def few(self) -> Spectrum:
        """Some of the points of its grid."""
        return _grid(self)[_FEW]

    @cached_property
    def response_at_few(self) -> Spectrum:
        """Its response there."""
        return _responses(self, self.few)

    @cached_property
    def response_at_two(self) -> Spectrum:
        """Its response at two of those."""
        return _responses(self, self.few[_FEW_IN_OCTAVE])

    @cached_property
    def octave_levels(self) -> Array:
        """The mean power of each output in one of the octaves: [positions of the knob, outputs]."""
        octave = _grid(self)[_OCTAVE * _POINTS_AN_OCTAVE : (_OCTAVE + 1) * _POINTS_AN_OCTAVE]
        return np.asarray(_powers(_responses(self, octave)).mean(axis=1))

    @cached_property
    def highest(self) -> float:
        """Upper bound on its gain at all points; infinite: there is none."""
        if max(channels(self.graph)) > PLUGIN_CHANNELS:  # what is summed may be louder
            return math.inf
        return gain_bound(self.graph) if self.gain_bound is None else self.gain_bound


@np.errstate(all="ignore")  # what is not finite tells nothing
def certain_change_db(
    before: WrittenModel, after: WrittenModel, least_db: float | None
) -> float | None:
    """Find by how much a program's response differs at least, from a few points.

    Args:
        before: what plays.
        after: what would.
        least_db: a smaller change is not told; None: any is.

    Returns:
        A lower bound on ``change_db``, no smaller than ``least_db``; None: it may be smaller.
    """
    if not _are_alike(before, after):
        return math.inf
    same_points = np.array_equal(before.few, after.few)
    try:
        # No octave has more than the bound on the gain, and no point.
        if same_points:
            changes = _powers(after.response_at_two - before.response_at_two)
            found_db = _ratio_db(float(changes.max()), before.highest**2, least_db)
            if found_db is not None:
                return found_db
        there = after.response_at_few if same_points else _responses(after, before.few)
        changes = _powers(there - before.response_at_few)
        found_db = _ratio_db(float(changes.max()), before.highest**2, least_db)
        if found_db is not None:
            return found_db
        # Or relative to one of the octaves, as it is.
        floor = before.highest**2 * 10 ** (_FLOOR_DB / 10)
        references = np.maximum(before.octave_levels, floor)[:, None]
        return _ratio_db(float((changes[:, _FEW_IN_OCTAVE] / references).max()), 1.0, least_db)
    except (ArithmeticError, np.linalg.LinAlgError):
        return None


def _powers(values: Spectrum) -> Array:
    """Of all inputs together."""
    powers: Array = (abs(values) ** 2).sum(axis=3)
    return powers


def _ratio_db(power: float, reference: float, least_db: float | None) -> float | None:
    """A ratio of powers in dB; None: it is no number, or less than asked for."""
    ratio = power / reference
    if not 0 < ratio < math.inf:
        return None
    found_db = 10 * math.log10(ratio)
    return found_db if least_db is None or found_db >= least_db else None


def change_db(before: WrittenModel, after: WrittenModel, rt60_seconds: float | None) -> float:
    """Find by how much a program's response differs from the one that plays.

    The responses are compared at 24 points an octave from 20 Hz to 20 kHz and at the sharpest
    resonances of filters, somewhat outside of the unit circle, which weights the impulse responses
    with a decaying exponential and makes modes wide enough to be met. The figure is the largest
    difference at any point: of either output, all inputs together, relative to the RMS of its
    octave before, or to 60 dB below the loudest octave where that is more.

    Guaranteed: another layout (wiring, whole delays, knobs, or text of somebody's own) is never
    alike. Where the weighting hides the end of a tail, the figure is raised by as much as a
    difference in a mode grows until then, in proportion to time, up to ten seconds.

    Not guaranteed: that the largest difference lies on a point. Points are a sample of the modes
    of a reverb, of which none stands out by more than some dB at this weighting. Knobs are looked
    at in two positions: the rt60 knob at rest, and without its attenuation.

    Args:
        before: what plays.
        after: what would.
        rt60_seconds: how long the latter rings at most; None: not known, for ever, or not at all.

    Returns:
        The change in dB, an upper bound rather than a mean; −inf for none, and inf where it can't
        be computed or the layout is another.
    """
    if not _are_alike(before, after):
        return math.inf
    try:
        same_points = np.array_equal(before.points, after.points)
        responses = after.response if same_points else _responses(after, before.points)
        return _difference_db(before, responses, rt60_seconds)
    except (ArithmeticError, np.linalg.LinAlgError):
        return math.inf


def _are_alike(before: WrittenModel, after: WrittenModel) -> bool:
    return (
        before.fs == after.fs
        and dict(before.controls) == dict(after.controls)
        and channels(before.graph) == channels(after.graph)
        and before.layout == after.layout
    )


def _points(model: WrittenModel) -> Spectrum:
    angles = np.concatenate([_grid(model).imag, _resonances(model.graph)])
    return _damped(angles, _damping(model))


def _grid(model: WrittenModel) -> Spectrum:
    return _known_grid(model.fs, _damping(model))


@lru_cache(maxsize=8)
def _known_grid(fs: float, damping: float) -> Spectrum:
    octaves = np.arange(_OCTAVES * _POINTS_AN_OCTAVE) / _POINTS_AN_OCTAVE
    # Of rates below 41 kHz the highest octaves are mirrored: they tell nothing, and do no harm.
    grid = _damped(2 * np.pi * _LOWEST_BAND_HZ / fs * 2**octaves, damping)
    grid.setflags(write=False)
    return grid


def _damping(model: WrittenModel) -> float:
    return 1 / (_TURNS * max(1.0, memory_samples(model.graph)))


def _damped(angles: Array, damping: float) -> Spectrum:
    points: Spectrum = np.minimum(_RESOLVED * angles, damping) + 1j * angles
    return points


def _resonances(graph: Node) -> Array:
    """Angles at which filters resonate more sharply than the grid, in radians a sample."""
    poles = filter_poles(graph)
    poles = poles[poles != 0]
    angles, rates = abs(np.angle(poles)), abs(np.log(abs(poles)))
    sharp = rates < _RESOLVED * angles
    sharpest = np.argsort((rates / np.maximum(angles, 1e-9))[sharp], kind="stable")[:_RESONANCES]
    return np.unique(angles[sharp][sharpest])


@np.errstate(all="ignore")  # what is not finite counts as a change
def _responses(model: WrittenModel, points: Spectrum) -> Spectrum:
    """Without a knob's attenuation, and with that of its rest: [1 or 2, points, 2, n_in]."""
    first = at_first(model.graph, model.controls, fs=model.fs)
    graphs = [model.graph] if first is None else [model.graph, first]
    values: Spectrum = np.array(
        [np.concatenate([_through(graph, s) for s in batches(points, graph)]) for graph in graphs]
    )
    return values


def _through(graph: Node, s: Spectrum) -> Spectrum:
    """From the program's inputs to its two outputs: [points, 2, n_in]."""
    values = full(response(through_plugin(graph), s))
    return np.broadcast_to(values, (len(s), *values.shape[1:]))


@np.errstate(all="ignore")
def _difference_db(before: WrittenModel, after: Spectrum, rt60_seconds: float | None) -> float:
    bands = _OCTAVES * _POINTS_AN_OCTAVE
    # [positions of the knob, points, outputs]
    powers = (abs(before.response) ** 2).sum(axis=3)
    changes = (abs(after - before.response) ** 2).sum(axis=3)
    positions, _, outputs = powers.shape
    levels = powers[:, :bands].reshape(positions, _OCTAVES, _POINTS_AN_OCTAVE, outputs).mean(axis=2)
    floors = levels.max(axis=(1, 2), keepdims=True) * 10 ** (_FLOOR_DB / 10)
    octaves = np.log2(before.points.imag * before.fs / (2 * np.pi * _LOWEST_BAND_HZ)) + 1e-9
    nearest = np.clip(octaves, 0, _OCTAVES - 1).astype(int)
    # Where a resonance stands out of its octave, it is one of the octave's points as well.
    references = np.maximum(np.maximum(levels, floors)[:, nearest], powers / _POINTS_AN_OCTAVE)
    growth = np.maximum(1.0, _ring_samples(before, rt60_seconds) * before.points.real)
    ratios = np.where(changes > 0, changes * growth[:, None] ** 2 / references, 0.0)
    ratios[~np.isfinite(changes)] = np.inf
    largest = float(ratios.max())
    if not math.isfinite(largest):
        return math.inf
    return 10 * math.log10(largest) if largest > 0 else -math.inf


def _ring_samples(model: WrittenModel, rt60_seconds: float | None) -> float:
    """The time constant of the longest tail that counts."""
    if rt60_seconds is None and not any(ringing(model.graph, "")):
        return 0.0
    seconds = math.inf if rt60_seconds is None else rt60_seconds / _LN_60_DB
    return min(seconds, _LONGEST_SECONDS) * model.fs
