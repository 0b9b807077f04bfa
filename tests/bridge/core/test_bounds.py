"""What one worker can make the bridge keep, by count and by bytes, field by field."""

from __future__ import annotations

import gc
import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from core_by_hand import Bridge, arrived
from faustwire.messages import Hello, OwnProgram, Reason, Snapshot, Verdict
from faustwire.packed_snapshot import PackedSnapshot
from faustwire_bridge.core import audience, events, sessions
from faustwire_bridge.core.compile_report import Control, Report
from faustwire_bridge.core.rules import Rules
from faustwire_bridge.core.session import MAX_METRICS
from graphs import gain

MIB = 2**20


@contextmanager
def traced() -> Iterator[Callable[[], int]]:
    """How many bytes more than at the beginning are kept."""
    gc.collect()
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]

        def kept() -> int:
            gc.collect()
            return tracemalloc.get_traced_memory()[0] - before

        yield kept
    finally:
        tracemalloc.stop()


def snapshot(number: int, metrics: dict[str, float], label: str = "") -> Snapshot:
    return Snapshot(number, number, 48000.0, gain(0.5), name=label[:256], metrics=metrics)


def test_the_measure_sees_what_is_kept() -> None:
    with traced() as kept:
        names = {f"metric {number} " + "x" * 200: 0.0 for number in range(10_000)}
        assert kept() > 2 * MIB
        del names
        assert kept() < MIB


def test_metrics_of_new_names_with_every_snapshot_take_no_room() -> None:
    bridge = Bridge()
    anna = bridge.worker(min_interval=3600.0)
    anna.update(0.5)
    with traced() as kept:
        for call in range(2, 200):
            metrics = {f"{call} {number} " + "x" * 200: 0.5 for number in range(64)}
            anna.take(snapshot(call, metrics))
        assert kept() < MIB
    session = bridge.core.sessions.at(anna.peer)
    assert session is not None
    assert len(session.extremes) == MAX_METRICS


def test_the_best_values_of_metrics_that_go_on_coming_stay() -> None:
    bridge = Bridge()
    anna = bridge.worker(min_interval=3600.0)
    for call in range(1, 100):
        anna.take(snapshot(call, {"loss": float(call), f"step {call}": 0.0}))
    session = bridge.core.sessions.at(anna.peer)
    assert session is not None
    assert session.best("loss", larger=False) == 1.0
    assert session.best("step 1", larger=False) is None


def test_a_name_too_long_to_be_followed_is_not_kept() -> None:
    bridge = Bridge()
    anna = bridge.worker(min_interval=3600.0)
    anna.take(snapshot(1, {"x" * 4000: 1.0, "loss": 2.0}))
    session = bridge.core.sessions.at(anna.peer)
    assert session is not None
    assert session.metrics == {"loss": 2.0}


@pytest.mark.parametrize("settle", [False, True])
def test_one_connection_under_ever_new_names_is_remembered_a_bounded_number_of_times(
    settle: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sessions, "MAX_SESSIONS", 20)
    monkeypatch.setattr(sessions, "MAX_WORKERS", 30)
    bridge = Bridge(Rules())
    bridge.worker("other", min_interval=0.0).update(0.125)
    most = sessions.MAX_SESSIONS + sessions.MAX_WORKERS
    for number in range(2 * most):
        hello = Hello("mallory", f"{number}", min_interval=3600.0, settle=settle)
        bridge.take(arrived(b"mallory", hello))
        bridge.take(arrived(b"mallory", snapshot(1, {})))
    assert sum(1 for _ in bridge.core.sessions) <= most + 1
    if settle:
        assert bridge.core.deadline() is not None, "the last ones still settle"


