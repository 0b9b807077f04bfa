"""Whom the plugin follows, what a change of that publishes, and what settles; a manual clock."""

# Lists stand for arrays here: leaves copy whatever they get.
# mypy: disable-error-code="arg-type"

from __future__ import annotations

import pytest

from core_by_hand import Bridge, Worker
from faustwire import codec
from faustwire.graph import Delay, Gain, Recursion
from faustwire.messages import (
    Bye,
    Choice,
    Follow,
    Hello,
    Ping,
    Reason,
    Rejection,
    Snapshot,
    Steered,
)
from faustwire_bridge.analysis.judgement import judge
from faustwire_bridge.core import events
from faustwire_bridge.core.compile_report import Report
from faustwire_bridge.core.rules import Rules
from faustwire_bridge.core.sound_limits import Limits
from graphs import fdn, gain

LATEST, FIRST = Choice(), Choice("first")


def best(metric: str, *, larger: bool = False) -> Choice:
    return Choice("best", metric, larger)


def following(choice: Choice) -> tuple[Bridge, Worker, Worker]:
    bridge = Bridge(Rules(follow=choice))
    return bridge, bridge.worker("anna"), bridge.worker("bert")


def steer(bridge: Bridge, choice: Choice, user: events.User | None = None) -> object:
    send, *_ = bridge.take(events.Arrived(b"hand", Follow(choice), user))
    return send.message


def test_latest_hears_whoever_is_due() -> None:
    _, anna, bert = following(LATEST)
    assert anna.update(1).published
    assert bert.update(2).published


def test_a_pinned_worker_is_heard_alone_and_the_others_are_told() -> None:
    _, anna, bert = following(Choice("worker", "bert"))
    verdict = anna.update(1)
    assert (verdict.reason, verdict.detail) == (Reason.NOT_FOLLOWED, "the plugin follows bert")
    assert bert.update(2).published
    assert anna.update(3, force=True).reason is Reason.NOT_FOLLOWED
    assert anna.publish("process = _,_;").reason is Reason.NOT_FOLLOWED


def test_namesakes_are_told_apart_where_asked() -> None:
    bridge = Bridge(Rules(follow=Choice("worker", "anna#22")))
    one = Worker(bridge, "one", Hello("anna", "1111", min_interval=0))
    two = Worker(bridge, "two", Hello("anna", "2222", min_interval=0))
    assert one.update(1).reason is Reason.NOT_FOLLOWED
    assert two.update(2).published
    steer(bridge, Choice("worker", "anna"))
    assert one.update(3).published
    assert two.update(4).published


def test_first_is_who_came_first_until_it_leaves() -> None:
    _, anna, bert = following(FIRST)
    assert bert.update(1).reason is Reason.NOT_FOLLOWED
    assert anna.update(2).published
    anna.take(Bye())
    assert bert.update(3).published


def test_first_is_also_lost_by_silence() -> None:
    bridge, anna, bert = following(FIRST)
    anna.update(1)
    bridge.until(bridge.now + 4)
    bert.take(Ping())
    bridge.until(bridge.now + 4)
    assert bert.update(2).published


def test_best_is_whose_metric_got_lowest_so_far() -> None:
    _, anna, bert = following(best("loss"))
    assert anna.update(1).detail == (
        "the plugin waits for the metric 'loss'; nobody has sent it yet"
    )
    assert anna.update(2, metrics={"loss": 0.5}).published
    assert bert.update(3, metrics={"loss": 0.6}).detail == (
        "the plugin follows anna, whose loss got to 0.5"
    )
    assert anna.update(4, metrics={"loss": 0.9}).published, "best so far, not best now"
    assert bert.update(5, metrics={"loss": 0.4}).published
    assert anna.update(6, metrics={"loss": 0.45}).reason is Reason.NOT_FOLLOWED


def test_best_can_be_the_largest_and_nan_is_never_best() -> None:
    _, anna, bert = following(best("snr", larger=True))
    assert anna.update(1, metrics={"snr": float("nan")}).reason is Reason.NOT_FOLLOWED
    assert anna.update(2, metrics={"snr": 10.0}).published
    assert bert.update(3, metrics={"snr": float("inf")}).reason is Reason.NOT_FOLLOWED
    assert bert.update(4, metrics={"snr": 11.0}).published


def test_of_equals_the_first_is_best_and_one_who_left_is_not() -> None:
    _, anna, bert = following(best("loss"))
    assert anna.update(1, metrics={"loss": 0.5}).published
    assert bert.update(2, metrics={"loss": 0.5}).reason is Reason.NOT_FOLLOWED
    anna.take(Bye())
    assert bert.update(3, metrics={"loss": 0.7}).published


