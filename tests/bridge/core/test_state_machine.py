"""The bridge's decisions, with a manual clock and no sockets."""

from __future__ import annotations

from dataclasses import replace

import pytest

from core_by_hand import WELCOME, Bridge, Worker, arrived
from faustwire.messages import (
    Bye,
    Due,
    Hello,
    Ping,
    Pong,
    Reason,
    Rejection,
    Snapshot,
    Verdict,
)
from faustwire_bridge.analysis import judgement
from faustwire_bridge.core import events, instructions, membership, sessions
from faustwire_bridge.core.rules import Rules
from graphs import gain


def test_the_first_snapshot_is_published_and_rewrites_the_config() -> None:
    bridge = Bridge()
    verdict = bridge.worker().update(0.5)
    assert verdict.published
    assert verdict.detail == WELCOME.dsp_path
    [write] = bridge.writes
    assert write.rewrite_config
    assert "0.5" in write.program


def test_only_the_first_publish_of_a_bridges_life_rewrites_the_config() -> None:
    bridge = Bridge()
    worker = bridge.worker()
    worker.update(0.1)
    worker.update(0.2)
    assert [write.rewrite_config for write in bridge.writes] == [True, False]


def test_an_unchanged_model_causes_no_reload() -> None:
    bridge = Bridge()
    worker = bridge.worker()
    worker.update(0.1)
    assert worker.update(0.1).reason is Reason.UNCHANGED
    assert worker.update(0.1, force=True).reason is Reason.UNCHANGED
    assert len(bridge.writes) == 1


def test_the_dedupe_compares_with_what_the_plugin_has_whoever_wrote_it() -> None:
    bridge = Bridge()
    anna, bert = bridge.worker("anna"), bridge.worker("bert")
    anna.update(0.1)
    bert.update(0.2)
    assert bert.update(0.2).reason is Reason.UNCHANGED
    assert anna.update(0.1).published


def test_a_dsp_that_somebody_else_changed_is_written_again() -> None:
    bridge = Bridge()
    worker = bridge.worker()
    worker.update(0.1)
    bridge.take(events.DspChanged())
    assert worker.update(0.1).published


def test_every_counts_the_calls_of_each_worker_and_the_first_qualifies() -> None:
    bridge = Bridge()
    anna, bert = bridge.worker("anna", every=3), bridge.worker("bert", every=2)
    assert [anna.update(i).published for i in range(7)] == [True, False, False] * 2 + [True]
    assert [bert.update(i).published for i in range(4)] == [True, False, True, False]


def test_every_goes_by_the_number_of_the_call_not_by_what_was_sent() -> None:
    worker = Bridge().worker(every=3)
    assert worker.update(1).published
    assert worker.update(2, skip=2).published
    assert worker.update(3, skip=1).reason is Reason.EVERY


def test_min_interval_holds_across_workers_and_ends_exactly_in_time() -> None:
    bridge = Bridge()
    anna, bert = bridge.worker("anna"), bridge.worker("bert", min_interval=10.0)
    assert anna.update(1).published
    bridge.now += 9.5
    assert bert.update(2).reason is Reason.MIN_INTERVAL
    bridge.now += 0.5
    assert bert.update(3).published


def test_force_bypasses_both_throttles_and_restarts_the_interval() -> None:
    bridge = Bridge()
    worker = bridge.worker(every=2, min_interval=10.0)
    worker.update(1)
    bridge.now += 5
    assert worker.update(2, force=True).published
    bridge.now += 6
    assert worker.update(3).reason is Reason.MIN_INTERVAL


def test_source_is_not_throttled_but_counts_as_a_reload() -> None:
    bridge = Bridge()
    worker = bridge.worker(min_interval=10.0)
    worker.update(1)
    assert worker.publish("process = _,_;").published
    assert worker.publish("process = _,_;").reason is Reason.UNCHANGED
    bridge.now += 9
    assert worker.update(2).reason is Reason.MIN_INTERVAL


