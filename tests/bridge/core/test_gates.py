"""The gates in the core's decisions: what is compiled, what waits meanwhile, what is refused."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from core_by_hand import Bridge, Worker
from faustwire.graph import Delay, Gain, Node, Recursion
from faustwire.messages import Bye, OwnProgram, Ping, Pong, Reason, Snapshot, Verdict
from faustwire_bridge.core import events, instructions, pipeline
from faustwire_bridge.core.compile_report import Control, Report
from faustwire_bridge.core.rules import Rules
from faustwire_bridge.core.sound_limits import JUMP_SECONDS, Limits
from faustwire_bridge.core.throttle import LastReload
from graphs import gain

BROKEN = events.Compiled(Report("undefined symbol : nix"))
CRASHED = events.CompileFailed("libfaust ended with SIGABRT")


def loop(gain_: float, samples: float = 100.0) -> Node:
    """A recirculating delay: its gain decides whether it grows."""
    return Recursion("loop", Delay("d", np.full(1, samples)), Gain("g", np.full((1, 1), gain_)))


def snapshot(worker: Worker, graph: Node, **options: Any) -> Snapshot:
    worker.seq += 1
    worker.call += 1
    return Snapshot(worker.seq, worker.call, 48000.0, graph, **options)


def busy() -> tuple[Bridge, Worker]:
    """A bridge whose libfaust is at work on anna's first snapshot."""
    bridge = Bridge()
    anna = bridge.worker("anna")
    bridge.compiled = None
    assert anna.take(snapshot(anna, gain(1.5))) == []
    return bridge, anna


def verdicts(sends: list[instructions.Send]) -> list[tuple[str, int, Reason]]:
    told = []
    for send in sends:
        assert isinstance(send.message, Verdict)
        told.append((send.peer.decode(), send.message.seq, send.message.reason))
    return told


# -- one compile for each structure --------------------------------------------------------------


def test_a_structure_is_compiled_once_whatever_its_constants() -> None:
    bridge = Bridge()
    worker = bridge.worker()
    assert all(worker.update(value).published for value in (0.25, -0.5, 1e-7, 0.75))
    assert len(bridge.compiles) == 1
    assert not bridge.compiles[0].play


def test_another_delay_is_another_structure() -> None:
    bridge = Bridge()
    worker = bridge.worker()
    for samples in (100.0, 101.0, 100.0):
        worker.verdict(snapshot(worker, loop(0.5, samples), force=True))
    assert len(bridge.writes) == 3
    assert len(bridge.compiles) == 2


def test_text_of_the_callers_own_is_compiled_and_played_once_for_each_text() -> None:
    bridge = Bridge()
    worker = bridge.worker()
    for code in ("process = 0.5,_;", "process = 0.25,_;", "process = 0.5,_;"):
        assert worker.publish(code).published
    assert [compile_.play for compile_ in bridge.compiles] == [True, True]


def test_what_the_plugin_has_is_not_compiled_again() -> None:
    bridge = Bridge()
    worker = bridge.worker()
    worker.update(0.5)
    assert worker.update(0.5).reason is Reason.UNCHANGED
    assert len(bridge.compiles) == 1


# -- while a compile is under way ----------------------------------------------------------------


def test_pings_are_answered_while_libfaust_is_at_work() -> None:
    _, anna = busy()
    assert anna.take(Ping()) == [instructions.Send(b"anna", Pong())]


def test_the_verdict_comes_with_the_compile() -> None:
    bridge, _ = busy()
    sends = bridge.take(events.Compiled(Report(seconds=0.25)))
    assert verdicts(sends) == [("anna", 1, Reason.PUBLISHED)]
    assert sends[0].message.compile_seconds == 0.25  # type: ignore[union-attr]


def test_the_verdict_and_the_state_tell_what_the_program_costs_to_run() -> None:
    bridge, _ = busy()
    [send] = bridge.take(events.Compiled(Report(load=0.31)))
    assert send.message.load == 0.31  # type: ignore[union-attr]
    assert bridge.core.state(bridge.now).load == 0.31


