"""The bridge on this machine: its gates, and what is told of one that differs or is stopped."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

import pytest

from bridges import Plugin, served
from faustwire import HotReload
from faustwire.limits import MIN_CHANGE_DB
from faustwire.messages import Reason
from faustwire_publisher import ArgumentError
from faustwire_publisher.gate_options import to_options
from models import Knob
from recorded_warnings import recorded_warnings


def test_another_config_path_than_the_running_bridges_is_told_once(plugin: Plugin) -> None:
    knob, other = Knob(), plugin.folder / "other.txt"
    with (
        served(plugin) as bridge,
        HotReload(48000, dsp_path=plugin.dsp_path, config_path=other, min_interval=0) as live,
        recorded_warnings() as told,
    ):
        for _ in range(3):
            assert live.update(knob.model)
            knob.step()
    assert len(told) == 1
    assert f"config_path={other} is not used: it keeps {plugin.config_path}" in told[0]
    assert f"pid {bridge.process.pid}" in told[0]
    assert not other.exists()


def test_the_same_config_path_or_none_is_no_news(plugin: Plugin) -> None:
    with served(plugin), recorded_warnings() as told:
        for paths in (plugin.paths, {"dsp_path": plugin.dsp_path}):
            with HotReload(48000, **paths) as live:
                live.update(Knob().model, force=True)
    assert told == []


def test_gates_of_a_bridge_that_is_started_here_can_be_set(plugin: Plugin) -> None:
    knob = Knob()
    knob.set(2000.0)
    with HotReload(48000, **plugin.paths, gates={"max_gain_db": 70, "max_jump_db": 70}) as live:
        assert live.update(knob.model), live.last
    plugin.end_bridge()
    with HotReload(48000, **plugin.paths) as live, recorded_warnings() as told:
        knob.set(2001.0)
        assert not live.update(knob.model)
        assert live.last.reason is Reason.TOO_LOUD
    assert len(told) == 1


def test_how_heavy_a_program_may_be_is_one_of_them(plugin: Plugin) -> None:
    with (
        HotReload(48000, **plugin.paths, gates={"max_load": 1e-4}) as live,
        HotReload(48000, **plugin.paths, gates={"max_load": 1e-4}),
        recorded_warnings() as told,
    ):
        assert not live.update(Knob().model)
        assert live.last.reason is Reason.TOO_HEAVY
        assert "the limit is 0 %" in live.last.detail
    assert not any("max_load" in line for line in told), told


def test_gates_that_a_running_bridge_does_not_have_are_told(plugin: Plugin) -> None:
    with (
        served(plugin, "--max-gain-db", "55"),
        HotReload(48000, **plugin.paths, gates={"max_gain_db": 55, "max_jump_db": 41}) as live,
        recorded_warnings() as told,
    ):
        live.update(Knob().model)
    assert len(told) == 1
    assert "max_jump_db=41.0 is not used" in told[0]


@pytest.mark.parametrize(
    ("gates", "problem"),
    [
        ({"max_gain": 70}, "there is no 'max_gain'; there are max_gain_db"),
        ({"max_gain_db": "loud"}, "max_gain_db='loud'"),
        ({"allow_unstable": 1}, "allow_unstable=1: give True or False"),
        ({"compile_timeout": 0}, "compile_timeout=0"),
        (70, "give them by name"),
    ],
)
def test_gates_that_make_no_sense_are_named(plugin: Plugin, gates: Any, problem: str) -> None:
    with pytest.raises(ArgumentError, match=problem):
        HotReload(48000, **plugin.paths, gates=gates)


def test_a_running_bridge_elsewhere_has_gates_of_its_own() -> None:
    with pytest.raises(ArgumentError, match="has its own"):
        HotReload(48000, endpoint="tcp://127.0.0.1:5555", gates={"max_gain_db": 70})


def test_every_gate_is_an_option_of_serve() -> None:
    from faustwire_bridge.commands.program import _parser

    gates = {"max_gain_db": 70.5, "allow_unstable": True, "compile_gate": False}
    options = to_options({**gates, "cost_multiple": 2.0, "faust_libraries": True})
    read = _parser().parse_args(["serve", *options])
    assert (read.max_gain_db, read.allow_unstable, read.no_compile_gate) == (70.5, True, True)
    assert (read.cost_multiple, read.no_faust_libraries) == (2.0, False)


def test_a_stopped_bridge_is_told_with_its_process(plugin: Plugin) -> None:
    """Though no connection to it was ever made."""
    with served(plugin) as bridge:
        bridge.process.send_signal(signal.SIGSTOP)
        try:
            with (
                HotReload(48000, **plugin.paths, timeout=0.5) as live,
                recorded_warnings() as told,
            ):
                assert not live.update(Knob().model)
                os.kill(bridge.process.pid, signal.SIGCONT)
        finally:
            bridge.process.send_signal(signal.SIGCONT)
    assert len(told) == 1
    assert f"(pid {bridge.process.pid}) is stopped" in told[0]
    assert f"kill -CONT {bridge.process.pid}" in told[0]


def test_programs_that_nobody_has_compiled_are_told_once(
    plugin: Plugin, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As after ``pip install 'faustwire[train]'`` alone."""
    blocked = tmp_path / "blocked"
    blocked.mkdir()
    (blocked / "cyfaust.py").write_text("raise ImportError('blocked')")
    monkeypatch.setenv("PYTHONPATH", f"{blocked}:{os.environ.get('PYTHONPATH', '')}")
    monkeypatch.setenv("PATH", str(blocked))
    knob = Knob()
    with HotReload(48000, **plugin.paths, min_interval=0) as live, recorded_warnings() as told:
        for _ in range(3):
            assert live.update(knob.model)
            knob.step()
    assert len(told) == 1
    assert "published without a check (there is no libfaust" in told[0]
    assert "faustwire[faust]" in told[0]