@pytest.mark.parametrize("code", ["", " \n\t"])
def test_an_empty_program_is_refused_because_it_crashes_the_plugins_host(code: str) -> None:
    bridge = Bridge()
    assert bridge.worker().publish(code).reason is Reason.REFUSED
    assert bridge.writes == []


def test_a_verdict_tells_which_later_calls_can_be_due() -> None:
    bridge = Bridge()
    worker = bridge.worker(every=3, min_interval=10.0)
    assert worker.update(1).due == Due(call=4, every=3, after=10.0)
    bridge.now += 4
    assert worker.update(2).due == Due(call=4, every=3, after=6.0)
    bridge.now += 100
    assert worker.update(3).due == Due(call=4, every=3, after=0.0)


def test_a_failed_write_changes_nothing_and_the_next_call_tries_again() -> None:
    bridge = Bridge()
    worker = bridge.worker(min_interval=10.0)
    bridge.disk_problem = "No space left on device: /plugins/live.dsp"
    verdict = worker.update(1)
    assert (verdict.reason, verdict.detail) == (Reason.WRITE_FAILED, bridge.disk_problem)
    bridge.disk_problem = None
    assert worker.update(1).published
    assert [write.rewrite_config for write in bridge.writes] == [True, True]


def test_a_resend_is_answered_again_but_not_done_twice() -> None:
    bridge = Bridge()
    worker = bridge.worker()
    snapshot = Snapshot(1, 1, 48000.0, gain(1))
    first = worker.verdict(snapshot)
    bridge.take(events.Lost(worker.peer))
    worker.peer = b"another connection"
    worker.take(worker.hello)
    assert worker.verdict(snapshot) == first
    assert len(bridge.writes) == 1


def test_others_that_come_and_go_make_no_bridge_forget_what_it_has_published() -> None:
    """A cut worker sends it again when it is back, after hundreds of strangers."""
    bridge = Bridge()
    worker = bridge.worker()
    snapshot = Snapshot(1, 1, 48000.0, gain(1))
    first = worker.verdict(snapshot)
    bridge.take(events.Lost(worker.peer))
    for number in range(2 * sessions.MAX_SESSIONS):
        Worker(bridge, f"w{number}", Hello("mallory", f"m{number}")).take(Bye())
    worker.peer = b"another connection"
    worker.take(worker.hello)
    assert worker.verdict(snapshot) == first
    assert len(bridge.writes) == 1


def test_namesakes_are_told_apart_by_their_incarnation() -> None:
    bridge = Bridge()
    first, second = bridge.worker("anna"), Worker(bridge, "other", Hello("anna", "anna-2"))
    assert first.update(1).published
    assert second.verdict(Snapshot(1, 1, 48000.0, gain(2), force=True)).published


def test_a_stranger_is_asked_to_say_hello() -> None:
    bridge = Bridge()
    [send] = bridge.take(arrived(b"stranger", Snapshot(1, 1, 48000.0, gain(1))))
    assert isinstance(send.message, Rejection)
    assert bridge.take(events.Arrived(b"stranger", Bye())) == []


def test_a_ping_is_answered() -> None:
    worker = Bridge().worker()
    assert worker.take(Ping()) == [instructions.Send(worker.peer, Pong())]


def test_a_bad_snapshot_gets_a_verdict_and_other_rubbish_a_rejection() -> None:
    bridge = Bridge()
    worker = bridge.worker()
    [send] = bridge.take(events.Unreadable(worker.peer, "at gain: matrix is empty", 7))
    assert isinstance(send.message, Verdict)
    assert (send.message.seq, send.message.reason) == (7, Reason.REFUSED)
    [send] = bridge.take(events.Unreadable(worker.peer, "not msgpack", None))
    assert send.message == Rejection("not msgpack")


