"""Reloads are a part of the model's RT60 apart, where that is asked for."""

from __future__ import annotations

import math

import numpy as np
import pytest

from core_by_hand import Bridge, Worker
from faustwire.graph import Delay, Node, Recursion
from faustwire.messages import Hello, Reason, Snapshot
from faustwire_bridge.core.rules import Rules
from graphs import gain

FS = 48000.0


def ringing(rt60_seconds: float, *, gain_: float = 1.0) -> Node:
    delay = 480.0
    feedback = 10 ** (-3 * delay / FS / rt60_seconds)
    line = Delay("d", np.array([delay]), gains=np.array([gain_]))
    return Recursion("loop", line, gain(feedback / gain_))


def settings(part: float) -> tuple[Bridge, Worker]:
    bridge = Bridge(Rules(let_ring=part))
    return bridge, Worker(bridge, "anna", Hello("anna", "anna-1", min_interval=0.1))


def sent(worker: Worker, graph: Node, *, force: bool = False) -> Reason:
    worker.seq += 1
    worker.call += 1
    return worker.verdict(Snapshot(worker.seq, worker.call, FS, graph, force=force)).reason


@pytest.mark.parametrize(("part", "seconds"), [(0.5, 1.0), (0.25, 0.5), (0.0, 0.1)])
def test_what_rings_is_let_ring_for_a_part_of_its_rt60(part: float, seconds: float) -> None:
    bridge, anna = settings(part)
    assert sent(anna, ringing(2.0)) is Reason.PUBLISHED
    bridge.now += 0.97 * seconds
    assert sent(anna, gain(0.5)) in (Reason.RELOAD_COST, Reason.MIN_INTERVAL)
    bridge.now += 0.1 * seconds
    assert sent(anna, gain(0.25)) is Reason.PUBLISHED
    bridge.now += 0.11
    assert sent(anna, ringing(2.0)) is Reason.PUBLISHED, "a gain does not ring"


def test_the_verdict_says_when_the_tail_is_over() -> None:
    _, anna = settings(0.5)
    anna.seq = anna.call = 1
    due = anna.verdict(Snapshot(1, 1, FS, ringing(2.0))).due
    assert due is not None
    assert due.reason is Reason.RELOAD_COST
    assert due.after == pytest.approx(1.0, rel=0.1)


def test_force_cuts_a_tail() -> None:
    _, anna = settings(0.5)
    assert sent(anna, ringing(2.0)) is Reason.PUBLISHED
    assert sent(anna, gain(0.5), force=True) is Reason.PUBLISHED


def test_nobody_waits_for_hours() -> None:
    bridge, anna = settings(0.5)
    assert sent(anna, ringing(1000.0, gain_=0.01)) is Reason.PUBLISHED
    bridge.now += 59.0
    assert sent(anna, gain(0.5)) is Reason.RELOAD_COST
    bridge.now += 1.0
    assert sent(anna, gain(0.5)) is Reason.PUBLISHED


def test_what_settles_waits_for_the_tail() -> None:
    bridge = Bridge(Rules(let_ring=0.5, settle=True))
    anna = Worker(bridge, "anna", Hello("anna", "anna-1", min_interval=0.1))
    assert sent(anna, ringing(2.0)) is Reason.PUBLISHED
    assert sent(anna, gain(0.5)) is Reason.MIN_INTERVAL
    bridge.until(bridge.now + 0.9)
    assert len(bridge.writes) == 1
    bridge.until(bridge.now + 0.2)
    assert len(bridge.writes) == 2


def test_a_lossless_loop_is_not_waited_for() -> None:
    bridge, anna = settings(0.5)
    assert sent(anna, ringing(math.inf)) is Reason.PUBLISHED
    bridge.now += 0.2
    assert sent(anna, gain(0.5)) is Reason.PUBLISHED
