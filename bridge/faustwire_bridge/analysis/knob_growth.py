"""Whether a model that decays as it is grows at some position of its rt60 knob."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping

from faustwire.controls import Slider
from faustwire.graph import Node
from faustwire.messages import Reason
from faustwire_bridge.analysis.knob_positions import (
    attenuated,
    attenuates_evenly,
    rt60_positions,
)
from faustwire_bridge.analysis.stability import Stability, StabilityClass, classify, contracts
from faustwire_bridge.core.refusal import Refusal

# At each of a handful of positions.
_MAX_POINTS = 2**15
# Around the position of the slowest decay two more are looked at, and again, each time at half the
# distance: from a third to half a percent.
_ROUNDS = 6


def grows_turned(graph: Node, fs: float, knob: Slider | None) -> Refusal | str | None:
    """Find out whether a model that decays as it is grows at some position of its rt60 knob.

    Args:
        graph: a valid one.
        fs: sampling rate in Hz.
        knob: the slider, in seconds; None: there is none.

    Returns:
        Why it is refused; a warning where that could not be told; None: it does not.
    """
    if knob is None or attenuates_evenly(graph):
        return None
    found: dict[float, Stability | None] = {}
    refusal = _look(graph, fs, rt60_positions(knob), found)
    for _ in range(_ROUNDS):
        if refusal is not None:
            return refusal
        refusal = _look(graph, fs, _around_slowest(found), found)
    return refusal or _undecided(found)


def _look(
    graph: Node, fs: float, positions: Iterable[float], found: dict[float, Stability | None]
) -> Refusal | None:
    """Decide at some positions, from the longest on, and keep what is found; None: it contracts."""
    for position in positions:
        turned = attenuated(graph, fs=fs, rt60_seconds=position)
        if contracts(turned):
            found[position] = None
            break  # at shorter times each delay only has less gain
        here = found[position] = classify(turned, fs=fs, max_points=_MAX_POINTS)
        if here.verdict is StabilityClass.UNSTABLE:
            advice = (
                f"with the rt60 knob at {position:.3g} s {here.detail}: paths of different length "
                "no longer cancel there; lower the loop's gain, leave the knob out, or say "
                "--allow-unstable"
            )
            return Refusal(Reason.UNSTABLE, advice)
    return None


def _around_slowest(found: Mapping[float, Stability | None]) -> list[float]:
    """Halfway to the neighbours of the position from which decays get shorter both ways, if any."""
    positions = sorted(found)
    seconds = [_seconds(found[position]) for position in positions]
    # As a rule they get longer with the knob's time.
    peaks = [
        index
        for index in range(len(positions) - 1)
        if seconds[index] >= seconds[index + 1] and seconds[index] > 0
    ]
    if not peaks:
        return []
    slowest = max(peaks, key=seconds.__getitem__)
    here = positions[slowest]
    neighbours = positions[max(slowest - 1, 0) : slowest + 2]
    return [math.sqrt(here * other) for other in reversed(neighbours) if other != here]


def _seconds(here: Stability | None) -> float:
    """How long it rings; 0 where that is not known."""
    if here is not None and here.verdict is StabilityClass.MARGINAL:
        return math.inf
    return (here.rt60_seconds if here is not None else None) or 0.0


def _undecided(found: Mapping[float, Stability | None]) -> str | None:
    positions = [
        position
        for position, here in found.items()
        if here is not None and here.verdict is StabilityClass.UNDECIDED
    ]
    if not positions:
        return None
    ends = " to ".join(f"{position:.3g}" for position in sorted({min(positions), max(positions)}))
    return f"whether it grows with its rt60 knob at {ends} s could not be told in time"