@pytest.mark.parametrize("name", ['a"b.dsp', "a\\b.dsp", "a\tb.dsp"])
def test_a_file_name_that_libfaust_cannot_take_is_told_at_once(plugin: Plugin, name: str) -> None:
    with pytest.raises(ValueError, match="libfaust can't take a file name"):
        HotReload(48000, dsp_path=plugin.folder / name)


def test_controls_that_are_no_mapping_are_told(plugin: Plugin) -> None:
    with pytest.raises(ValueError, match="give the controls by name"):
        HotReload(48000, **plugin.paths, controls=["rt60"])  # type: ignore[arg-type]


def test_what_nobody_hears_returns_false_and_warns_of_nothing(plugin: Plugin) -> None:
    knob = Knob()
    with HotReload(48000, **plugin.paths, min_interval=0) as live, recorded_warnings() as told:
        for value, published, reason in (
            (0.5, True, Reason.PUBLISHED),
            (0.5 + 1e-6, False, Reason.INAUDIBLE),
            (0.51, True, Reason.PUBLISHED),
        ):
            knob.set(value)
            assert (live.update(knob.model), live.last.reason) == (published, reason)
    assert told == []


def test_every_change_reloads_where_that_is_asked_for(plugin: Plugin) -> None:
    knob = Knob()
    with HotReload(48000, **plugin.paths, min_interval=0, min_change_db=None) as live:
        for value in (0.5, 0.5 + 1e-6, 0.5 + 2e-6):
            knob.set(value)
            assert live.update(knob.model)


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"min_change_db": 3}, "min_change_db=3: give a number of dB below 0, or None"),
        ({"min_change_db": True}, "min_change_db=True"),
        ({"let_ring": 0}, "let_ring=0"),
        ({"let_ring": "long"}, "let_ring='long'"),
    ],
)
def test_options_of_reloads_that_make_no_sense_are_named(
    plugin: Plugin, options: Any, problem: str
) -> None:
    with pytest.raises(ArgumentError, match=problem):
        HotReload(48000, **plugin.paths, **options)


@pytest.mark.parametrize("options", [{"min_change_db": None}, {"let_ring": 0.5}])
def test_a_running_bridge_elsewhere_decides_what_is_worth_a_reload(options: Any) -> None:
    with pytest.raises(ArgumentError, match="has its own"):
        HotReload(48000, endpoint="tcp://127.0.0.1:5555", **options)


def test_the_default_of_the_smallest_change_is_the_bridges() -> None:
    from faustwire_bridge.core.sound_limits import Limits

    assert Limits().min_change_db == MIN_CHANGE_DB


@pytest.mark.parametrize("least", [None, -60.5, -1e-5])
def test_options_of_reloads_are_options_of_serve(least: float | None) -> None:
    from faustwire_bridge.commands.program import _parser

    options = to_options({"min_change_db": least, "let_ring": 0.25})
    read = _parser().parse_args(["serve", *options])
    assert (read.min_change_db, read.let_ring) == (least, 0.25)
