"""Who is told the state, and when."""

from __future__ import annotations

import math

import pytest

from faustwire_bridge.core.watchers import MAX_WATCHERS, Watchers

ANNA, BERTA, CARLA = b"anna", b"berta", b"carla"


@pytest.fixture
def watchers() -> Watchers:
    """Anna has had State 1, the first one for all, at 100 s; it took a millisecond to make."""
    made = Watchers()
    made.ask(ANNA, None, 0)
    tell(made, 100.0, 1)
    made.ask(ANNA, None, 1)
    return made


def tell(watchers: Watchers, now: float, number: int, seconds: float = 0.001) -> list[bytes]:
    """Who is told a State."""
    due = watchers.pop_due(now, number)
    watchers.told(now, seconds)
    return due


def test_where_nobody_watches_no_state_is_made() -> None:
    watchers = Watchers()
    watchers.changed()
    assert watchers.deadline() == math.inf
    watchers.ask(ANNA, None, 0)
    assert watchers.deadline() < 0.0
    assert tell(watchers, 100.0, 1) == [ANNA]
    assert watchers.deadline() == math.inf, "who does not ask again is forgotten"


def test_where_nothing_happens_it_is_told_once_a_second(watchers: Watchers) -> None:
    assert watchers.deadline() == 101.0


def test_what_changes_is_told_ten_times_a_second(watchers: Watchers) -> None:
    watchers.changed()
    assert watchers.deadline() == pytest.approx(100.1)


def test_who_is_new_is_told_at_once_and_nobody_else(watchers: Watchers) -> None:
    watchers.changed()
    watchers.ask(BERTA, None, 0)
    assert watchers.deadline() == pytest.approx(100.01)
    assert tell(watchers, 100.01, 2) == [BERTA]
    watchers.ask(BERTA, None, 2)
    # What has changed is still news to Anna.
    assert watchers.deadline() == pytest.approx(100.1)
    assert tell(watchers, watchers.deadline(), 3) == [ANNA, BERTA]


def test_who_was_on_the_way_when_all_were_told_does_not_wait_for_the_next_change(
    watchers: Watchers,
) -> None:
    tell(watchers, 101.0, 2)
    watchers.ask(BERTA, None, 1)
    assert watchers.deadline() == pytest.approx(101.01)
    watchers.ask(BERTA, None, 2)
    assert watchers.deadline() == pytest.approx(102.0), "the control: it has the last one"
    watchers.ask(BERTA, None, 99)
    assert watchers.deadline() == pytest.approx(101.01), "that was another bridge's"


def test_it_takes_at_most_a_tenth_of_the_time_whoever_asks(watchers: Watchers) -> None:
    tell(watchers, 101.0, 2, seconds=0.05)
    watchers.changed()
    watchers.ask(BERTA, None, 0)
    assert watchers.deadline() == 101.5
    watchers.ask(ANNA, None, 2)
    assert tell(watchers, 101.5, 3, seconds=0.05) == [BERTA, ANNA]


def test_who_asks_a_thousand_times_waits_once(watchers: Watchers) -> None:
    for _ in range(1000):
        assert watchers.ask(BERTA, None, 0) is None
    assert tell(watchers, 101.0, 2) == [ANNA, BERTA]


def test_each_user_has_a_number_of_watchers_and_takes_nobody_elses(watchers: Watchers) -> None:
    for number in range(MAX_WATCHERS):
        assert watchers.ask(b"mallory %d" % number, "mallory", 0) is None
    assert str(MAX_WATCHERS) in str(watchers.ask(b"one more", "mallory", 0))
    assert watchers.ask(b"mallory 0", "mallory", 0) is None, "it waits already"
    assert watchers.ask(BERTA, "berta", 0) is None
    assert watchers.ask(CARLA, None, 0) is None
    assert len(tell(watchers, 101.0, 2)) == MAX_WATCHERS + 3
    assert watchers.ask(b"one more", "mallory", 2) is None, "there is room again"
