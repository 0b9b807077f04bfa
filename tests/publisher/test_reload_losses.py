"""One warning a run says what part of the audio is lost where no throttle keeps reloads apart."""

from __future__ import annotations

import re
from typing import Any

import pytest

from bridges import Plugin
from faustwire import HotReload
from faustwire.messages import Reason, Verdict
from faustwire_publisher import reload_losses
from faustwire_publisher.mailbox import Ticket
from faustwire_publisher.reload_losses import ReloadLosses
from models import Knob
from recorded_warnings import recorded_warnings


def reload(at: float, compile_seconds: float | None, *, published: bool = True) -> Ticket:
    reason = Reason.PUBLISHED if published else Reason.UNCHANGED
    ticket = Ticket(1, None)
    ticket.end(Verdict(1, published, reason, compile_seconds=compile_seconds))
    ticket.received = at
    return ticket


def told(apart: float, compile_seconds: float | None, **more: Any) -> list[str]:
    losses = ReloadLosses()
    lines = [losses.take(reload(apart * n, compile_seconds, **more)) for n in range(30)]
    return [line for line in lines if line is not None]


def test_the_part_that_is_lost_is_told_once() -> None:
    [line] = told(0.1, 0.049)
    assert line.startswith("49 % of the audio is lost: min_interval=0 and force")
    assert "49.0 ms at each, 10.0 times a second" in line


@pytest.mark.parametrize(("apart", "compile_seconds"), [(1.0, 0.01), (0.1, None)])
def test_what_nobody_misses_is_not_told(apart: float, compile_seconds: float | None) -> None:
    assert told(apart, compile_seconds) == []


def test_a_handful_of_reloads_is_no_rate() -> None:
    losses = ReloadLosses()
    assert [losses.take(reload(0.1 * n, 0.05)) for n in range(19)] == 19 * [None]


def test_calls_that_reload_nothing_lose_nothing() -> None:
    assert told(0.1, 0.05, published=False) == []


def test_a_plugin_that_only_compiles_loses_everything() -> None:
    assert told(0.01, 0.05)[0].startswith("100 %")


@pytest.mark.parametrize("how", [{"min_interval": 0}, {"force": True}, {}])
def test_a_training_is_warned_where_nothing_keeps_reloads_apart(
    plugin: Plugin, how: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reload_losses, "_LEAST", 0.0)  # a gain is compiled at once
    knob = Knob()
    force = how.pop("force", False)
    throttled = not how and not force
    with HotReload(48000, **plugin.paths, **how) as live, recorded_warnings() as warned:
        for _ in range(25):
            live.update(knob.model, force=force)
            knob.step()
    assert len(warned) == (0 if throttled else 1), warned
    if warned:
        assert re.search(r"\d+ % of the audio is lost", warned[0])


def test_text_is_kept_apart_by_nothing_either(
    plugin: Plugin, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reload_losses, "_LEAST", 0.0)
    texts = ["process = 0.5*_,_;", "process = 0.6*_,_;"]
    with HotReload(48000, **plugin.paths) as live, recorded_warnings() as warned:
        for number in range(25):
            assert live.publish(texts[number % 2]), live.last
    assert len(warned) == 1, warned
    assert re.search(r"\d+ % of the audio is lost", warned[0])
