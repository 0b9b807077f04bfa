"""In which order a text is played, and for how long: what matters most comes first."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

FS = 48_000
_OTHER_RATES = (44_100, 96_000)
# At rest: long enough for what begins after two seconds to show, and, with time left, for slow
# oscillators to come round.
_FIRST_SECONDS, _LONG_SECONDS = 4.0, 10.0
# What the other rates, the other sign and knobs at their ends do at once, or soon.
SHORT_SECONDS, _TURNED_SECONDS, _SOON_SECONDS = 1.0, 0.2, 2.0
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
    """

    what: str
    fs: int
    seconds: float
    sign: float = 1.0
    knob: tuple[str, float] | None = None

    def told(self) -> str:
        """With which settings, for people."""
        knob = "" if self.knob is None else f" with {self.knob[0]} at {self.knob[1]:g}"
        return f"at {self.fs / 1000:g} kHz{knob}"


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
        return [Run(what, fs, seconds, knob=end) for end in ends]

    def other(fs: int, seconds: float, length: str = "") -> Run:
        return Run(f"{rest} at {fs / 1000:g} kHz{length}", fs, seconds)

    return [
        other(FS, _FIRST_SECONDS),
        Run(f"{rest} and the input's sign turned", FS, SHORT_SECONDS, -1.0),
        *(other(fs, SHORT_SECONDS) for fs in _OTHER_RATES),
        *each(FS, _TURNED_SECONDS),
        *itertools.chain(*(each(fs, _TURNED_SECONDS / 2) for fs in _OTHER_RATES)),
        *(other(fs, _FIRST_SECONDS, ", later seconds") for fs in _OTHER_RATES),
        *each(FS, _SOON_SECONDS, ", later seconds"),
        other(FS, _LONG_SECONDS, ", later seconds"),
    ]


def _ends(knobs: Sequence[Knob]) -> list[tuple[str, float]]:
    """Each knob that the plugin can turn, at each end at which it does not rest."""
    reachable = sorted(knobs, key=lambda knob: knob["address"])[:_KNOBS]
    return [
        (knob["address"], end)
        for knob in reachable
        for end in (knob.get("max", 1.0), knob.get("min", 0.0))
        if end != knob.get("init", 0.0)
    ]


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
