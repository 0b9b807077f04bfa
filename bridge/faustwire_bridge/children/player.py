"""Playing a compiled program: what it makes of noise, silence and a constant input.

Text of a worker's own can't be analysed, so it is played: at three sampling rates, with its knobs
at rest and each at both ends. What matters most comes first, because there is a limit to the time
that playing may take; what was not played for lack of it is reported. Playing does not find what a
program does only later, or only with two knobs turned.

It imports nothing but the standard library, so that the compiling process is ready at once.
"""

from __future__ import annotations

import math
import os
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any

from faustwire_bridge.children.play_cost import PlayCost
from faustwire_bridge.children.play_plan import FS, SHORT_SECONDS, Knob, Run, plan, unplayed
from faustwire_bridge.children.play_signal import buffers, exceeds, signal

# Processor time that playing a text may take; a reverberator from Faust's libraries needs 0.15 s
# for a second of sound, two oscillators a hundredth of that.
PLAY_SECONDS = 2.0
# Part of the time until the deadline that is left alone: on a busy machine playing ends early
# rather than have the program refused.
_RESERVE = 0.25
# A feedback a little above one adds a few decibels a second: what grows in silence is followed for
# so many seconds of sound, as long as each is louder than the one before it, by more than what
# rounding makes of a sound that stays.
_TAIL_SECONDS = 20
_GROWS = 1.03
# 60 dB more than in the first second of silence, and beyond full scale: it would go on.
_GROWN, _LOUD = 1e3, 10.0
# The largest float32: beyond it there is only what is no number.
_LARGEST = 3.4028234e38


class _OutOfTimeError(Exception):
    pass


class _NotFiniteError(Exception):
    pass


def play(
    program: Any,
    channels: tuple[int, int],
    controls: Iterable[Knob],
    deadline: float,
    load: float = 0.0,
) -> dict[str, Any]:
    """Play a text with all that there is time for.

    Args:
        program: an instance of cyfaust's, compiled for single precision.
        channels: of its inputs and outputs.
        controls: its user interface, as ``compiler_child`` describes it.
        deadline: when it must be done, in monotonic seconds.
        load: what it takes at first, as a part of one core.

    Returns:
        The fields ``peak``, ``peak_in``, ``level``, ``unplayed`` and ``load`` of a ``Report``.
    """
    knobs = [one for one in controls if "shows" not in one]
    on_clock = (1 - _RESERVE) * (deadline - time.monotonic())
    player = _Player(program, *channels, _Time(PLAY_SECONDS, on_clock), knobs)
    return player.play(plan(knobs)) | {"load": player.cost.load(load)}


def play_briefly(program: Any, channels: tuple[int, int]) -> dict[str, Any]:
    """Play a second of noise at 48 kHz, both ways round, whatever time it takes.

    Args:
        program: an instance of cyfaust's, compiled for single precision.
        channels: of its inputs and outputs.

    Returns:
        The fields ``peak``, ``peak_in``, ``level`` and ``unplayed`` of a ``Report``.
    """
    runs = [Run("", FS, SHORT_SECONDS, sign) for sign in (1.0, -1.0)]
    return _Player(program, *channels, _Time(math.inf, math.inf)).play(runs)


class _Time:
    """How much time there is for playing, of the processor and on the clock."""

    def __init__(self, processor: float, clock: float) -> None:
        self._processor_end = time.process_time() + processor
        self._clock_end = time.monotonic() + clock

    def left(self) -> float:
        """Seconds; below 0: it is over."""
        return min(self._processor_end - time.process_time(), self._clock_end - time.monotonic())


