"""What a watcher has seen: nothing twice, nothing left out, whatever becomes of the bridge."""

from __future__ import annotations

from faustwire_bridge.monitor.view_model import SILENCE_SECONDS, ViewModel
from states import event, state

WALL = 1_700_000_000.0


def test_an_event_is_new_once_and_its_time_is_the_watchers() -> None:
    view = ViewModel()
    first, second = event(1, "joined", worker="anna"), event(2, worker="anna", call=3)
    [entry] = view.take(state(events=(first,)), 5.0, WALL)
    assert (entry.kind, entry.worker, entry.call, entry.at) == ("joined", "anna", None, WALL - 10)
    assert view.take(state(events=(first,)), 5.1, WALL) == []
    [entry] = view.take(state(events=(first, second)), 5.2, WALL)
    assert (entry.kind, entry.call) == ("published", 3)
    assert len(view.entries) == 2


def test_what_a_reload_costs_is_told_and_not_where_the_file_is() -> None:
    here = event(1, detail="/plugins/live.dsp", compile_seconds=0.057)
    [entry] = ViewModel().take(state(events=(here,)), 5.0, WALL)
    assert entry.detail == "57 ms of silence"


def test_events_that_were_missed_are_counted_but_not_those_before_the_first_state() -> None:
    view = ViewModel()
    assert len(view.take(state(events=(event(7),)), 5.0, WALL)) == 1
    missed, entry = view.take(state(events=(event(11), event(12))), 5.1, WALL)[:2]
    assert "3 events" in missed.detail
    assert entry.kind == "published"


def test_events_of_a_bridge_that_took_the_place_of_another_are_all_new() -> None:
    view = ViewModel()
    view.take(state(events=(event(1), event(2))), 5.0, WALL)
    fresh = view.take(state(pid=2, number=1, events=(event(1, "joined"),)), 6.0, WALL)
    assert [entry.kind for entry in fresh] == ["bridge", "joined"]
    assert "pid 2" in fresh[0].detail


def test_a_bridge_that_goes_away_is_told_once_and_so_is_its_return() -> None:
    view = ViewModel()
    assert view.miss("nobody listens", 1.0, WALL) == []  # It was never there: the screen says so.
    view.take(state(), 5.0, WALL)
    assert view.miss(None, 5.5, WALL) == []
    [gone] = view.miss("nobody listens", 6.0, WALL)
    assert view.miss("nobody listens", 6.5, WALL) == []
    assert (gone.kind, gone.detail, view.trouble) == ("bridge", "nobody listens", "nobody listens")
    [back] = view.take(state(), 7.0, WALL)
    assert (back.detail, view.trouble) == ("heard again", None)


def test_a_bridge_that_says_nothing_over_a_standing_connection_is_noticed() -> None:
    view = ViewModel()
    view.take(state(), 5.0, WALL)
    assert view.miss(None, 5.0 + SILENCE_SECONDS - 0.1, WALL) == []
    [entry] = view.miss(None, 5.0 + SILENCE_SECONDS, WALL)
    assert "says nothing" in entry.detail


def test_nothing_is_silent_for_a_reload_where_nobody_watches() -> None:
    view = ViewModel()
    view.watched = False
    [entry] = view.take(state(events=(event(1, compile_seconds=0.057),)), 5.0, WALL)
    assert entry.detail == ""
