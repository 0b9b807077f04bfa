"""The gates with real bridges: what is wrong never reaches the plugin, and the bridge lives on."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from bridges import Plugin, alive, eventually, served
from faustwire.messages import Reason
from faustwire_bridge.children.judge_at_hand import keeps_interned_strings
from faustwire_bridge.children.libfaust import compile_program
from faustwire_publisher import HotReload
from hostile_programs import EATS, GOOD, HANGS
from models import Knob
from processes import cpu_seconds
from recorded_warnings import recorded_warnings

HARMFUL = [
    ("process = nothing;", Reason.DOES_NOT_COMPILE, "undefined symbol"),
    ("process = (", Reason.DOES_NOT_COMPILE, "syntax"),
    (EATS, Reason.DOES_NOT_COMPILE, "1024 MiB"),
    ("process = _;", Reason.MISFIT, "leave a channel unwritten"),
    ("process = _,_,_;", Reason.MISFIT, "crash"),
    ("process = _,_,_ :> _,_;", Reason.DOES_NOT_COMPILE, "ERROR"),
    ("process = _+_+_ <: _,_;", Reason.MISFIT, "3 inputs"),
    (
        'process = _*hslider("[1]b", 0.5, 0, 1, 0.1), hslider("[2]a", 440, 20, 2000, 1);',
        Reason.MISFIT,
        "/live/a the range of /live/b",
    ),
    (
        'process = _ <: hbargraph("a", 0, 1), _*hslider("b", 440, 20, 2000, 1);',
        Reason.MISFIT,
        "bargraph",
    ),
    ("process = (+~*(1.1)), _;", Reason.UNSTABLE, "overflow"),
    (
        'process = _/hslider("a", 1, 0, 2, 0.1), _;',
        Reason.UNSTABLE,
        "played at 48 kHz with /live/a at 0",
    ),
    ("process = *(1e6), _;", Reason.TOO_LOUD, "120.0 dB"),
]


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Plugin, HotReload]]:
    """One bridge for many programs."""
    folder = tmp_path_factory.mktemp("gates")
    plugin = Plugin(folder)
    with (
        served(plugin) as bridge,
        HotReload(48000, endpoint=bridge.endpoint, min_interval=0) as made,
    ):
        yield plugin, made


@pytest.mark.parametrize(("code", "reason", "detail"), HARMFUL)
def test_what_would_harm_the_plugin_is_not_written(
    live: tuple[Plugin, HotReload], code: str, reason: Reason, detail: str
) -> None:
    plugin, made = live
    made.publish(GOOD)
    with recorded_warnings():
        assert not made.publish(code)
    assert made.last.reason is reason, made.last
    assert detail in made.last.detail
    assert plugin.program() == GOOD
    assert made.publish(f"// next\n{GOOD}"), "the next good one passes without ceremony"
    made.publish(GOOD)


# 2,400 sines a sample.
HEAVY = "process = par(channel, 2, seq(i, 1200, sin));"


def test_a_program_that_takes_too_much_of_a_core_is_not_written(plugin: Plugin) -> None:
    with served(plugin) as bridge, HotReload(48000, endpoint=bridge.endpoint) as live:
        with recorded_warnings():
            assert not live.publish(HEAVY)
        assert live.last.reason is Reason.TOO_HEAVY, live.last
        assert "of a core to run and the limit is 70 %" in live.last.detail
        assert live.last.load is not None
        assert live.last.load > 0.7
        assert live.publish(GOOD)
        assert live.last.load is not None
        assert live.last.load < 0.1


@pytest.mark.slow
def test_it_is_written_where_the_limit_is_another_one(plugin: Plugin) -> None:
    """The control."""
    options = ("--max-load", "100000", "--compile-timeout", "60")
    with (
        served(plugin, *options) as bridge,
        HotReload(48000, endpoint=bridge.endpoint, timeout=60) as live,
    ):
        assert live.publish(HEAVY)


def test_the_cost_of_a_compile_is_told(live: tuple[Plugin, HotReload]) -> None:
    _, made = live
    made.update(Knob().model, force=True)
    assert made.last.compile_seconds is not None
    assert 0 < made.last.compile_seconds < 1


def test_a_bridge_answers_others_while_libfaust_hangs_and_lives_on(plugin: Plugin) -> None:
    with (
        served(plugin, "--compile-timeout", "1.5") as bridge,
        HotReload(48000, endpoint=bridge.endpoint, wait=False, min_interval=0) as anna,
        HotReload(48000, endpoint=bridge.endpoint, min_interval=0) as bert,
    ):
        assert bert.publish(GOOD)
        libfaust = libfaust_of(bridge.process.pid)
        assert libfaust is not None
        anna.publish(HANGS)
        wait_until_busy(libfaust)
        assert bert.update(Knob().model), "who is slow makes room"
        assert anna.flush()
        assert anna.last.reason is Reason.DOES_NOT_COMPILE
        assert "not done after 1.5 s" in anna.last.detail
        assert bridge.log().count("does-not-compile") == 1


def libfaust_of(bridge: int) -> int | None:
    """The process in which a bridge has libfaust, beside the one in which it judges."""
    return child_of(bridge, "children/compiler_child.py")


def child_of(bridge: int, program: str) -> int | None:
    """The child process of a bridge whose command line names a program."""
    children = Path(f"/proc/{bridge}/task/{bridge}/children").read_text().split()
    for child in children:
        with suppress(FileNotFoundError):
            if program in Path(f"/proc/{child}/cmdline").read_text():
                return int(child)
    return None


def wait_until_busy(libfaust: int) -> None:
    """Until it computes: as long as it has nothing to compile, it takes no time."""
    before = cpu_seconds(libfaust)
    eventually(lambda: cpu_seconds(libfaust) > before + 0.1, "libfaust is at work")


def test_a_libfaust_that_aborts_is_told_and_started_again(plugin: Plugin) -> None:
    with (
        served(plugin) as bridge,
        HotReload(48000, endpoint=bridge.endpoint, wait=False, min_interval=0) as live,
    ):
        live.publish(GOOD)
        assert live.flush()
        child = libfaust_of(bridge.process.pid)
        assert child is not None
        live.publish(HANGS)
        wait_until_busy(child)
        os.kill(child, signal.SIGABRT)
        assert live.flush()
        assert live.last.reason is Reason.DOES_NOT_COMPILE
        assert "SIGABRT" in live.last.detail
        live.publish(f"// 2\n{GOOD}")
        assert live.flush()
        assert live.last.published
        assert libfaust_of(bridge.process.pid) not in (child, None)


def test_a_bridge_that_ends_takes_its_libfaust_along(plugin: Plugin) -> None:
    with served(plugin) as bridge:
        eventually(lambda: libfaust_of(bridge.process.pid), "libfaust is started early")
        child = libfaust_of(bridge.process.pid)
        assert child is not None
        bridge.process.kill()
        bridge.process.wait()
        eventually(lambda: not alive(child), "it notices")


@contextmanager
def no_libfaust(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    (folder / "cyfaust.py").write_text("raise ImportError('no wheel here')\n")
    with monkeypatch.context() as patch:
        patch.setenv("PYTHONPATH", f"{folder}:{os.environ.get('PYTHONPATH', '')}")
        patch.setenv("PATH", str(folder))
        yield


def test_without_libfaust_it_warns_and_publishes(
    plugin: Plugin, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with (
        no_libfaust(tmp_path, monkeypatch),
        served(plugin) as bridge,
        HotReload(48000, endpoint=bridge.endpoint, min_interval=0) as live,
    ):
        assert live.publish(GOOD)
        assert live.last.warnings[-1].startswith("not checked: there is no libfaust")
        assert live.update(Knob().model)
        eventually(lambda: "unchecked" in bridge.log(), "the log says so")
        assert "faustwire[faust]" in bridge.log()


def test_the_bridge_itself_never_loads_libfaust(plugin: Plugin) -> None:
    with (
        served(plugin) as bridge,
        HotReload(48000, endpoint=bridge.endpoint) as live,
    ):
        assert live.publish(GOOD)
        maps = Path(f"/proc/{bridge.process.pid}/maps").read_text()
        assert "cyfaust" not in maps
        child = libfaust_of(bridge.process.pid)
        assert "cyfaust" in Path(f"/proc/{child}/maps").read_text(), "the probe can see it"


def test_the_bridge_itself_loads_numpy_for_who_publishes_more_than_once(plugin: Plugin) -> None:
    """It starts without, and the first graph is unpacked by the judging process."""
    if keeps_interned_strings():
        pytest.skip("with this Python all graphs are")
    with (
        served(plugin) as bridge,
        HotReload(48000, endpoint=bridge.endpoint, min_interval=0) as live,
    ):
        knob = Knob()
        assert live.update(knob.model)
        maps = Path(f"/proc/{bridge.process.pid}/maps")
        assert "numpy" not in maps.read_text()
        judge = child_of(bridge.process.pid, "faustwire_bridge.children.judge_child")
        assert judge is not None
        assert "numpy" in Path(f"/proc/{judge}/maps").read_text(), "the probe can see it"

        def publishes_at_hand() -> bool:
            before = cpu_seconds(judge)
            for _ in range(20):
                knob.step()
                assert live.update(knob.model)
            return "numpy" in maps.read_text() and cpu_seconds(judge) == before

        eventually(publishes_at_hand, "the bridge judges by itself", seconds=30)


def test_a_machine_without_faust_libraries_can_be_stated(plugin: Plugin) -> None:
    code = 'import("stdfaust.lib"); process = fi.lowpass(2, 1000), _;'
    with (
        served(plugin, "--no-faust-libraries") as bridge,
        HotReload(48000, endpoint=bridge.endpoint) as live,
        recorded_warnings(),
    ):
        assert not live.publish(code)
        assert "stdfaust.lib" in live.last.detail
        assert live.publish(GOOD)


def test_everything_that_was_written_compiles_for_the_plugin(plugin: Plugin) -> None:
    with HotReload(48000, **plugin.paths, min_interval=0) as live:
        knob = Knob()
        for _ in range(5):
            knob.step()
            live.update(knob.model)
            assert compile_program(plugin.program(), name="live").n_out == 2
