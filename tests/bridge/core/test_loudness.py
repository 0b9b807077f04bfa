"""What reaches the ears: every model's loudness is known and limited, whatever plays beside it."""

from __future__ import annotations

import numpy as np
import pytest

from core_by_hand import Bridge, Worker
from faustwire.codec import decode, encode
from faustwire.errors import MessageError
from faustwire.graph import Delay, Gain, Node, Parallel, Recursion
from faustwire.messages import Reason, Snapshot, Verdict
from faustwire_bridge.analysis.peak_gain import level_db
from faustwire_bridge.core import events
from faustwire_bridge.core.compile_report import Report
from faustwire_bridge.core.sound_limits import JUMP_SECONDS, Assessment
from graphs import gain


def loop(gain_: float, samples: float = 100.0) -> Node:
    return Recursion("loop", Delay("d", np.full(1, samples)), Gain("g", np.full((1, 1), gain_)))


def beside(graph: Node, other: Node) -> Node:
    return Parallel("both", (graph, other))


def publish(worker: Worker, graph: Node, fs: float = 48_000.0) -> Verdict:
    worker.seq += 1
    worker.call += 1
    return worker.verdict(Snapshot(worker.seq, worker.call, fs, graph))


def after(worker: Worker, seconds: float) -> None:
    """Let time pass."""
    worker.bridge.until(worker.bridge.now + seconds)


def test_a_lossless_loop_hides_nothing_loud_beside_it() -> None:
    loud = publish(Bridge().worker(), beside(loop(1.0), gain(1e10)))
    assert loud.reason is Reason.TOO_LOUD
    assert "200.0 dB" in loud.detail
    assert publish(Bridge().worker(), beside(loop(1.0), gain(1.0))).published


@pytest.mark.parametrize("samples", [100.0, 5000.0])
def test_a_loop_that_rings_on_is_not_loud_for_that(samples: float) -> None:
    assert publish(Bridge().worker(), loop(1.0, samples)).published


def test_a_program_that_plays_first_must_not_be_sudden_either() -> None:
    first = publish(Bridge().worker(), gain(980.0))
    assert first.reason is Reason.TOO_LOUD
    assert "59.8 dB louder than unity gain" in first.detail
    assert publish(Bridge().worker(), gain(2.0)).published


def test_what_follows_text_is_compared_with_unity_gain() -> None:
    bridge = Bridge()
    worker = bridge.worker()
    bridge.compiled = events.Compiled(Report(peak=1.0))
    assert worker.publish("process = _,_;").published
    bridge.compiled = events.Compiled(Report())
    assert publish(worker, gain(980.0)).reason is Reason.TOO_LOUD
    assert publish(worker, gain(2.0)).published


def test_text_must_not_be_sudden_either() -> None:
    bridge = Bridge()
    worker = bridge.worker()
    bridge.compiled = events.Compiled(Report(peak=99.0))
    verdict = worker.publish("process = 99*_,_;")
    assert verdict.reason is Reason.TOO_LOUD
    assert "39.9 dB louder than unity gain" in verdict.detail
    bridge.compiled = events.Compiled(Report(peak=9.0))
    assert worker.publish("process = 9*_,_;").published


def test_nothing_gets_a_hundred_times_as_loud_in_one_step() -> None:
    worker = Bridge().worker()
    assert publish(worker, gain(1.0)).published
    assert publish(worker, gain(99.0)).reason is Reason.TOO_LOUD
    for value in (10.0, 99.0):
        assert publish(worker, gain(value)).published, "in two steps it may"
        after(worker, JUMP_SECONDS)


@pytest.mark.parametrize("pause", [0.0, 0.25, 1.0])
def test_steps_that_follow_each_other_fast_are_one_jump(pause: float) -> None:
    worker = Bridge().worker()
    assert publish(worker, gain(1.0)).published
    after(worker, 60.0)
    assert publish(worker, gain(15.0)).published
    after(worker, pause)
    verdict = publish(worker, gain(200.0))
    assert verdict.reason is Reason.TOO_LOUD
    assert "46.0 dB louder than unity gain" in verdict.detail
    assert "in steps of 6 dB or 5 s apart" in verdict.detail
    after(worker, JUMP_SECONDS - pause - 0.01)
    assert publish(worker, gain(200.0)).reason is Reason.TOO_LOUD
    after(worker, 0.01)
    assert publish(worker, gain(200.0)).published, "by now ears have had time"


@pytest.mark.parametrize(("step_db", "passes"), [(0.5, True), (6.0, True), (6.2, False)])
def test_a_gain_that_is_learned_may_rise_at_any_pace_in_small_steps(
    step_db: float, passes: bool
) -> None:
    worker = Bridge().worker()
    levels = np.arange(0.0, 59.0, step_db)
    verdicts = [publish(worker, gain(10 ** (level / 20))) for level in levels]
    assert all(verdict.published for verdict in verdicts) is passes
    assert {verdict.reason for verdict in verdicts} <= {Reason.PUBLISHED, Reason.TOO_LOUD}


def test_small_steps_do_not_hide_a_jump() -> None:
    worker = Bridge().worker()
    assert publish(worker, gain(1.0)).published
    for value in (20.0, 25.0):
        assert publish(worker, gain(value)).published
    verdict = publish(worker, gain(250.0))
    assert verdict.reason is Reason.TOO_LOUD
    assert "46.0 dB louder than the quietest" in verdict.detail