class _Player:
    """One program, its buffers, and what was found so far.

    Attributes:
        cost: what it takes to run it.
    """

    def __init__(
        self, program: Any, n_in: int, n_out: int, clock: _Time, knobs: Sequence[Knob] = ()
    ) -> None:
        self.cost = PlayCost()
        self._rest = {knob["address"]: knob.get("init", 0.0) for knob in knobs}
        self._program, self._time = program, clock
        self._n_in, self._n_out = n_in, n_out
        self._level = self._peak = 0.0
        self._peak_in = ""
        self._init_seconds = 0.0

    def play(self, runs: Sequence[Run]) -> dict[str, Any]:
        """Play them until time is up or something is not finite; tells what was found."""
        done = 0
        try:
            for run in runs:
                _say(f"playing it {run.told()}")
                self._run(run, must=SHORT_SECONDS if run is runs[0] else 0.0)
                done += 1
        except _OutOfTimeError:
            pass
        except _NotFiniteError:
            self._peak, self._peak_in, done = math.inf, run.told(), len(runs)
        return {
            "peak": self._peak,
            "peak_in": self._peak_in,
            "level": self._level,
            "unplayed": unplayed(runs[done:], runs),
        }

    def _run(self, run: Run, *, must: float) -> None:
        """Play a run, the first ``must`` seconds of its noise whatever time they take."""
        # Tables are filled at each start; at twice the rate they may have twice the length.
        if not must and self._time.left() < 2 * self._init_seconds:
            raise _OutOfTimeError
        self._begin(run)
        source, result = buffers(self._n_in, run.block), buffers(self._n_out, run.block)
        for number, (data, constant) in enumerate(signal(run, self._n_in)):
            if number * run.block / run.fs > must and self._time.left() < 0:
                raise _OutOfTimeError
            if self._n_in:
                source.cast("B")[:] = data
            self._block(run, source, result, at_rest=not run.turned and not constant)
        if run.follows_tail:
            source.cast("B")[:] = bytes(source.nbytes)
            self._follow_tail(run, lambda: self._silence(run, source, result))
        if run.turned:
            # What was turned is turned back: a filter may be loud then, but stays a number.
            self._turn((address, self._rest[address]) for address, _ in run.turned)
            back = replace(run, knob=None, together=run.turned)
            self._block(back, source, result, at_rest=False)

    def _block(
        self, run: Run, source: memoryview[Any], result: memoryview[Any], *, at_rest: bool
    ) -> memoryview[Any]:
        """Play a block and listen to it."""
        begun = time.process_time()
        self._program.compute(run.block, source, result)
        self.cost.add(time.process_time() - begun, run.block)
        heard = result.cast("B")[: 4 * self._n_out * run.block]
        self._hear(heard, run, at_rest=at_rest)
        return heard

    def _silence(self, run: Run, source: memoryview[Any], result: memoryview[Any]) -> float:
        """Play a block of silence; tells its peak."""
        if self._time.left() < 0:
            raise _OutOfTimeError
        return _peak(self._block(run, source, result, at_rest=False).cast("f"))

    def _follow_tail(self, run: Run, next_peak: Callable[[], float]) -> None:
        """Play silence until what rings in it no longer grows."""
        blocks = round(run.fs / run.block)
        first, second = next_peak(), next_peak()
        if second < first / 2:
            return
        begun = before = max(first, second)
        for _ in range(_TAIL_SECONDS):
            loudest = max(next_peak() for _ in range(blocks))
            if loudest > max(_GROWN * begun, _LOUD):
                raise _NotFiniteError
            if loudest < _GROWS * before:
                return
            before = loudest

    def _begin(self, run: Run) -> None:
        begun = time.process_time()
        self._program.init(run.fs)
        self._init_seconds = max(self._init_seconds, time.process_time() - begun)
        self.cost.begin()
        self._turn(run.turned)

    def _turn(self, knobs: Iterable[tuple[str, float]]) -> None:
        for knob in knobs:
            self._program.set_param(*knob)

    def _hear(self, data: memoryview[Any], run: Run, *, at_rest: bool) -> None:
        known = self._level if at_rest else self._peak
        if exceeds(data, _LARGEST if run.only_numbers else known):
            self._listen(data, run, at_rest=at_rest)

    def _listen(self, data: memoryview[Any], run: Run, *, at_rest: bool) -> None:
        heard = data.cast("f")
        # What is not finite shows in the sum, in C and at once.
        if not math.isfinite(sum(heard)):
            raise _NotFiniteError
        if run.only_numbers:
            return
        peak = _peak(heard)
        if peak > self._peak:
            self._peak, self._peak_in = peak, run.told()
        if at_rest:
            self._level = max(self._level, peak)


def _peak(samples: memoryview[Any]) -> float:
    return max(max(samples, default=0.0), -min(samples, default=0.0))


def _say(words: str) -> None:
    """Should the process die of what it plays, its last words tell what that was.

    They replace those of the run before: only the beginning of what was said is read.
    """
    with suppress(OSError):
        os.ftruncate(sys.stderr.fileno(), 0)
    print(words, file=sys.stderr, flush=True)
