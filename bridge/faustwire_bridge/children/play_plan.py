"""In which order a text is played, and for how long: what matters most comes first."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

FS = 48_000
_OTHER_RATES = (44_100, 96_000)
# What is no number there, or far too loud, is so at once.
_RARE_RATES = (88_200, 176_400, 192_000)
# At rest: long enough for what begins after two seconds to show, and, with time left, for slow
# oscillators to come round.
_FIRST_SECONDS, _LONG_SECONDS = 4.0, 10.0
# What the other rates, the other sign and knobs at their ends do at once, or soon.
SHORT_SECONDS, _TURNED_SECONDS, _SOON_SECONDS = 1.0, 0.2, 2.0
# An envelope that follows a constant input is there by then; in later runs it goes on for longer.
_CONSTANT_SECONDS = 0.5
# In the plugin's blocks of 128 it would be slow, and makes a difference only to what asks for the
# length of a block: one run is enough for that.
_BLOCK_SECONDS = 0.1
_PLUGIN_BLOCK = 128
# 12 dB: a DAW's channels hold samples beyond full scale, and some functions end there.
_BEYOND_FULL_SCALE = 4.0
# The plugin has so many knobs, in the order of their addresses; nobody can turn the others.
_KNOBS = 12
Knob = dict[str, Any]


@dataclass(frozen=True)
class Run:
    """One time through the program, from a fresh state: silence, noise, silence, a constant.

    Attributes:
        what: belongs to which part of the plan, for people.
        fs: sampling rate in Hz.
        seconds: of noise.
        sign: of the noise and of the constant: what has run away to −∞ may hide behind a function.
        knob: an address and its value; None: all are at rest.
        constant: seconds of the constant.
        scale: of the input; above full scale only what is no number counts.
        together: knobs that are turned at once, as ``knob``; with them, too, only what is no number
            counts, for loud they may be together without being so one by one.
        in_blocks_of: samples; 0: a tenth of a second.
        follows_tail: whether silence comes last, for as long as the sound in it grows.
    """

    what: str
    fs: int
    seconds: float
    sign: float = 1.0
    knob: tuple[str, float] | None = None
    constant: float = _CONSTANT_SECONDS
    scale: float = 1.0
    together: tuple[tuple[str, float], ...] = ()
    in_blocks_of: int = 0
    follows_tail: bool = False

    @property
    def block(self) -> int:
        """How many samples are played at once."""
        return self.in_blocks_of or round(_BLOCK_SECONDS * self.fs)

    @property
    def turned(self) -> tuple[tuple[str, float], ...]:
        """The knobs that are not at rest."""
        return self.together if self.knob is None else (self.knob,)

    @property
    def only_numbers(self) -> bool:
        """Whether it does not matter how loud it gets."""
        return self.scale > 1 or bool(self.together)

    def told(self) -> str:
        """With which settings, for people."""
        shown = [f"{address} at {value:g}" for address, value in self.turned]
        knob = f" with {', '.join(shown)}" if shown else ""
        beyond = f" with an input of {self.scale:g} times full scale" if self.scale > 1 else ""
        return f"at {self.fs / 1000:g} kHz{knob}{beyond}"


def plan(knobs: Sequence[Knob]) -> list[Run]:
    """What is played, what matters most first.

    Args:
        knobs: address, initial value and ends of each.

    Returns:
        The runs, in order.
    """
    ends = _ends(knobs)
    rest, turned = "with knobs at rest", "with a knob at one of its ends"

    def each(fs: int, seconds: float, length: str = "") -> list[Run]:
        what = f"{turned} at {fs / 1000:g} kHz{length}"
        return [Run(what, fs, seconds, knob=end, follows_tail=bool(length)) for end in ends]

    def other(fs: int, seconds: float) -> Run:
        return Run(f"{rest} at {fs / 1000:g} kHz", fs, seconds)

    def later(fs: int, seconds: float) -> Run:
        what = f"{rest} at {fs / 1000:g} kHz, later seconds"
        return Run(what, fs, seconds, constant=seconds, follows_tail=fs == FS)

    between = "with a knob halfway, or at zero"
    all_turned = "with all knobs at their lower or upper ends"
    return [
        other(FS, _FIRST_SECONDS),
        Run(
            f"{rest} and the input's sign turned",
            FS,
            SHORT_SECONDS,
            -1.0,
            in_blocks_of=_PLUGIN_BLOCK,
        ),
        *(other(fs, SHORT_SECONDS) for fs in _OTHER_RATES),
        *each(FS, _TURNED_SECONDS),
        *itertools.chain(*(each(fs, _TURNED_SECONDS / 2) for fs in _OTHER_RATES)),
        Run(
            f"{rest} and an input beyond full scale", FS, _TURNED_SECONDS, scale=_BEYOND_FULL_SCALE
        ),
        *(Run(between, FS, _TURNED_SECONDS / 2, knob=stop) for stop in _stops_between(knobs)),
        *(Run(all_turned, FS, _TURNED_SECONDS, together=stops) for stops in _all_at_ends(knobs)),
        *(other(fs, _TURNED_SECONDS) for fs in _RARE_RATES),
        *(later(fs, _FIRST_SECONDS) for fs in _OTHER_RATES),
        *each(FS, _SOON_SECONDS, ", later seconds"),
        later(FS, _LONG_SECONDS),
        *(
            Run(
                f"{all_turned}, later seconds",
                FS,
                SHORT_SECONDS,
                together=stops,
                follows_tail=True,
            )
            for stops in _all_at_ends(knobs)
        ),
    ]


def _ends(knobs: Sequence[Knob]) -> list[tuple[str, float]]:
    """Each knob that the plugin can turn, at each end at which it does not rest."""
    return [
        (knob["address"], end)
        for knob in _reachable(knobs)
        for end in (knob.get("max", 1.0), knob.get("min", 0.0))
        if end != knob.get("init", 0.0)
    ]


def _stops_between(knobs: Sequence[Knob]) -> list[tuple[str, float]]:
    """Each of them halfway, and at zero, where it passes that and does not rest there."""
    stops = []
    for knob in _reachable(knobs):
        low, high = knob.get("min", 0.0), knob.get("max", 1.0)
        between = {(low + high) / 2, 0.0} - {knob.get("init", 0.0)}
        stops += [(knob["address"], stop) for stop in sorted(between) if low < stop < high]
    return stops


def _all_at_ends(knobs: Sequence[Knob]) -> list[tuple[tuple[str, float], ...]]:
    """All of them at their lower ends, and all at their upper ones; none if there is only one."""
    found = _reachable(knobs)
    if len(found) < 2:
        return []
    return [
        tuple((knob["address"], knob.get(end, default)) for knob in found)
        for end, default in (("min", 0.0), ("max", 1.0))
    ]


def _reachable(knobs: Sequence[Knob]) -> list[Knob]:
    return sorted(knobs, key=lambda knob: knob["address"])[:_KNOBS]


def unplayed(skipped: Sequence[Run], runs: Sequence[Run]) -> str:
    """What was not played, for people.

    Args:
        skipped: the runs that were not played to their end.
        runs: all that were planned.

    Returns:
        One line; empty: nothing.
    """
    planned = Counter(run.what for run in runs)
    parts = [
        what if count == planned[what] else f"{what} ({count} of {planned[what]})"
        for what, count in Counter(run.what for run in skipped).items()
    ]
    return "; ".join(parts)
