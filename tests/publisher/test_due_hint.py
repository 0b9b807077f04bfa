"""A publisher may skip what the bridge would turn down, and nothing else."""

from __future__ import annotations

import pytest

from faustwire.messages import Due, OwnProgram, Reason, Verdict
from faustwire_publisher import due_hint
from faustwire_publisher.mailbox import Ticket


class Clock:
    now = 100.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(due_hint, "time", clock)
    return clock


def answered(due: Due | None) -> Ticket:
    """A verdict that took 0.1 s to come back at 100.0."""
    ticket = Ticket(1, lambda: OwnProgram(1, ""))
    ticket.sent, ticket.received = 99.9, 100.0
    ticket.verdict = Verdict(1, True, Reason.PUBLISHED, due=due)
    return ticket


def test_calls_between_the_every_th_are_skipped_for_good(clock: Clock) -> None:
    told = due_hint.DueHint(answered(Due(call=4, every=3, after=0.0)), connection=1)
    reasons = [told.turns_down(call, 1) for call in range(2, 9)]
    assert [reason is Reason.EVERY for reason in reasons] == [True, True, False] * 2 + [True]


def test_time_is_skipped_only_as_far_as_the_bridge_is_sure_to_turn_down(clock: Clock) -> None:
    """Due 1 s after the verdict, which left 99.9 at the earliest; a call needs up to 0.1 s."""
    told = due_hint.DueHint(answered(Due(call=2, every=1, after=1.0)), connection=1)
    clock.now = 100.79
    assert told.turns_down(2, 1) is Reason.MIN_INTERVAL
    clock.now = 100.81
    assert told.turns_down(2, 1) is None


def test_a_new_connection_forgets_because_a_new_bridge_may_see_it_differently(clock: Clock) -> None:
    told = due_hint.DueHint(answered(Due(call=4, every=3, after=9.0)), connection=1)
    assert told.turns_down(2, 2) is None


def test_a_bridge_that_wants_every_call_gets_every_call(clock: Clock) -> None:
    assert due_hint.DueHint(answered(None), connection=1).turns_down(2, 1) is None


def test_a_skipped_call_has_the_reason_that_the_bridge_would_give(clock: Clock) -> None:
    due = Due(call=2, every=1, after=1.0, reason=Reason.RELOAD_COST)
    assert due_hint.DueHint(answered(due), connection=1).turns_down(2, 1) is Reason.RELOAD_COST