def test_another_choice_publishes_the_newest_of_the_chosen_at_once() -> None:
    bridge, anna, bert = following(Choice("worker", "anna"))
    anna.update(1)
    bert.update(0.25)
    bert.update(0.125)
    session = bridge.core.sessions.at(bert.peer)
    assert session is not None
    answered = dict(session.counts)
    assert steer(bridge, Choice("worker", "bert")) == Steered("the plugin follows worker bert")
    assert "0.125" in bridge.writes[-1].program
    assert [event.kind for event in bridge.events[-2:]] == ["followed", "published"]
    assert bridge.events[-1].worker == "bert"
    assert session.counts.pop("followed") == 1
    assert dict(session.counts) == answered, "its calls were answered before"


def test_another_choice_does_not_wait_for_the_interval_but_the_next_call_does() -> None:
    bridge = Bridge(Rules(follow=Choice("worker", "anna")))
    anna = bridge.worker("anna", min_interval=10.0)
    bert = bridge.worker("bert", min_interval=10.0)
    anna.update(1)
    bert.update(0.25)
    bridge.now += 1
    steer(bridge, LATEST)
    assert len(bridge.writes) == 2
    bridge.now += 9.5
    assert anna.update(2).reason is Reason.MIN_INTERVAL


def test_a_choice_of_what_plays_already_reloads_nothing() -> None:
    bridge, anna, _ = following(LATEST)
    anna.update(1)
    steer(bridge, Choice("worker", "anna"))
    assert len(bridge.writes) == 1


def test_a_choice_made_while_something_compiles_comes_next() -> None:
    bridge, anna, bert = following(LATEST)
    bert.update(0.25)
    bridge.compiled = None
    assert anna.take(Snapshot(1, 1, 48000.0, fdn(2))) == []
    assert isinstance(steer(bridge, Choice("worker", "bert")), Steered)
    bridge.compiled = events.Compiled(Report())
    bridge.take(bridge.compiled)
    assert [event.worker for event in bridge.events if event.kind == "published"] == [
        "bert",
        "anna",
        "bert",
    ]


def test_steering_and_publishing_need_their_own_rights() -> None:
    bridge = Bridge()
    reader = events.User("eve", frozenset({"watch"}))
    assert isinstance(steer(bridge, FIRST, reader), Rejection)
    [send] = bridge.take(events.Arrived(b"eve", Hello("eve", "1"), reader))
    assert isinstance(send.message, Rejection)
    assert "publish" in send.message.detail
    hand = events.User("hand", frozenset({"steer"}))
    assert isinstance(steer(bridge, FIRST, hand), Steered)


def test_nobody_poses_as_another() -> None:
    bridge = Bridge(Rules(follow=Choice("worker", "gpu/anna")))
    gpu = events.User("gpu", frozenset({"publish"}))
    eve = events.User("eve", frozenset({"publish"}))
    bridge.take(events.Arrived(b"1", Hello("anna", "f00d"), gpu))
    [send] = bridge.take(events.Arrived(b"2", Hello("anna", "f00d"), eve))
    assert isinstance(send.message, Rejection)
    [send] = bridge.take(events.Arrived(b"3", Hello("anna", "f00d")))
    assert isinstance(send.message, Rejection)
    bridge.take(events.Arrived(b"2", Hello("gpu/anna", "e5e5"), eve))
    assert [worker.worker for worker in bridge.core.state(bridge.now).workers] == [
        "gpu/anna",
        "eve/gpu/anna",
    ]
    assert [worker.followed for worker in bridge.core.state(bridge.now).workers] == [True, False]


# -- settling ------------------------------------------------------------------------------------


def settling(*, settle: bool = True, **rules: object) -> tuple[Bridge, Worker]:
    bridge = Bridge(Rules(settle=settle, **rules))
    return bridge, bridge.worker("anna", min_interval=10.0)


@pytest.mark.parametrize("who", ["bridge", "worker"])
def test_what_time_alone_turned_down_is_written_when_its_time_has_come(who: str) -> None:
    bridge = Bridge(Rules(settle=who == "bridge"))
    hello = Hello("anna", "1", min_interval=10.0, settle=who == "worker")
    anna = Worker(bridge, "anna", hello)
    anna.update(1)
    bridge.now += 1
    assert anna.update(0.5).reason is Reason.MIN_INTERVAL
    assert anna.update(0.25).reason is Reason.MIN_INTERVAL
    bridge.now += 8.5
    anna.take(Ping())
    bridge.until(bridge.now + 0.4)
    assert len(bridge.writes) == 1
    assert bridge.until(bridge.now + 0.2) == [], "the call was answered long ago"
    assert len(bridge.writes) == 2
    assert "0.25" in bridge.writes[-1].program
    assert (bridge.events[-1].kind, bridge.events[-1].call) == ("settled", 3)
    [seen] = bridge.core.state(bridge.now).workers
    assert (seen.published, seen.calls) == (2, 3)


