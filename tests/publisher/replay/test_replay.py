"""Recordings pushed again: which states, when, and as whom."""

from __future__ import annotations

import math
import re
from collections import Counter
from contextlib import suppress
from pathlib import Path
from typing import Any

import msgpack
import pytest

from bridges import Plugin, ServedBridge, served
from faustwire import codec, recording
from faustwire.errors import RecordingError
from faustwire.key_ring import KeyRing
from faustwire.messages import Listen, Ping, Reason, Snapshot, Verdict
from faustwire.recording import Recording
from faustwire.recording.calls import find_call
from faustwire_publisher import ArgumentError, Replay
from faustwire_publisher.replay import Position, ReplayError, State
from faustwire_publisher.replay.forecast import forecast
from faustwire_publisher.replay.pace import Pace
from faustwire_publisher.replay.states import States, position
from recordings import record
from runs import Said, answers, channel, leaves, publishes, says, sends, tells

TWO_WORKERS = [sends("ab"[n % 2], n // 2 + 1, 0.1 + n / 100, min_interval=0.0) for n in range(20)]


def made(tmp_path: Path, said: list[Said], seconds: float = 0.1, **options: Any) -> Path:
    return record(tmp_path / "run", said, seconds=seconds, **options).folder


def calls(states: States, at_ns: int = 0) -> list[tuple[str, int | None]]:
    found = states.since(at_ns)
    return [(state.hello.worker, state.call) for state in found if isinstance(state, State)]


# -- which ------------------------------------------------------------------------------------


def test_a_place_is_a_time_or_a_call() -> None:
    assert position("12.5s") == position(12.5) == Position(seconds=12.5)
    assert position("call:300") == position("step:300") == Position(call=300)
    for nonsense in ("-1", "call:x", "12m", ""):
        with pytest.raises(ArgumentError, match="not a place in a recording"):
            position(nonsense)


def test_from_and_to_take_times_and_each_workers_calls(tmp_path: Path) -> None:
    found = Recording(made(tmp_path, TWO_WORKERS))
    times = States(found, start=position("0.35s"), end=position(0.6))
    assert calls(times) == [("a", 3), ("b", 3), ("a", 4)]
    numbers = States(found, start=position("call:4"), end=position("call:5"))
    assert calls(numbers) == [("a", 4), ("b", 4), ("a", 5), ("b", 5)]


def test_workers_are_chosen_by_name_and_namesakes_by_incarnation(tmp_path: Path) -> None:
    said = [sends("a", 1, 0.1), sends("a", 1, 0.2, incarnation="xyz"), sends("b", 1, 0.3)]
    found = Recording(made(tmp_path, said))
    assert calls(States(found, workers=["a"])) == [("a", 1), ("a", 1)]
    assert calls(States(found, workers=["a#xy", "b"])) == [("a", 1), ("b", 1)]
    assert calls(States(found, workers=["a#"])) == []
    with pytest.raises(RecordingError, match="of a#a-1, a#xyz: say of which --worker"):
        find_call(found, 1, ["a"])
    assert find_call(found, 1, ["a#x"]).data == said[1][1]


def test_what_was_sent_again_over_another_connection_is_one_state(tmp_path: Path) -> None:
    said = [sends("a", 1, 0.1), sends("a", 1, 0.1), sends("a", 2, 0.2)]
    assert calls(States(Recording(made(tmp_path, said)))) == [("a", 1), ("a", 2)]


def test_the_state_before_a_time_is_found_however_far_back(tmp_path: Path) -> None:
    found = Recording(made(tmp_path, [sends("a", n, n / 9) for n in (1, 2, 3)], seconds=500.0))
    states = States(found)
    end_ns = found.end_ns
    assert end_ns is not None
    last = states.before(end_ns)
    assert last is not None
    assert last.call == 2
    assert states.before(states.first_ns) is None


def test_what_was_published_comes_when_it_was(tmp_path: Path) -> None:
    """By its event; also what settled, and what is published again for another choice."""
    said = [
        sends("a", 1, 0.1),
        tells(1, "published", "a", 1),
        sends("a", 2, 0.2),
        answers("a", 2, Reason.MIN_INTERVAL),
        publishes("b", 1, "process = _,_;"),
        tells(3, "published", "b", None, "process = _,_;"),
        sends("a", 3, 0.3),
        answers("a", 3, Reason.MIN_INTERVAL),
        leaves("b"),
        tells(2, "settled", "a", 3),
        tells(4, "published", "a", 3),
    ]
    states = States(Recording(made(tmp_path, said)), published=True)
    found = [state for state in states.since(states.first_ns) if isinstance(state, State)]
    assert [(state.hello.worker, state.call) for state in found] == [
        ("a", 1),
        ("b", None),
        ("a", 3),
        ("a", 3),
    ]
    assert [round(states.seconds(state.at_ns), 3) for state in found] == [0.1, 0.5, 0.9, 1.0]
    later = [state for state in states.since(found[1].at_ns + 1) if isinstance(state, State)]
    assert [state.call for state in later] == [3, 3], "its snapshot came before that time"


# -- when -------------------------------------------------------------------------------------


def test_the_pace_keeps_its_place_through_pauses_and_changes_of_speed() -> None:
    pace = Pace(2.0)
    pace.go_to(10.0, now=100.0)
    assert pace.wait(14.0, now=100.0) == 2.0
    pace.pause(now=101.0)
    assert pace.wait(14.0, now=105.0) is None
    assert pace.position(now=105.0) == 12.0
    pace.pause(now=110.0, paused=False)
    pace.change_speed(4.0, now=110.0)
    assert pace.wait(14.0, now=110.25) == 0.25
    assert Pace(math.inf).wait(1e9, now=0.0) == 0.0


# -- as whom, at a real bridge ----------------------------------------------------------------


@pytest.fixture
def bridge(plugin: Plugin) -> Any:
    with served(plugin, "--cost-multiple", "0.001") as running:
        yield running


def test_every_state_is_sent_and_answered_as_fast_as_possible(
    tmp_path: Path, plugin: Plugin, bridge: ServedBridge
) -> None:
    with Replay(
        made(tmp_path, TWO_WORKERS, 100.0), endpoint=bridge.endpoint, speed=math.inf, force=True
    ) as replay:
        played = list(replay)
    assert [(each.state.hello.worker, each.state.call) for each in played] == [
        ("ab"[n % 2], n // 2 + 1) for n in range(20)
    ]
    verdicts = [each.verdict for each in played]
    assert all(verdict is not None and verdict.published for verdict in verdicts)
    assert "0.29" in plugin.program()


def test_the_bytes_are_the_recorded_ones(tmp_path: Path, bridge: ServedBridge) -> None:
    with Replay(made(tmp_path, TWO_WORKERS), endpoint=bridge.endpoint, speed=math.inf) as replay:
        assert [each.ticket.data() for each in replay] == [data for _, data in TWO_WORKERS]


def test_time_passes_as_recorded_and_the_throttle_with_it(
    tmp_path: Path, bridge: ServedBridge
) -> None:
    """Ten calls a second for two seconds, at most one reload in half of one, four times as fast."""
    said = [sends("a", n + 1, 0.1 + n / 100, min_interval=0.45) for n in range(20)]
    with Replay(made(tmp_path, said), endpoint=bridge.endpoint, speed=4.0) as replay:
        played = list(replay)
    taken = played[-1].ticket.made - played[0].ticket.made
    assert 0.2 < taken < 1.5, "half a second, on a machine that may be busy"
    reasons = Counter(each.verdict.reason for each in played if each.verdict)
    assert sum(reasons.values()) == 20
    # As many as then at most; where the machine is busy the newest wins.
    assert 1 <= reasons.pop(Reason.PUBLISHED) <= 5
    assert set(reasons) <= {Reason.MIN_INTERVAL, Reason.RELOAD_COST, Reason.SUPERSEDED}


def test_a_night_in_which_nobody_was_there_is_left_out(
    tmp_path: Path, bridge: ServedBridge
) -> None:
    said = [sends("a", n, n / 10, min_interval=0.0) for n in (1, 2, 3)]
    run = made(tmp_path, said, seconds=3600.0)
    with Replay(run, endpoint=bridge.endpoint, workers=["a"]) as replay:
        assert [played.state.call for played in replay] == [1, 2, 3]
    pings = [says("a", Ping(), min_interval=0.0) for _ in range(4)]
    said[1:1] = pings
    states = States(Recording(record(tmp_path / "pings", said, seconds=9.0).folder))
    silent = [state.after_silence for state in states.since(0) if isinstance(state, State)]
    assert silent == [False, False, False]
    # Whoever listens goes on asking while nobody trains.
    ear = recording.of_peer("in", b"ear", None, ())
    asks = [(ear, codec.encode(Listen("a-1", n))) for n in range(4)]
    said[1:5] = asks
    states = States(Recording(record(tmp_path / "asks", said, seconds=9.0).folder))
    silent = [state.after_silence for state in states.since(0) if isinstance(state, State)]
    assert silent == [False, True, False]


def test_what_was_published_is_published_again_whatever_the_clock_says(
    tmp_path: Path, plugin: Plugin, bridge: ServedBridge
) -> None:
    said = []
    for n in range(1, 6):
        said.append(sends("a", n, n / 10, min_interval=60.0))
        if n % 2:
            said.append(tells(n, "published", "a", n))
    with Replay(
        made(tmp_path, said),
        endpoint=bridge.endpoint,
        speed=math.inf,
        follow_verdicts=True,
        force=True,
    ) as replay:
        played = list(replay)
    assert [each.state.call for each in played] == [1, 3, 5]
    assert [each.verdict.published for each in played if each.verdict] == [True] * 3
    assert "0.5" in plugin.program()


def test_a_loop_comes_again_as_another_worker(tmp_path: Path, bridge: ServedBridge) -> None:
    said = [sends("a", n, n / 10, min_interval=0.0) for n in (1, 2)]
    with Replay(
        made(tmp_path, said), endpoint=bridge.endpoint, speed=math.inf, loop=True
    ) as replay:
        played = []
        for each in replay:
            played.append(each)
            if len(played) == 6:
                replay.stop()
    assert [each.state.call for each in played] == [1, 2] * 3
    assert all(each.verdict and each.verdict.published for each in played)


def test_one_step_is_published_exactly_and_forced(
    tmp_path: Path, plugin: Plugin, bridge: ServedBridge
) -> None:
    said = [sends("ab"[n % 2], n // 2 + 1, 0.1 + n / 100, min_interval=60.0) for n in range(20)]
    with Replay(made(tmp_path, said), endpoint=bridge.endpoint) as replay:
        for call, value in ((7, "0.23"), (2, "0.13")):
            verdict = replay.step(call, "b").verdict
            assert verdict is not None
            assert verdict.published
            assert value in plugin.program()
        with pytest.raises(RecordingError, match="of a#a-1, b#b-1: say of which --worker"):
            replay.step(7)
        with pytest.raises(RecordingError, match="call 11 of b is not recorded"):
            replay.step(11, "b")


def test_a_step_is_of_the_worker_that_was_chosen(
    tmp_path: Path, plugin: Plugin, bridge: ServedBridge
) -> None:
    said = [sends("ab"[n % 2], n // 2 + 1, 0.1 + n / 100, min_interval=60.0) for n in range(20)]
    run = made(tmp_path, said)
    with Replay(run, endpoint=bridge.endpoint, workers=["b"]) as replay:
        for call, value in ((7, "0.23"), ("last", "0.29")):
            assert replay.step(call).verdict is not None
            assert value in plugin.program()


def test_a_verdict_is_waited_for(tmp_path: Path, bridge: ServedBridge) -> None:
    """Whoever prints it in the loop sees how it ended, not None."""
    said = [sends("a", n, n / 10) for n in range(1, 6)]
    with Replay(made(tmp_path, said), endpoint=bridge.endpoint, speed=20) as replay:
        assert [played.verdict is not None for played in replay] == [True] * 5


def test_paused_one_goes_forward_and_back_and_on(
    tmp_path: Path, plugin: Plugin, bridge: ServedBridge
) -> None:
    said = [sends("a", n, n / 10, min_interval=60.0) for n in range(1, 6)]
    with Replay(made(tmp_path, said), endpoint=bridge.endpoint, paused=True) as replay:
        heard: list[int | None] = []
        for move in (replay.forward, replay.forward, replay.forward, replay.back, replay.back):
            move()
        for played in replay:
            heard.append(played.state.call)
            assert isinstance(played.verdict, Verdict) or len(heard) > 5
            if len(heard) == 5:
                assert "0.1" in plugin.program()
                message = codec.decode(played.ticket.data())
                assert isinstance(message, Snapshot)
                assert (message.seq, message.call, message.force) == (5, 1, True)
                replay.change_speed(100.0)
                replay.pause(paused=False)
    assert heard == [1, 2, 3, 2, 1, 2, 3, 4, 5]


def test_from_a_step_it_goes_back_to_the_one_before(tmp_path: Path, bridge: ServedBridge) -> None:
    said = [sends("a", n, n / 10, min_interval=60.0) for n in range(1, 6)]
    with Replay(made(tmp_path, said), endpoint=bridge.endpoint, paused=True) as replay:
        replay.step(4)
        replay.back()
        replay.forward()
        replay.forward()
        heard = []
        for played in replay:
            heard.append(played.state.call)
            if len(heard) == 3:
                replay.stop()
    assert heard == [3, 4, 5]


def test_what_makes_no_sense_to_a_bridge_is_skipped_or_refused(
    tmp_path: Path, bridge: ServedBridge
) -> None:
    body = {"type": "snapshot", "seq": 2, "call": 2, "fs": 48000.0, "graph": {"type": "magic"}}
    said = [
        sends("a", 1, 0.1, min_interval=0.0),
        (channel("a", min_interval=0.0), msgpack.packb({"faustwire": 1, **body})),
        (channel("a", min_interval=0.0), msgpack.packb({"faustwire": 9, **body, "seq": 3})),
        sends("a", 4, 0.4, min_interval=0.0),
    ]
    with Replay(made(tmp_path, said), endpoint=bridge.endpoint, speed=math.inf) as replay:
        verdicts = [played.verdict for played in replay]
    assert [verdict.reason for verdict in verdicts if verdict] == [
        Reason.PUBLISHED,
        Reason.REFUSED,
        Reason.PUBLISHED,
    ]
    assert replay.states.skipped == 1


def test_a_bridge_with_keys_is_reached_with_the_right_to_publish(
    tmp_path: Path, plugin: Plugin
) -> None:
    studio, box = KeyRing(tmp_path / "studio"), KeyRing(tmp_path / "box")
    run = made(tmp_path, [sends("a", 1, 0.5)])
    studio.enrol("box", box.pair()[0], frozenset({"publish"}))
    with served(plugin, "--keys", str(studio.folder)) as guarded:
        with pytest.raises(ArgumentError, match="is not known there"):
            Replay(run, endpoint=guarded.endpoint, keys=box.folder)
        box.trust(guarded.endpoint, studio.pair()[0])
        with Replay(run, endpoint=guarded.endpoint, keys=box.folder) as replay:
            assert replay.run() == 1
        assert "0.5" in plugin.program()
        stranger = KeyRing(tmp_path / "stranger")
        stranger.trust(guarded.endpoint, studio.pair()[0])
        with (
            Replay(run, endpoint=guarded.endpoint, keys=stranger.folder, timeout=1.0) as replay,
            pytest.raises(ReplayError, match="no bridge answers"),
        ):
            replay.run()


def test_without_a_bridge_it_says_so_within_the_timeout(tmp_path: Path) -> None:
    run = made(tmp_path, TWO_WORKERS)
    with (
        Replay(run, endpoint="tcp://127.0.0.1:9", timeout=0.3) as replay,
        pytest.raises(ReplayError, match="no bridge answers at tcp"),
    ):
        replay.run()


def test_arguments_that_make_no_sense_are_told(tmp_path: Path) -> None:
    run = made(tmp_path, TWO_WORKERS)
    for wrong in ({"speed": 0}, {"workers": "a"}, {"start": "soon"}, {"endpoint": "x"}):
        with pytest.raises(ArgumentError):
            Replay(run, **wrong)
    with pytest.raises(RecordingError, match="no worker is called 'zoe'; there are: a, b"):
        Replay(run, workers=["a", "zoe"])


def test_the_pages_python_runs(
    tmp_path: Path, bridge: ServedBridge, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = Path(__file__).parents[3] / "docs" / "replay.md"
    (block,) = re.findall(r"```python\n(.*?)```", page.read_text(), re.DOTALL)
    said = [sends("run-7", call, call / 1000, min_interval=0.0) for call in range(298, 303)]
    record(tmp_path / "runs", said)
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {}
    exec(block.replace("tcp://127.0.0.1:5555", bridge.endpoint), names)  # noqa: S102
    assert names["played"].state.call == 302
    assert names["replay"].sent == 3


def test_a_relative_config_path_is_this_process_own(
    tmp_path: Path, plugin: Plugin, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = made(tmp_path, [sends("a", 1, 0.5)])
    monkeypatch.chdir(plugin.folder)
    name = f"of-replay-{plugin.place.key}.txt"
    try:
        with Replay(run, dsp_path="live.dsp", config_path=name) as replay:
            assert replay.run() == 1
            monkeypatch.chdir("/")
        assert not Path("/", name).exists()
    finally:
        with suppress(PermissionError):
            Path("/", name).unlink(missing_ok=True)
    first_line = (plugin.folder / name).read_text().splitlines()[0]
    assert first_line == str(plugin.dsp_path.resolve())
    with pytest.raises(ValueError, match="config_path='/' is a directory"):
        Replay(run, config_path="/")


# -- what will be heard -----------------------------------------------------------------------


def test_how_many_of_the_published_will_be_heard_is_said_before(tmp_path: Path) -> None:
    """Published every second; a reload of 20 ms asks for 0.2 s until the next."""
    said = [
        one
        for n in range(1, 11)
        for one in (
            sends("a", n, n / 100, min_interval=0.0),
            tells(n, "published", "a", n, compile_seconds=0.02),
        )
    ]
    found = Recording(made(tmp_path, said, seconds=0.5))
    assert forecast(States(found), speed=4) is None
    line = forecast(States(found), speed=20)
    assert line is not None
    assert line.startswith("about 3 of 10 published would be heard at ×20")
    assert line.endswith("--published 20 --force plays all of them, with gaps")
    part = forecast(States(found, start=position("call:5")), speed=20)
    assert part is not None
    assert part.startswith("about 2 of 6")