def test_what_the_code_generator_refuses_is_a_verdict(monkeypatch: pytest.MonkeyPatch) -> None:
    from faustwire.errors import GraphError

    def refuse(*_args: object, **_kwargs: object) -> None:
        raise GraphError("fdn.loop", "can't be expressed")

    monkeypatch.setattr(judgement, "generate", refuse)
    verdict = Bridge().worker().update(1)
    assert (verdict.reason, verdict.detail) == (Reason.REFUSED, "at fdn.loop: can't be expressed")


def test_an_embedded_bridge_goes_when_its_last_worker_has_gone() -> None:
    bridge = Bridge(Rules(leave_when_idle=True))
    anna, bert = bridge.worker("anna"), bridge.worker("bert")
    anna.take(Bye())
    bridge.now += 4
    bert.take(Ping())
    bridge.now += 4
    bridge.take(events.Tick())
    assert not bridge.stopped
    bert.take(Bye())
    deadline = bridge.core.deadline()
    assert deadline is not None
    bridge.now = deadline
    bridge.take(events.Tick())
    assert bridge.stopped


def test_a_worker_that_falls_silent_counts_as_gone() -> None:
    bridge = Bridge(Rules(leave_when_idle=True))
    bridge.worker()
    for _ in range(2):  # silence, then idleness
        deadline = bridge.core.deadline()
        assert deadline is not None
        bridge.now = deadline
        bridge.take(events.Tick())
    assert bridge.stopped


def test_a_worker_that_was_only_silent_is_taken_back_with_what_it_says() -> None:
    """It may have been in the middle of a message that takes longer to send than we wait."""
    bridge = Bridge()
    anna = bridge.worker()
    assert anna.update(1.0).published
    bridge.until(bridge.now + 10.0)
    assert anna.update(0.5).published
    assert [event.kind for event in bridge.events if "published" not in event.kind] == [
        "joined",
        "gone",
        "joined",
    ]
    bridge.until(bridge.now + 10.0)
    anna.take(Hello("anna", "anna-2"))
    assert isinstance(anna.take(Ping())[0].message, Pong)
    [session] = bridge.core.sessions.connected()
    assert session.hello.incarnation == "anna-2", "who came after it over this connection stays"


def test_an_embedded_bridge_that_nobody_comes_to_ends_too() -> None:
    bridge = Bridge(Rules(leave_when_idle=True))
    bridge.now += membership.FIRST_WORKER_SECONDS
    bridge.take(events.Tick())
    assert bridge.stopped


def test_a_bridge_that_a_person_started_stays() -> None:
    bridge = Bridge()
    bridge.worker().take(Bye())
    assert bridge.core.deadline() is None
    bridge.now += 1e6
    bridge.take(events.Tick())
    assert not bridge.stopped


def test_sessions_that_left_are_forgotten_in_the_end() -> None:
    bridge = Bridge()
    for number in range(sessions.MAX_SESSIONS + 50):
        Worker(bridge, f"w{number}", Hello("anna", str(number))).take(Bye())
    assert len(list(bridge.core.sessions)) <= sessions.MAX_SESSIONS


def test_one_connection_that_says_hello_again_and_again_is_one_worker() -> None:
    bridge = Bridge()
    for number in range(sessions.MAX_SESSIONS + 50):
        Worker(bridge, "same", Hello("anna", str(number)))
    assert len(list(bridge.core.sessions)) <= sessions.MAX_SESSIONS + 1
    assert len(bridge.core.sessions) == 1


def test_controls_reach_the_program_and_its_warnings_the_verdict() -> None:
    from faustwire.controls import sliders

    worker = Bridge().worker()
    snapshot = Snapshot(1, 1, 48000.0, gain(1), controls=sliders({"rt60": True}))
    verdict = worker.verdict(snapshot)
    assert verdict.published
    assert any("rt60" in warning for warning in verdict.warnings), "a gain has no decay to control"
    plain = worker.verdict(replace(snapshot, seq=2, graph=gain(2), controls={}))
    assert plain.warnings != verdict.warnings