def test_what_goes_up_and_down_has_not_risen() -> None:
    """Up and down by 6 dB, in as many steps as one likes, is no way around the limit."""
    worker = Bridge().worker()
    for value in (1.0, 28.0, *(14.0, 27.0) * 6):
        assert publish(worker, gain(value)).published
        after(worker, 0.01)
    assert publish(worker, gain(100.0)).reason is Reason.TOO_LOUD
    assert publish(worker, gain(31.0)).published


def test_the_quietest_of_the_last_seconds_counts_whatever_came_between() -> None:
    worker = Bridge().worker()
    for value in (20.0, 300.0):
        assert publish(worker, gain(value)).published
        after(worker, JUMP_SECONDS)
    for value in (250.0, 1.0, 20.0):
        assert publish(worker, gain(value)).published
        after(worker, 1.0)
    assert publish(worker, gain(300.0)).reason is Reason.TOO_LOUD, "it was quiet 2 s ago"
    after(worker, JUMP_SECONDS - 1.0)
    assert publish(worker, gain(300.0)).published


def test_what_somebody_else_wrote_counts_as_unity_gain() -> None:
    bridge = Bridge()
    worker = bridge.worker()
    assert publish(worker, gain(10.0)).published
    after(worker, JUMP_SECONDS)
    assert publish(worker, gain(99.0)).published
    after(worker, JUMP_SECONDS)
    bridge.core.pipeline.forget_program(bridge.now)
    assert publish(worker, gain(98.0)).reason is Reason.TOO_LOUD


def test_a_jump_is_measured_from_what_plays_when_it_is_written() -> None:
    """While libfaust is at work, somebody else may write the file."""
    for changes in (True, False):
        bridge = Bridge()
        worker = bridge.worker()
        for value in (10.0, 100.0):
            assert publish(worker, gain(value)).published
            after(worker, JUMP_SECONDS)
        bridge.compiled = None
        worker.seq, worker.call = worker.seq + 1, worker.call + 1
        louder = beside(gain(480.0), loop(0.1))
        assert worker.take(Snapshot(worker.seq, worker.call, 48_000.0, louder)) == []
        if changes:
            bridge.take(events.DspChanged())
        [send] = bridge.take(events.Compiled(Report()))
        assert isinstance(send.message, Verdict)
        assert send.message.reason is (Reason.TOO_LOUD if changes else Reason.PUBLISHED)


@pytest.mark.parametrize(("level_db", "changes"), [(20.0, True), (None, True), (None, False)])
def test_where_only_bounds_of_a_level_are_known_the_upper_one_is_held_to_what_plays(
    level_db: float | None, changes: bool
) -> None:
    bridge = Bridge()
    worker = bridge.worker()
    assert publish(worker, gain(20.0)).published
    after(worker, JUMP_SECONDS)
    bridge.judges = False
    worker.take(Snapshot(worker.seq + 1, worker.call + 1, 48_000.0, gain(100.0)))
    if changes:
        bridge.take(events.DspChanged())
    assessment = Assessment(level_db=level_db, loudest_db=40.0)
    [send] = bridge.take(events.Judged("process = 100*_,_;", assessment=assessment))
    assert isinstance(send.message, Verdict)
    assert send.message.reason is (Reason.TOO_LOUD if changes else Reason.PUBLISHED)


def test_the_level_of_a_gain_is_that_gain_and_of_a_comb_that_of_its_first_moments() -> None:
    assert level_db(gain(2.0), fs=48_000) == pytest.approx(6.02, abs=0.01)
    assert level_db(gain(0.0), fs=48_000) == -np.inf
    # White noise through a comb of 480 samples: ten passes weighted by exp(-2·k/10), summed.
    expected = 10 * np.log10(sum(np.exp(-2 * k / 10) for k in range(1, 200)))
    assert level_db(loop(1.0, 480.0), fs=48_000) == pytest.approx(expected, abs=3.5)


@pytest.mark.parametrize("fs", [1.0, 48.0, 44.1, 7999.0, 1e6])
def test_a_rate_that_is_none_of_audio_is_an_error(fs: float) -> None:
    message = encode(Snapshot(1, 1, fs, gain(1.0)))
    with pytest.raises(MessageError, match="is outside the range of audio"):
        decode(message)


def test_kilohertz_are_taken_for_what_they_mean() -> None:
    with pytest.raises(MessageError, match="for 48 kHz say 48000"):
        decode(encode(Snapshot(1, 1, 48.0, gain(1.0))))


@pytest.mark.parametrize("fs", [8_000.0, 48_000.0, 192_000.0])
def test_what_counts_as_growing_does_not_depend_on_the_stated_rate(fs: float) -> None:
    """A loop that grows by 1e-5 a pass: a decibel in four seconds."""
    assert publish(Bridge().worker(), loop(1 + 1e-5, 2000.0), fs).reason is (
        publish(Bridge().worker(), loop(1 + 1e-5, 2000.0), 48_000.0).reason
    )
    assert publish(Bridge().worker(), loop(1 + 1.5e-4, 2000.0), fs).reason is Reason.UNSTABLE
    assert publish(Bridge().worker(), loop(1.0, 2000.0), fs).published
