"""Two processes of each kind: one in front, one for what is set aside."""

from __future__ import annotations

import math
import time

import pytest

from bridges import eventually
from faustwire import codec
from faustwire.messages import Snapshot
from faustwire_bridge.children import gates as module
from faustwire_bridge.children.compile_gate import Checker
from faustwire_bridge.children.compiler import Compiler
from faustwire_bridge.children.gates import Gates
from faustwire_bridge.children.judge import JudgeProcess
from faustwire_bridge.core import events, instructions
from faustwire_bridge.core.sound_limits import Limits
from graphs import gain
from hostile_programs import GOOD, HANGS

Told = events.Outcome | events.FinishedAside


class Started:
    """Gates, and which processes were started for them."""

    def __init__(self) -> None:
        self.compilers: list[Compiler] = []
        self.problem: OSError | None = None
        self.gates = Gates(self.judge, self.checker)
        self.told: list[Told] = []

    def judge(self) -> JudgeProcess:
        return JudgeProcess(Limits())

    def checker(self) -> Checker:
        if self.problem is not None:
            raise self.problem
        self.compilers.append(Compiler("live", timeout=20.0))
        return Checker(self.compilers[-1])

    def hears(self, kind: type[Told]) -> Told:
        """The next outcome of a kind."""

        def heard() -> bool:
            self.told += self.gates.outcomes()
            return any(isinstance(outcome, kind) for outcome in self.told)

        eventually(heard, f"a {kind.__name__}")
        found = next(outcome for outcome in self.told if isinstance(outcome, kind))
        self.told.remove(found)
        return found


def compiles(program: str) -> instructions.Compile:
    return instructions.Compile(program, play=False)


def test_what_is_set_aside_goes_on_while_others_are_served() -> None:
    started = Started()
    gates = started.gates
    try:
        assert gates.begin(compiles("process = rdtable(400000, 0.5, 0) <: _,_;")) is None
        assert gates.set_aside() is None
        assert gates.begin(compiles(GOOD)) is None
        assert isinstance(started.hears(events.Compiled), events.Compiled)
        aside = started.hears(events.FinishedAside)
        assert isinstance(aside, events.FinishedAside)
        assert isinstance(aside.outcome, events.Compiled)
        data = codec.encode(Snapshot(1, 1, 48000.0, gain(0.5)))
        assert gates.begin(instructions.Judge(data, None, None)) is None
        assert gates.set_aside() is None
        aside = started.hears(events.FinishedAside)
        assert isinstance(aside, events.FinishedAside)
        assert isinstance(aside.outcome, events.Judged)
    finally:
        gates.close()


def test_a_second_process_is_started_only_when_the_first_takes_long() -> None:
    started = Started()
    gates = started.gates
    try:
        for _ in range(3):
            assert gates.begin(compiles(GOOD)) is None
            # As if it were done at once, however loaded the machine is.
            gates._checkers.begun = math.inf
            started.hears(events.Compiled)
        assert len(started.compilers) == 1
        assert gates.begin(compiles(HANGS)) is None
        eventually(lambda: list(gates.outcomes()) or len(started.compilers) == 2, "a second one")
        deadline = gates.deadline()
        assert deadline is not None
        assert deadline > time.monotonic() + 1.0, "nothing is awaited but libfaust"
    finally:
        gates.close()


def test_what_is_given_up_in_the_background_says_nothing_more() -> None:
    started = Started()
    gates = started.gates
    try:
        assert gates.begin(compiles(HANGS)) is None
        assert gates.set_aside() is None
        gates.cancel(aside=True)
        assert gates.begin(compiles(GOOD)) is None
        assert isinstance(started.hears(events.Compiled), events.Compiled)
        assert started.told == []
        assert len(started.compilers) == 2
    finally:
        gates.close()


def test_where_no_second_process_can_be_started_the_slow_one_ends(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "_SPARE_AFTER_SECONDS", 0.0)
    started = Started()
    gates = started.gates
    started.problem = OSError(11, "Resource temporarily unavailable")
    try:
        assert gates.begin(compiles(HANGS)) is None
        assert list(gates.outcomes()) == []
        ended = gates.set_aside()
        assert isinstance(ended, events.FinishedAside)
        assert isinstance(ended.outcome, events.CompileFailed)
        assert "temporarily unavailable" in ended.outcome.problem
        assert gates.begin(compiles(GOOD)) is None
        assert isinstance(started.hears(events.Compiled), events.Compiled)
    finally:
        gates.close()
