"""A change that nobody hears causes no reload: against what plays, whoever sent that."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from core_by_hand import Bridge, Worker
from faustwire.controls import sliders
from faustwire.messages import Hello, Reason, Snapshot, Verdict
from faustwire_bridge.core import events
from faustwire_bridge.core.rules import Rules
from faustwire_bridge.core.sound_limits import Limits
from graphs import gain

# In dB of 0.5: -94, and -60.
UNHEARD, HEARD = 1e-5, 5e-4


def playing(limits: Limits | None = None) -> tuple[Bridge, Worker]:
    """A bridge whose plugin plays anna's gain of 0.5."""
    bridge = Bridge(Rules(limits=limits or Limits()))
    anna = bridge.worker("anna")
    assert anna.update(0.5).published
    return bridge, anna


def test_a_change_that_nobody_hears_causes_no_reload() -> None:
    bridge, anna = playing()
    verdict = anna.update(0.5 + UNHEARD)
    assert (verdict.published, verdict.reason) == (False, Reason.INAUDIBLE)
    assert "-94 dB" in verdict.detail
    assert len(bridge.writes) == 1
    assert anna.update(0.5 + HEARD).published


@pytest.mark.parametrize(
    ("least_db", "reason"),
    [(None, Reason.PUBLISHED), (-95.0, Reason.PUBLISHED), (-93.0, Reason.INAUDIBLE)],
)
def test_how_much_nobody_hears_can_be_set_and_switched_off(
    least_db: float | None, reason: Reason
) -> None:
    _, anna = playing(Limits(min_change_db=least_db))
    assert anna.update(0.5 + UNHEARD).reason is reason


def test_small_changes_add_up() -> None:
    """Each is compared with what plays, not with the last one sent."""
    bridge, anna = playing()
    reasons = [anna.update(0.5 + step * UNHEARD).reason for step in range(1, 13)]
    assert reasons[:4] == 4 * [Reason.INAUDIBLE]
    assert reasons.count(Reason.PUBLISHED) == 2, "at -80 dB, every fifth or so"
    assert len(bridge.writes) == 3


def test_force_writes_what_nobody_hears_but_not_the_same_again() -> None:
    _, anna = playing()
    assert anna.update(0.5 + UNHEARD, force=True).published
    assert anna.update(0.5 + UNHEARD, force=True).reason is Reason.UNCHANGED


def test_what_is_not_heard_says_when_the_next_call_can_be_due() -> None:
    _, anna = playing()
    due = anna.update(0.5 + UNHEARD).due
    assert due is not None
    assert due.call == 3


def test_what_was_refused_plays_no_more_than_before() -> None:
    _, anna = playing()
    assert anna.update(1e4).reason is Reason.TOO_LOUD
    assert anna.update(1e4 * (1 + 1e-6)).reason is Reason.TOO_LOUD
    assert anna.update(0.5 + UNHEARD).reason is Reason.INAUDIBLE


def test_after_text_of_somebodys_own_every_model_is_heard() -> None:
    _, anna = playing()
    assert anna.publish("process = _,_;").published
    assert anna.update(0.5 + UNHEARD).published


def test_text_is_never_compared() -> None:
    _, anna = playing()
    assert anna.publish("process = 0.5,_;").published
    assert anna.publish("process = 0.5000001,_;").published


@pytest.mark.parametrize("trouble", ["a failed write", "somebody else"])
def test_where_it_is_not_known_what_plays_everything_is_heard(trouble: str) -> None:
    bridge, anna = playing()
    if trouble == "somebody else":
        bridge.take(events.DspChanged())
    else:
        bridge.disk_problem = "the disk is full"
        assert anna.update(0.25).reason is Reason.WRITE_FAILED
        bridge.disk_problem = None
    assert anna.update(0.5 + UNHEARD).published
    assert anna.update(0.5 + 2 * UNHEARD).reason is Reason.INAUDIBLE


def test_what_was_compared_with_a_program_that_plays_no_more_is_heard() -> None:
    bridge, anna = playing()
    bridge.judges = False
    anna.seq = anna.call = 2
    assert anna.take(Snapshot(2, 2, 48000.0, gain(0.5 + UNHEARD))) == []
    bridge.take(events.DspChanged())
    [told] = bridge.take(bridge.judged())
    assert isinstance(told.message, Verdict)
    assert told.message.reason is Reason.PUBLISHED


def test_another_workers_model_is_compared_as_well() -> None:
    bridge, _ = playing()
    bert = bridge.worker("bert")
    assert bert.update(0.5 + UNHEARD).reason is Reason.INAUDIBLE
    assert bert.update(0.5 + HEARD).published


def test_a_bridge_that_has_just_started_writes_what_comes_first() -> None:
    playing()
    assert playing()[0].writes


@pytest.mark.parametrize("knobs", [{"dry_wet": True}, {"dry_wet": {"label": "mix"}}])
def test_another_knob_is_heard_whatever_the_model_does(knobs: dict[str, Any]) -> None:
    bridge = Bridge()
    anna = bridge.worker("anna")
    before: dict[str, Any] = {"dry_wet": {"step": 0.1}}
    calls = [
        (0.5, before, Reason.PUBLISHED),
        (0.5 + UNHEARD, before, Reason.INAUDIBLE),
        (0.5 + UNHEARD, knobs, Reason.PUBLISHED),
    ]
    for number, (value, controls, reason) in enumerate(calls, start=1):
        sent = Snapshot(number, number, 48000.0, gain(value), controls=sliders(controls))
        assert anna.verdict(sent).reason is reason


def test_what_settles_is_not_written_if_nobody_hears_it() -> None:
    bridge = Bridge()
    slow = Worker(bridge, "slow", Hello("slow", "slow-1", min_interval=1.0, settle=True))
    slow.update(0.5)
    for value, writes in ((0.5 + UNHEARD, 1), (0.5 + HEARD, 2)):
        assert slow.update(value).reason is Reason.MIN_INTERVAL
        bridge.until(bridge.now + 1.5)
        assert len(bridge.writes) == writes
        bridge.now -= 1.0  # within the interval of the next


def test_rules_of_a_recording_say_whether_it_was_looked_at() -> None:
    rules = Rules()
    assert Rules.from_text(rules.to_text()) == rules
    older = json.loads(rules.to_text())
    del older["limits"]["min_change_db"]
    assert Rules.from_text(json.dumps(older)).limits == replace(Limits(), min_change_db=None)