def test_nothing_settles_unless_asked_for() -> None:
    bridge, anna = settling(settle=False)
    anna.update(1)
    anna.update(0.5)
    bridge.until(bridge.now + 100)
    assert len(bridge.writes) == 1


def test_what_every_turned_down_does_not_settle() -> None:
    bridge = Bridge(Rules(settle=True))
    anna = bridge.worker("anna", every=2, min_interval=10.0)
    anna.update(1)
    assert anna.update(0.5).reason is Reason.EVERY
    assert anna.update(0.25).reason is Reason.MIN_INTERVAL
    assert anna.update(0.125).reason is Reason.EVERY
    bridge.until(bridge.now + 100)
    assert "0.25" in bridge.writes[-1].program


def test_what_was_published_since_leaves_nothing_to_settle() -> None:
    bridge, anna = settling()
    bert = bridge.worker("bert", min_interval=10.0)
    anna.update(1)
    anna.update(0.5)
    assert bert.update(0.25, force=True).published
    bridge.until(bridge.now + 100)
    assert len(bridge.writes) == 2


def test_the_newest_of_all_workers_settles_and_only_of_those_who_are_followed() -> None:
    bridge, anna = settling()
    bert = bridge.worker("bert", min_interval=10.0)
    anna.update(1)
    bert.update(0.25)
    anna.update(0.5)
    bridge.until(bridge.now + 10)
    assert "0.5" in bridge.writes[-1].program
    for worker, value in ((bert, 0.25), (anna, 0.125)):
        worker.take(worker.hello)  # It was silent, and counts as gone.
        worker.update(value)
    steer(bridge, Choice("worker", "bert"))
    assert "0.25" in bridge.writes[-1].program


def test_a_worker_that_left_settles_and_an_embedded_bridge_waits_for_that() -> None:
    bridge, anna = settling(leave_when_idle=True)
    anna.update(1)
    anna.update(0.5)
    anna.take(Bye())
    bridge.until(bridge.now + 9.5)
    assert not bridge.stopped
    bridge.until(bridge.now + 0.5)
    assert "0.5" in bridge.writes[-1].program
    bridge.until(bridge.now + 3)
    assert bridge.stopped


def test_with_settling_workers_are_asked_for_what_time_would_turn_down() -> None:
    _, anna = settling()
    due = anna.update(1).due
    assert due is not None
    assert due.after == 0.0


def test_a_recording_bridge_wants_to_see_every_call() -> None:
    bridge = Bridge(Rules(sees_all=True))
    assert bridge.worker(every=3).update(1).due is None


# -- the order of decisions ------------------------------------------------------------------------

# docs/architecture.md has the same table, for people.
ORDER = [
    Reason.EVERY,
    Reason.MIN_INTERVAL,
    Reason.NOT_FOLLOWED,
    Reason.UNCHANGED,
    Reason.UNSTABLE,
    Reason.DOES_NOT_COMPILE,
    Reason.WRITE_FAILED,
    Reason.PUBLISHED,
]


@pytest.mark.parametrize("expected", ORDER)
def test_of_several_noes_the_one_that_stands_first_in_the_table_is_said(expected: Reason) -> None:
    """Every no from the expected one on would apply to the call."""
    no = set(ORDER[ORDER.index(expected) :])
    bridge = Bridge(Rules(follow=Choice("worker", "anna")))
    anna, bert = (bridge.worker(name, every=2, min_interval=10.0) for name in ("anna", "bert"))
    worker = bert if Reason.NOT_FOLLOWED in no else anna
    graph = growing() if Reason.UNSTABLE in no else gain(0.5)
    snapshot = Snapshot(9, 4 if Reason.EVERY in no else 5, 48000.0, graph)
    allowing = Limits(allow_unstable=True)
    text = judge(codec.encode(snapshot), limits=allowing, playing=None, playing_db=None).program
    assert anna.publish(text if Reason.UNCHANGED in no else "process = _,_;").published
    bridge.now += 9.0 if Reason.MIN_INTERVAL in no else 10.0
    anna.take(Ping())
    if Reason.DOES_NOT_COMPILE in no:
        bridge.compiled = events.Compiled(Report(problem="ERROR"))
    if Reason.WRITE_FAILED in no:
        bridge.disk_problem = "No space left on device"
    assert worker.verdict(snapshot).reason is expected


def growing() -> Recursion:
    return Recursion("loop", Delay("delay", [100.0]), Gain("feedback", [[1.01]]))