@pytest.mark.parametrize(("load", "reason"), [(0.71, Reason.TOO_HEAVY), (0.69, Reason.PUBLISHED)])
def test_a_model_that_takes_too_much_of_a_core_is_not_written(load: float, reason: Reason) -> None:
    bridge, _ = busy()
    assert verdicts(bridge.take(events.Compiled(Report(load=load)))) == [("anna", 1, reason)]


@pytest.mark.parametrize(("fs", "reason"), [(96e3, Reason.TOO_HEAVY), (44.1e3, Reason.PUBLISHED)])
def test_what_a_model_takes_is_told_at_its_own_rate(fs: float, reason: Reason) -> None:
    bridge = Bridge()
    anna = bridge.worker("anna")
    bridge.compiled = events.Compiled(Report(load=0.4))
    verdict = anna.verdict(Snapshot(1, 1, fs, gain(1.5)))
    assert verdict.reason is reason
    assert verdict.load == pytest.approx(0.4 * fs / 48e3)


@pytest.mark.parametrize(("load", "reason"), [(0.8, Reason.TOO_HEAVY), (0.7, Reason.PUBLISHED)])
def test_no_stated_rate_makes_a_model_lighter_than_it_is_in_a_daw(
    load: float, reason: Reason
) -> None:
    """At 8 kHz it would take a sixth, and the DAW runs at 44.1 or more."""
    bridge = Bridge()
    anna = bridge.worker("anna")
    bridge.compiled = events.Compiled(Report(load=load))
    verdict = anna.verdict(Snapshot(1, 1, 8e3, gain(1.5)))
    assert verdict.reason is reason
    assert verdict.load == pytest.approx(load * 44.1 / 48)


def test_of_what_arrives_meanwhile_the_newest_of_each_worker_waits_its_turn() -> None:
    bridge, anna = busy()
    bert = bridge.worker("bert")
    assert bert.take(snapshot(bert, gain(2))) == []
    assert anna.take(snapshot(anna, gain(3))) == []
    superseded = bert.take(snapshot(bert, gain(4)))
    assert verdicts(superseded) == [("bert", 1, Reason.SUPERSEDED)]
    assert verdicts(bridge.take(events.Compiled(Report()))) == [
        ("anna", 1, Reason.PUBLISHED),
        ("bert", 2, Reason.PUBLISHED),
        ("anna", 2, Reason.PUBLISHED),
    ]
    assert len(bridge.compiles) == 1, "the structure is known by then"


def test_a_worker_that_sends_without_end_does_not_starve_the_others() -> None:
    bridge, anna = busy()
    bert = bridge.worker("bert")
    bert.take(snapshot(bert, loop(0.5)))
    for value in range(2, 9):
        anna.take(snapshot(anna, loop(0.5, 10.0 * value)))
    sends = bridge.take(events.Compiled(Report()))
    assert verdicts(sends) == [("anna", 1, Reason.PUBLISHED)]
    assert [len(bridge.compiles), len(bridge.writes)] == [2, 1], "bert's is next, one at a time"
    assert verdicts(bridge.take(events.Compiled(Report()))) == [("bert", 1, Reason.PUBLISHED)]


def test_what_waited_is_judged_when_its_turn_has_come() -> None:
    bridge, _ = busy()
    slow = bridge.worker("bert", min_interval=10.0)
    slow.take(snapshot(slow, gain(2)))
    sends = bridge.take(events.Compiled(Report()))
    assert verdicts(sends)[1] == ("bert", 1, Reason.MIN_INTERVAL)


def test_a_forced_call_stays_forced_whichever_snapshot_is_published() -> None:
    bridge, _ = busy()
    slow = bridge.worker("bert", min_interval=10.0)
    slow.take(snapshot(slow, gain(2), force=True))
    slow.take(snapshot(slow, gain(3)))
    assert verdicts(bridge.take(events.Compiled(Report())))[1] == ("bert", 2, Reason.PUBLISHED)