def test_snapshots_that_wait_for_their_time_are_bounded_by_bytes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sessions, "MAX_HELD_BYTES", MIB // 8)
    bridge = Bridge(Rules(settle=True))
    bridge.worker("other").update(0.125)
    data = Snapshot(1, 1, 48000.0, gain(0.5), name="n" * 256)
    size = len(arrived(b"", data).message.data)  # type: ignore[union-attr]
    for number in range(MIB // 4 // size):
        peer = b"%d" % number
        bridge.take(arrived(peer, Hello("m", f"{number}", min_interval=3600.0)))
        bridge.take(arrived(peer, data))
        bridge.take(events.Lost(peer))
        bridge.core.sessions.forget_oldest([])
        kept = [one for one in bridge.core.sessions if one.unsettled is not None]
        assert sum(one.held_bytes() for one in kept) <= MIB // 8
    assert kept, "those that came last wait"


def test_a_text_with_a_million_sliders_is_not_remembered() -> None:
    bridge = Bridge()
    anna = bridge.worker()
    controls = tuple(Control(f"/live/{number:06}") for number in range(2000))
    bridge.compiled = events.Compiled(Report(problem="no", controls=controls))
    with traced() as kept:
        for number in range(1, 60):
            controls = tuple(Control(f"/live/{number}/{slider}") for slider in range(2000))
            bridge.compiled = events.Compiled(Report(problem="no", controls=controls))
            anna.take(OwnProgram(number, f"process = {number};"))
            bridge.compiles.clear()
        assert kept() < 2 * MIB


def test_a_long_detail_and_long_warnings_are_kept_short() -> None:
    bridge = Bridge()
    anna = bridge.worker()
    bridge.compiled = events.CompileFailed("x" * MIB)
    verdict = anna.publish("process = 1;")
    assert len(verdict.detail) == 4096
    session = bridge.core.sessions.at(anna.peer)
    assert session is not None
    assert len(session.detail) == 200
    assert all(len(event.detail) <= 4096 for event in bridge.events)
    names = [f"/live/{number}/" + "x" * 1000 for number in range(100)]
    for top in (2.0, 1.0):
        anna.bridge.now += 10.0
        controls = tuple(Control(name, max=top) for name in names)
        bridge.compiled = events.Compiled(Report(controls=controls))
        verdict = anna.publish(f"process = {top};")
    assert verdict.published
    assert sum(map(len, verdict.warnings)) == 2**13, "of a hundred thousand characters"
    assert any("its range is now" in warning for warning in verdict.warnings)


def test_texts_with_many_sliders_are_remembered_within_bounds() -> None:
    """A slider takes 400 bytes, whatever its name."""
    bridge = Bridge()
    anna = bridge.worker()
    with traced() as kept:
        for number in range(1, 40):
            controls = tuple(Control(f"/l/{number}/{slider}") for slider in range(800))
            bridge.compiled = events.Compiled(Report(problem="no", controls=controls))
            anna.take(OwnProgram(number, f"process = {number};"))
            bridge.compiles.clear()
        assert kept() < 2 * MIB


def test_a_machine_with_an_endless_name_is_remembered_by_its_beginning() -> None:
    bridge = Bridge()
    with traced() as kept:
        for number in range(200):
            bridge.take(arrived(b"mallory", Hello("m", f"{number}", host=f"{number}" + "x" * 4000)))
        assert kept() < MIB
    session = bridge.core.sessions.at(b"mallory")
    assert session is not None
    assert len(session.hello.host) == 256


@pytest.mark.parametrize("most_runs", [50, 10**9])
def test_what_is_known_of_runs_that_were_refused_takes_little_room(
    most_runs: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without a snapshot, but with words; a control without a bound."""
    monkeypatch.setattr(audience, "MAX_KEPT", most_runs)
    monkeypatch.setattr(sessions, "MAX_SESSIONS", 20)
    bridge = Bridge()
    listening = audience.Audience(bridge.core.sessions)
    with traced() as kept:
        for number in range(500):
            bridge.take(arrived(b"mallory", Hello("m", f"{number}")))
            session = bridge.core.sessions.at(b"mallory")
            assert session is not None
            session.newest = PackedSnapshot(1, 1)
            detail = f"{number} " + "x" * 4000
            listening.decided(session, Verdict(1, False, Reason.REFUSED, detail))
        assert (kept() < MIB) is (most_runs == 50)
