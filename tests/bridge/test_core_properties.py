"""Whatever comes in whatever order: no verdict is lost or doubled, no interval is cut short.

Random workers, connections, choices, outcomes and times; the judge is the real one.
"""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import dataclass, field

import pytest

from core_by_hand import WELCOME
from faustwire import codec
from faustwire.messages import (
    Bye,
    Choice,
    Follow,
    Hello,
    Ping,
    Reason,
    Snapshot,
    Source,
    Verdict,
)
from faustwire_bridge import core, exchange
from faustwire_bridge.gates.judging import judge
from faustwire_bridge.gates.report import Report
from graphs import gain

CHOICES = (
    Choice(),
    Choice("first"),
    Choice("best", "loss"),
    Choice("best", "loss", larger=True),
    Choice("worker", "w1"),
)
REPORT = exchange.Compiled(Report(seconds=0.01))


@dataclass
class Person:
    """A worker that may lose its connection, send again, leave and come back."""

    hello: Hello
    peer: bytes = b""
    call: int = 0
    sent: Snapshot | Source | None = None
    answered: bool = True


@dataclass
class World:
    """A core, its shell, and all that was seen of it."""

    dice: random.Random
    rules: core.Rules
    now: float = 100.0
    log: list[tuple[float, exchange.Event]] = field(default_factory=list)
    outcomes: list[exchange.Outcome] = field(default_factory=list)
    verdicts: Counter[tuple[bytes, int]] = field(default_factory=Counter)
    reloads: list[tuple[float, str]] = field(default_factory=list)
    told: list[exchange.Instruction] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.core = core.Core(WELCOME, self.now, self.rules)

    def take(self, event: exchange.Event) -> None:
        self.log.append((self.now, event))
        for instruction in self.core.handle(event, self.now):
            self.told.append(instruction)
            self._follow(instruction)

    def _follow(self, instruction: exchange.Instruction) -> None:
        match instruction:
            case exchange.Judge(snapshot, playing, playing_db):
                limits = self.rules.limits
                judged = judge(snapshot, limits=limits, playing=playing, playing_db=playing_db)
                self.outcomes.append(judged if self.dice.random() < 0.9 else _failed())
            case exchange.Compile():
                self.outcomes.append(REPORT)
            case exchange.Write(program):
                self.reloads.append((self.now, program))
                bad = self.dice.random() < 0.1
                self.take(exchange.WriteFailed("full") if bad else exchange.Written())
            case exchange.Send(peer, Verdict(seq=seq), again):
                self.verdicts[peer, seq] += not again

    def finish(self) -> None:
        while self.outcomes:
            self.take(self.outcomes.pop(0))


def _failed() -> exchange.Outcome:
    return exchange.JudgeFailed("took too long")


def play(seed: int, steps: int = 120) -> World:
    dice = random.Random(seed)  # noqa: S311
    world = World(dice, core.Rules(follow=dice.choice(CHOICES), settle=dice.random() < 0.5))
    people = [
        Person(Hello(f"w{i}", f"{i}", every=dice.choice([1, 2]), min_interval=dice.choice([0, 1])))
        for i in range(3)
    ]
    for number in range(steps):
        world.now += dice.choice([0.0, 0.1, 0.7])
        _step(world, dice.choice(people), number)
        deadline = world.core.deadline()
        if deadline is not None and deadline <= world.now:
            world.take(exchange.Tick())
    world.finish()
    return world


def _step(world: World, who: Person, number: int) -> None:
    dice = world.dice
    chance = dice.random()
    if world.outcomes and chance < 0.4:
        world.take(world.outcomes.pop(0))
    elif not who.peer or chance < 0.45:
        # A new connection; what had no verdict is sent again, with its number.
        who.peer = f"{who.hello.worker}@{number}".encode()
        world.take(exchange.Arrived(who.peer, who.hello))
        if who.sent is not None and dice.random() < 0.7:
            world.take(exchange.Arrived(who.peer, who.sent))
    elif chance < 0.5:
        world.take(exchange.Arrived(b"hand", Follow(dice.choice(CHOICES))))
    elif chance < 0.53:
        world.take(exchange.Arrived(who.peer, Bye()))
        who.peer = b""
    elif chance < 0.58:
        world.take(exchange.Arrived(who.peer, Ping()))
    else:
        who.call += 1
        who.sent = _message(dice, who.call)
        world.take(exchange.Arrived(who.peer, who.sent))


def _message(dice: random.Random, number: int) -> Snapshot | Source:
    if dice.random() < 0.1:
        return Source(number, f"process = {dice.randint(1, 3)};")
    value, loss = dice.randint(1, 5) / 8, dice.random()
    force = dice.random() < 0.1
    return Snapshot(number, number, 48e3, gain(value), force=force, metrics={"loss": loss})


@pytest.mark.parametrize("seed", range(60))
def test_no_call_is_answered_twice_and_none_that_stayed_connected_is_forgotten(seed: int) -> None:
    world = play(seed)
    assert max(world.verdicts.values(), default=1) == 1
    asked = [
        (event.peer, event.message.seq)
        for _, event in world.log
        if isinstance(event, exchange.Arrived) and isinstance(event.message, Snapshot | Source)
    ]
    last = dict(asked)
    stayed = {session.peer for session in world.core.sessions.connected()}
    for peer, seq in last.items():
        session = world.core.sessions.at(peer)
        if peer in stayed and session is not None:
            assert session.answered is not None
            assert session.answered.seq >= seq, (peer, seq)


@pytest.mark.parametrize("seed", range(60))
def test_what_was_published_is_what_was_written(seed: int) -> None:
    """Each write is a verdict's or an event's, and nothing is written twice in a row."""
    world = play(seed)
    written = sum(isinstance(event, exchange.Written) for _, event in world.log)
    events = [told.event for told in world.told if isinstance(told, exchange.Happened)]
    assert written == sum(event.kind in ("published", "settled") for event in events)
    assert written == world.core.pipeline.reloads
    counts = Counter(reason for session in world.core.sessions for reason in session.counts)
    assert set(counts) <= {str(reason) for reason in Reason}
    assert [event.number for event in events] == list(range(1, len(events) + 1))


@pytest.mark.parametrize("seed", range(60))
def test_the_same_events_give_the_same_instructions_again(seed: int) -> None:
    world = play(seed)
    again = core.Core(WELCOME, 100.0, world.rules)
    told = [one for now, event in world.log for one in again.handle(event, now)]
    # Outcomes of writes are logged while the instructions before them are followed.
    assert Counter(map(_shown, told)) == Counter(map(_shown, world.told))


def _shown(instruction: exchange.Instruction) -> bytes | str:
    if isinstance(instruction, exchange.Send):
        return instruction.peer + codec.encode(instruction.message)
    if isinstance(instruction, exchange.Judge):
        return codec.encode(instruction.snapshot)
    return repr(instruction)


@pytest.mark.parametrize("seed", range(20))
def test_a_state_can_be_sent_at_any_moment(seed: int) -> None:
    world = play(seed)
    state = world.core.state(world.now)
    assert codec.decode(codec.encode(state)) == state