def test_a_resend_of_what_is_being_compiled_or_waits_is_answered_once() -> None:
    bridge, anna = busy()
    anna.seq = anna.call = 0
    assert anna.take(snapshot(anna, gain(1.5))) == []
    waiting = snapshot(anna, gain(2))
    assert anna.take(waiting) == []
    bridge.take(events.Lost(anna.peer))
    anna.peer = b"another connection"
    anna.take(anna.hello)
    assert anna.take(waiting) == []
    told = verdicts(bridge.take(events.Compiled(Report())))
    assert told == [
        ("another connection", 1, Reason.PUBLISHED),
        ("another connection", 2, Reason.PUBLISHED),
    ]


def test_what_is_being_published_when_its_worker_leaves_is_and_what_waits_goes_with_it() -> None:
    bridge = Bridge(Rules(leave_when_idle=True))
    anna = bridge.worker("anna")
    bridge.compiled = None
    anna.take(snapshot(anna, gain(1.5)))
    anna.take(snapshot(anna, gain(2)))
    anna.take(Bye())
    bridge.now += 3
    bridge.take(events.Tick())
    assert not bridge.stopped
    assert bridge.core.deadline() is None, "nothing to do but wait for libfaust"
    assert bridge.take(events.Compiled(Report())) == []
    [write] = bridge.writes
    assert str(1.5) in write.program
    bridge.take(events.Tick())
    assert bridge.stopped


# -- refusals ------------------------------------------------------------------------------------


def test_what_does_not_compile_is_refused_and_the_next_good_one_passes() -> None:
    bridge = Bridge()
    worker = bridge.worker()
    bridge.compiled = BROKEN
    for _ in range(2):
        verdict = worker.publish("process = nix;")
        assert verdict.reason is Reason.DOES_NOT_COMPILE
        assert "undefined symbol" in verdict.detail
    assert len(bridge.compiles) == 1, "the answer is known"
    assert bridge.writes == []
    bridge.compiled = events.Compiled(Report())
    assert worker.publish("process = _,_;").published


def test_constants_that_do_not_compile_condemn_no_structure() -> None:
    bridge = Bridge()
    worker = bridge.worker()
    bridge.compiled = BROKEN
    assert worker.update(0.25).reason is Reason.DOES_NOT_COMPILE
    bridge.compiled = events.Compiled(Report())
    assert worker.update(0.5).published


def test_a_compile_that_failed_is_not_repeated_at_every_step_but_after_a_while() -> None:
    bridge = Bridge()
    worker = bridge.worker()
    bridge.compiled = CRASHED
    for value in (0.25, 0.5):
        verdict = worker.update(value)
        assert verdict.reason is Reason.DOES_NOT_COMPILE
        assert "SIGABRT" in verdict.detail
    assert len(bridge.compiles) == 1
    bridge.now += pipeline.RETRY_SECONDS
    bridge.compiled = events.Compiled(Report())
    assert worker.update(0.75).published


def test_without_libfaust_programs_are_written_with_a_warning() -> None:
    bridge = Bridge()
    worker = bridge.worker()
    bridge.compiled = events.Unchecked("there is no libfaust")
    for value in (0.25, 0.5):
        verdict = worker.update(value)
        assert verdict.published
        assert verdict.warnings[-1] == "not checked: there is no libfaust"
        assert verdict.compile_seconds is None


@pytest.mark.parametrize(("n_in", "n_out"), [(2, 0), (2, 1), (2, 3), (3, 2)])
def test_channels_that_the_plugin_has_not_are_refused(n_in: int, n_out: int) -> None:
    bridge = Bridge()
    bridge.compiled = events.Compiled(Report(n_in=n_in, n_out=n_out))
    assert bridge.worker().publish("process = …;").reason is Reason.MISFIT
    assert bridge.writes == []


def test_a_knob_that_goes_is_told() -> None:
    bridge = Bridge()
    worker = bridge.worker()
    bridge.compiled = events.Compiled(Report(controls=(Control("/live/a"), Control("/live/b"))))
    assert worker.publish("process = a,b;").warnings == ()
    bridge.compiled = events.Compiled(Report(controls=(Control("/other/a"), Control("/live/b"))))
    [warning] = worker.publish("process = b,a;").warnings
    assert warning.startswith("/live/a: gone")


