"""When watchers are told."""

from __future__ import annotations

import pytest

from faustwire_bridge.core.broadcast import Broadcast


@pytest.fixture
def broadcast() -> Broadcast:
    """One that has told at 100 s what took a millisecond to make."""
    made = Broadcast(99.0)
    made.sent(100.0, 0.001)
    return made


def test_where_nothing_happens_it_is_told_once_a_second(broadcast: Broadcast) -> None:
    assert broadcast.deadline() == 101.0


def test_what_changes_is_told_ten_times_a_second(broadcast: Broadcast) -> None:
    broadcast.changed()
    assert broadcast.deadline() == pytest.approx(100.1)


def test_who_is_new_is_told_at_once(broadcast: Broadcast) -> None:
    broadcast.joined()
    assert broadcast.deadline() == pytest.approx(100.01)


def test_it_takes_at_most_a_tenth_of_the_time_whoever_joins(broadcast: Broadcast) -> None:
    broadcast.sent(100.0, 0.05)
    broadcast.changed()
    broadcast.joined()
    assert broadcast.deadline() == 100.5


def test_at_the_start_it_is_due() -> None:
    assert Broadcast(100.0).deadline() <= 100.0
