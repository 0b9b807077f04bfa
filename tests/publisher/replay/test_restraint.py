"""A replay that is faster than its recording leaves the plugin time, and ends on the last state."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest

from bridges import Plugin, eventually, served
from faustwire.messages import Reason, Verdict
from faustwire_publisher import Replay
from faustwire_publisher.mailbox import Ticket
from faustwire_publisher.replay import restraint
from faustwire_publisher.replay.restraint import Restraint
from faustwire_publisher.replay.states import RecordedState
from recordings import record
from runs import Said, publishes, sends, tells

STATES = 8


@pytest.fixture(autouse=True)
def _costly(monkeypatch: pytest.MonkeyPatch) -> None:
    """A reload of a millisecond asks for more time than sending all states takes."""
    monkeypatch.setattr(restraint, "COST_MULTIPLE", 2000.0)


def published(**more: Any) -> list[Said]:
    return [
        one
        for n in range(1, STATES + 1)
        for one in (sends("a", n, 0.1 + n / 100, **more), tells(n, "published", "a", n))
    ]


def replayed(plugin: Plugin, folder: Path, **options: Any) -> list[int | None]:
    """The calls whose states were published, at full speed."""
    options = {"speed": math.inf, **options}
    with served(plugin) as bridge, Replay(folder, endpoint=bridge.endpoint, **options) as replay:
        played = list(replay)
        return [each.state.call for each in played if each.verdict and each.verdict.published]


@pytest.mark.slow
def test_what_was_published_is_heard_faster_as_far_as_there_is_time(
    plugin: Plugin, tmp_path: Path
) -> None:
    run = record(tmp_path / "run", published(), seconds=0.01).folder
    heard = replayed(plugin, run, follow_verdicts=True)
    assert heard[0] == 1
    assert heard[-1] == STATES
    assert len(heard) < STATES
    assert str(0.1 + STATES / 100) in plugin.program()


@pytest.mark.parametrize(
    "options", [{"force": True}, pytest.param({"speed": 1.0}, marks=pytest.mark.slow)]
)
def test_forced_or_as_fast_as_the_run_nothing_is_left_out(
    plugin: Plugin, tmp_path: Path, options: dict[str, Any]
) -> None:
    run = record(tmp_path / "run", published(), seconds=0.01).folder
    heard = replayed(plugin, run, follow_verdicts=True, **options)
    assert heard == list(range(1, STATES + 1))


@pytest.mark.parametrize("force", [False, True])
def test_what_was_forced_then_is_not_faster_unless_that_is_said(
    plugin: Plugin, tmp_path: Path, force: bool
) -> None:
    said = [sends("a", n, 0.1 + n / 100, force=True) for n in range(1, STATES + 1)]
    heard = replayed(plugin, record(tmp_path / "run", said, seconds=0.01).folder, force=force)
    assert (len(heard) == STATES) is force
    assert heard[-1] == STATES


@pytest.mark.slow
def test_text_is_held_back_as_well(plugin: Plugin, tmp_path: Path) -> None:
    said = [publishes("a", n, f"process = *(0.{n}),*(0.{n});") for n in range(1, 6)]
    heard = replayed(plugin, record(tmp_path / "run", said, seconds=0.01).folder)
    assert 1 < len(heard) < 5
    assert "*(0.5)" in plugin.program()


@pytest.mark.parametrize("force", [False, pytest.param(True, marks=pytest.mark.slow)])
def test_a_run_without_throttle_has_one_when_it_is_faster(
    plugin: Plugin, tmp_path: Path, force: bool
) -> None:
    """And the state that it ended on is played when its time has come."""
    said = [sends("a", n, 0.1 + n / 100, min_interval=0.0) for n in range(1, STATES + 1)]
    run = record(tmp_path / "run", said, seconds=0.01).folder
    with served(plugin, "--cost-multiple", "500") as bridge:
        with Replay(run, endpoint=bridge.endpoint, speed=math.inf, force=force) as replay:
            reasons = [each.verdict.reason for each in replay if each.verdict]
        assert (Reason.RELOAD_COST in reasons) is not force
        last = str(0.1 + STATES / 100)
        eventually(lambda: last in plugin.program(), "the last state is played")


def state(call: int | None) -> RecordedState:
    said = [sends("a", 1, 0.1, force=True)] if call else [publishes("a", 1, "process = _,_;")]
    return RecordedState(0, None, 1, call, said[0][1])  # type: ignore[arg-type]


def test_only_reloads_cost_and_only_what_no_throttle_holds_back_is_held() -> None:
    keeper = Restraint()
    refused = Ticket(1, None)
    refused.end(Verdict(1, False, Reason.TOO_LOUD, compile_seconds=9.0))
    keeper.note(refused)
    assert not keeper.hold(state(1), refused.received, forced=True)
    reload = Ticket(2, None)
    keeper.note(reload)
    assert not keeper.hold(state(1), refused.received, forced=True), "its verdict is not known"
    reload.end(Verdict(2, True, Reason.PUBLISHED, compile_seconds=0.001))
    at = reload.received
    assert keeper.wait(at + 0.5) == pytest.approx(1.5)
    for call in (1, None):
        assert keeper.hold(state(call), at + 1.9, forced=False)
        assert not keeper.hold(state(call), at + 2.1, forced=False)
    unforced = RecordedState(0, None, 1, 1, sends("a", 1, 0.1)[1])  # type: ignore[arg-type]
    assert not keeper.hold(unforced, at + 1.0, forced=False), "the bridge throttles it"
    assert keeper.hold(unforced, at + 1.0, forced=True)