@pytest.mark.parametrize(
    ("knobs", "seconds", "warns"),
    [(1, 0.02, True), (0, 0.02, False), (1, 0.001, False)],
    ids=["a knob", "no knob", "compiled at once"],
)
def test_a_daw_that_polls_knobs_may_crash_during_a_long_compile(
    knobs: int, seconds: float, warns: bool
) -> None:
    bridge = Bridge()
    controls = (*[Control("/live/a")] * knobs, Control("/live/level", shows=True))
    bridge.compiled = events.Compiled(Report(seconds=seconds, controls=controls))
    warnings = bridge.worker().update(0.5).warnings
    assert (
        any(line.startswith("may crash the DAW: it has knobs and takes 20 ms") for line in warnings)
        is warns
    )


def test_a_narrower_range_of_a_knob_is_told() -> None:
    """The plugin would clamp its position."""
    bridge = Bridge()
    worker = bridge.worker()

    def told(low: float, high: float) -> tuple[str, ...]:
        control = Control("/live/a", init=1.0, min=low, max=high)
        bridge.compiled = events.Compiled(Report(controls=(control, Control("/live/b"))))
        return worker.publish(f"process = _,_; // {len(bridge.writes)}").warnings

    assert told(0.1, 10.0) == ()
    assert told(0.1, 10.0) == (), "the same range"
    [warning] = told(0.1, 5.0)
    assert warning.startswith("/live/a: its range is now 0.1 to 5 and was 0.1 to 10; a position")
    assert told(0.0, 10.0) == (), "a wider one"
    [warning] = told(0.5, 20.0)
    assert "0.5 to 20 and was 0 to 10" in warning


def test_a_loop_that_grows_is_refused_with_its_figure_and_force_does_not_help() -> None:
    bridge = Bridge()
    worker = bridge.worker()
    for force in (False, True):
        verdict = worker.verdict(snapshot(worker, loop(1.01), force=force))
        assert verdict.reason is Reason.UNSTABLE
        assert "loop gain +0.0864 dB" in verdict.detail
        assert "--allow-unstable" in verdict.detail
    assert bridge.compiles == []
    good = worker.verdict(snapshot(worker, loop(0.5)))
    assert good.published
    assert good.margin_db == pytest.approx(6.02, 0.01)
    assert good.peak_db is None, "a bound on it sufficed"
    assert good.rt60_seconds == pytest.approx(100 / 48000 * 3 / np.log10(2), 0.02)


def limited(**options: Any) -> Worker:
    return Bridge(Rules(limits=Limits(**options))).worker()


def test_unstable_models_can_be_allowed() -> None:
    worker = limited(allow_unstable=True)
    verdict = worker.verdict(snapshot(worker, loop(1.01)))
    assert verdict.published
    assert "grows" in verdict.warnings[-1]


def test_a_lossless_loop_passes_and_is_told() -> None:
    worker = limited()
    verdict = worker.verdict(snapshot(worker, loop(1.0)))
    assert verdict.published
    assert "neither decays nor grows" in verdict.warnings[-1]
    assert verdict.peak_db is None


def test_louder_than_the_limit_is_refused_with_its_figure() -> None:
    worker = limited(max_gain_db=20.0)
    assert worker.update(9.9).published
    verdict = worker.update(10.1)
    assert verdict.reason is Reason.TOO_LOUD
    assert "20.1 dB" in verdict.detail
    assert "--max-gain-db" in verdict.detail
    assert worker.update(1.0).published


