"""A core in a world of random workers, connections, choices, outcomes and times.

The judge is the real one.
"""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import dataclass, field

from core_by_hand import WELCOME, arrived
from faustwire.messages import (
    Bye,
    Choice,
    Follow,
    Hello,
    OwnProgram,
    Ping,
    Snapshot,
    Verdict,
)
from faustwire_bridge.analysis.judgement import judge
from faustwire_bridge.core import events, instructions, state_machine
from faustwire_bridge.core.compile_report import Report
from faustwire_bridge.core.rules import Rules
from graphs import gain

BEGUN_NS = 100 * 10**9
CHOICES = (
    Choice(),
    Choice("first"),
    Choice("best", "loss"),
    Choice("best", "loss", larger=True),
    Choice("worker", "w1"),
)
REPORT = events.Compiled(Report(seconds=0.01))
WRITES = (events.Written, events.WriteFailed)


@dataclass
class Person:
    """A worker that may lose its connection, send again, leave and come back."""

    hello: Hello
    peer: bytes = b""
    call: int = 0
    sent: Snapshot | OwnProgram | None = None
    answered: bool = True


@dataclass
class World:
    """A core, the shell around it, and a log of everything that went in and out."""

    dice: random.Random
    rules: Rules
    now_ns: int = BEGUN_NS
    log: list[tuple[float, events.CoreEvent]] = field(default_factory=list)
    outcomes: list[events.Outcome] = field(default_factory=list)
    aside: list[events.Outcome] = field(default_factory=list)
    verdicts: Counter[tuple[bytes, int]] = field(default_factory=Counter)
    reloads: list[tuple[float, str]] = field(default_factory=list)
    told: list[instructions.Instruction] = field(default_factory=list)

    @property
    def now(self) -> float:
        """Seconds, converted from whole nanoseconds as the shell and recordings do."""
        return self.now_ns * 1e-9

    def __post_init__(self) -> None:
        self.core = state_machine.Core(WELCOME, self.now, self.rules)

    def take(self, event: events.CoreEvent) -> None:
        self.log.append((self.now, event))
        for instruction in self.core.handle(event, self.now):
            self.told.append(instruction)
            self._follow(instruction)

    def _follow(self, instruction: instructions.Instruction) -> None:
        match instruction:
            case instructions.Judge(data, playing, playing_db, played):
                limits = self.rules.limits
                judged = judge(
                    data, limits=limits, playing=playing, playing_db=playing_db, played=played
                )
                self.outcomes.append(judged if self.dice.random() < 0.9 else _failed())
            case instructions.SetAside():
                assert self.outcomes, "something is in progress"
                assert not isinstance(self.outcomes[0], WRITES), "what is written is not set aside"
                assert not self.aside, "one thing is"
                self.outcomes, self.aside = [], self.outcomes
            case instructions.Cancel(aside=True):
                self.aside.clear()
            case instructions.Cancel():
                in_file = any(isinstance(outcome, WRITES) for outcome in self.outcomes)
                self.outcomes.clear()
                if in_file:
                    self.take(events.DspChanged())
            case instructions.Compile():
                self.outcomes.append(REPORT)
            case instructions.Write(program):
                self.reloads.append((self.now, program))
                bad = self.dice.random() < 0.1
                self.outcomes.append(events.WriteFailed("full") if bad else events.Written())
                # Others are heard first where it has taken long.
                if self.dice.random() < 0.7:
                    self.take(self.outcomes.pop())
            case instructions.Send(peer, Verdict(seq=seq), again):
                self.verdicts[peer, seq] += not again

    def finish(self) -> None:
        while self.outcomes or self.aside:
            if self.outcomes:
                self.take(self.outcomes.pop(0))
            else:
                self.take(events.FinishedAside(self.aside.pop(0)))


def _failed() -> events.Outcome:
    return events.JudgeFailed("took too long")


def play(seed: int, steps: int = 120) -> World:
    dice = random.Random(seed)  # noqa: S311
    world = World(dice, Rules(follow=dice.choice(CHOICES), settle=dice.random() < 0.5))
    people = [
        Person(Hello(f"w{i}", f"{i}", every=dice.choice([1, 2]), min_interval=dice.choice([0, 1])))
        for i in range(3)
    ]
    for number in range(steps):
        world.now_ns += dice.choice([0, 10**8, 7 * 10**8])
        _step(world, dice.choice(people), number)
        deadline = world.core.deadline()
        if deadline is not None and deadline <= world.now:
            world.take(events.Tick())
    world.finish()
    return world


def _step(world: World, who: Person, number: int) -> None:
    dice = world.dice
    chance = dice.random()
    if world.outcomes and chance < 0.4:
        world.take(world.outcomes.pop(0))
    elif world.aside and chance < 0.42:
        world.take(events.FinishedAside(world.aside.pop(0)))
    elif not who.peer or chance < 0.45:
        # A new connection; what had no verdict is sent again, with its number.
        who.peer = f"{who.hello.worker}@{number}".encode()
        world.take(events.Arrived(who.peer, who.hello))
        if who.sent is not None and dice.random() < 0.7:
            world.take(arrived(who.peer, who.sent))
    elif chance < 0.5:
        world.take(events.Arrived(b"hand", Follow(dice.choice(CHOICES))))
    elif chance < 0.53:
        world.take(events.Arrived(who.peer, Bye()))
        who.peer = b""
    elif chance < 0.58:
        world.take(events.Arrived(who.peer, Ping()))
    else:
        who.call += 1
        who.sent = _message(dice, who.call)
        world.take(arrived(who.peer, who.sent))


def _message(dice: random.Random, number: int) -> Snapshot | OwnProgram:
    if dice.random() < 0.1:
        return OwnProgram(number, f"process = {dice.randint(1, 3)};")
    value, loss = dice.randint(1, 5) / 8, dice.random()
    force = dice.random() < 0.1
    return Snapshot(number, number, 48e3, gain(value), force=force, metrics={"loss": loss})