def test_a_sudden_jump_is_held_back_but_not_a_rise_from_silence_or_in_slow_steps() -> None:
    worker = limited(max_jump_db=20.0)
    assert worker.update(0.001).published
    assert worker.update(9.9).published, "from below unity only what is above it counts"
    assert worker.update(2.0).published
    worker.bridge.until(worker.bridge.now + JUMP_SECONDS)
    verdict = worker.update(21.0)
    assert verdict.reason is Reason.TOO_LOUD
    assert "20.4 dB louder than the quietest of the last 5 s" in verdict.detail
    assert worker.update(11.0).published
    worker.bridge.until(worker.bridge.now + JUMP_SECONDS)
    assert worker.update(21.0).published


def test_text_that_overflows_or_is_too_loud_is_refused() -> None:
    bridge = Bridge()
    worker = bridge.worker()
    for peak, reason in ((float("inf"), Reason.UNSTABLE), (1e4, Reason.TOO_LOUD)):
        bridge.compiled = events.Compiled(Report(peak=peak))
        assert worker.publish(f"process = {peak},_;").reason is reason
    bridge.compiled = events.Compiled(Report(peak=0.0))
    assert worker.publish("process = 0,0;").published


# -- what a reload costs -------------------------------------------------------------------------


def test_reloads_take_at_most_a_tenth_of_the_time_whatever_min_interval_says() -> None:
    bridge = Bridge()
    worker = bridge.worker(min_interval=0.5)
    bridge.compiled = events.Compiled(Report(seconds=0.2))
    verdict = worker.update(1)
    assert verdict.due is not None
    assert (verdict.due.after, verdict.due.reason) == (2.0, Reason.RELOAD_COST)
    bridge.now += 0.4
    assert worker.update(2).reason is Reason.MIN_INTERVAL
    bridge.now += 1.5
    assert worker.update(3).reason is Reason.RELOAD_COST
    bridge.now += 0.1
    assert worker.update(4).published


def test_force_and_a_min_interval_of_0_bypass_the_cost() -> None:
    bridge = Bridge()
    bridge.compiled = events.Compiled(Report(seconds=10.0))
    patient, hasty = bridge.worker("anna", min_interval=0.1), bridge.worker("bert")
    assert patient.update(1).published
    assert patient.update(2, force=True).published
    verdict = hasty.update(3)
    assert verdict.published
    assert verdict.due is not None
    assert verdict.due.after == 0


def test_the_cost_is_that_of_what_was_loaded_last_by_whomever() -> None:
    bridge = Bridge()
    worker = bridge.worker(min_interval=0.1)
    bridge.compiled = events.Compiled(Report(seconds=0.5))
    worker.publish("process = _,_;")
    assert bridge.core.pipeline.last_reload == LastReload(bridge.now, 5.0)
    bridge.now += 4.9
    assert worker.update(1).reason is Reason.RELOAD_COST


def test_source_waits_too_and_supersedes_like_a_snapshot() -> None:
    bridge, anna = busy()
    anna.take(OwnProgram(2, "process = 1,1;"))
    assert verdicts(anna.take(OwnProgram(3, "process = 2,2;"))) == [("anna", 2, Reason.SUPERSEDED)]
    bridge.compiled = events.Compiled(Report())
    assert verdicts(bridge.take(events.Compiled(Report()))) == [
        ("anna", 1, Reason.PUBLISHED),
        ("anna", 3, Reason.PUBLISHED),
    ]


def test_a_model_that_cannot_be_judged_is_played_as_a_whole(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def stumble(*_args: object, **_kwargs: object) -> None:
        raise np.linalg.LinAlgError("Singular matrix")

    monkeypatch.setattr("faustwire_bridge.analysis.stability.classify", stumble)
    monkeypatch.setattr("faustwire_bridge.analysis.level_bounds.LevelEstimator.bounds", stumble)
    bridge = Bridge()
    worker = bridge.worker()
    bridge.compiled = events.Compiled(Report(peak=0.5))
    verdict = worker.update(0.5)
    assert verdict.published
    assert "Singular matrix" in verdict.warnings[-1]
    bridge.compiled = events.Compiled(Report(peak=float("inf")))
    assert worker.update(0.25).reason is Reason.UNSTABLE
    assert [compile_.play for compile_ in bridge.compiles] == [True, True]
