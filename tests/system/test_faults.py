"""What happens outside the training process neither stops nor stalls it, and damages nothing."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import pytest
import torch

import file_reader
from bridges import Plugin, alive, eventually, free_port, served
from faustwire.messages import Reason
from faustwire_publisher import FaustwireWarning, HotReload
from models import Knob, fdn
from processes import send_signal
from recorded_warnings import recorded_warnings
from small_disk import small_disk
from trainings import Training

TIMEOUT = 1.0
# A call may take its timeout, and what a busy machine of two cores adds.
SLACK = 1.0


@pytest.mark.parametrize("wait", [True, pytest.param(False, marks=pytest.mark.slow)])
def test_a_bridge_that_is_away_at_the_start_costs_one_warning_until_it_is_there(
    plugin: Plugin, *, wait: bool
) -> None:
    endpoint = f"tcp://127.0.0.1:{free_port()}"
    with HotReload(48000, endpoint=endpoint, timeout=TIMEOUT, min_interval=0, wait=wait) as live:
        training = Training(live)
        with recorded_warnings() as told:
            start = time.monotonic()
            while time.monotonic() - start < TIMEOUT + 0.5:
                assert training.step() is not wait
                time.sleep(0.01)
        assert len(told) == 1
        assert endpoint in told[0]
        assert "faustwire serve" in told[0]
        assert training.longest < TIMEOUT + SLACK
        with served(plugin, bind=endpoint):
            if wait:
                training.until_published("the bridge is found")
            else:
                eventually(plugin.dsp_path.exists, "what was handed over arrives")


def test_it_waits_in_vain_only_once(plugin: Plugin) -> None:
    endpoint = f"tcp://127.0.0.1:{free_port()}"
    with (
        HotReload(48000, endpoint=endpoint, timeout=TIMEOUT) as live,
        recorded_warnings() as told,
    ):
        training = Training(live)
        training.step()
        start = time.monotonic()
        for _ in range(50):
            training.step()
        assert time.monotonic() - start < TIMEOUT
    assert len(told) == 1


def test_a_bridge_that_is_restarted_is_found_again(plugin: Plugin) -> None:
    endpoint = f"tcp://127.0.0.1:{free_port()}"
    with HotReload(48000, endpoint=endpoint, timeout=TIMEOUT, min_interval=0) as live:
        training = Training(live)
        with served(plugin, bind=endpoint) as bridge:
            training.until_published("the first")
            bridge.process.kill()
            bridge.process.wait()
            good = plugin.program()
            with recorded_warnings() as told:
                assert not any(training.step() for _ in range(20))
            assert len(told) == 1
            assert live.last.reason is Reason.NO_BRIDGE
            assert plugin.program() == good
        with served(plugin, bind=endpoint):
            training.until_published("the new bridge is found")
            assert plugin.program() != good
        assert training.longest < TIMEOUT + SLACK


def test_an_embedded_bridge_that_was_killed_is_started_again(plugin: Plugin) -> None:
    with HotReload(48000, **plugin.paths, timeout=5.0, min_interval=0) as live:
        training = Training(live)
        assert training.step()
        first = plugin.bridge_pid()
        assert first is not None
        os.kill(first, signal.SIGKILL)
        eventually(lambda: not alive(first), "it is dead")
        training.until_published("a new bridge is there")
        assert plugin.bridge_pid() != first


def test_a_stopped_bridge_stalls_one_call_and_resumes_by_itself(plugin: Plugin) -> None:
    with (
        served(plugin) as bridge,
        HotReload(48000, endpoint=bridge.endpoint, timeout=TIMEOUT, min_interval=0) as live,
    ):
        training = Training(live)
        training.until_published("the first")
        bridge.process.send_signal(signal.SIGSTOP)
        with recorded_warnings() as told:
            start = time.monotonic()
            assert not any(training.step() for _ in range(30))
            assert time.monotonic() - start < TIMEOUT + SLACK
        assert len(told) == 1
        assert "does not answer" in told[0]
        bridge.process.send_signal(signal.SIGCONT)
        training.until_published("the bridge is awake")


def test_a_full_disk_keeps_the_last_good_program_and_heals(plugin: Plugin) -> None:
    with (
        small_disk(plugin.folder),
        HotReload(48000, **plugin.paths, min_interval=0) as live,
    ):
        training = Training(live)
        assert training.step()
        good = plugin.program()
        ballast = plugin.folder / "ballast"
        with suppress(OSError):
            ballast.write_bytes(b"x" * 2**20)
        with recorded_warnings() as told:
            assert not any(training.step() for _ in range(5))
        assert live.last.reason is Reason.WRITE_FAILED
        assert len(told) == 1
        assert "No space left" in told[0]
        assert plugin.program() == good
        assert {path.name for path in plugin.folder.iterdir()} == {
            "ballast",
            "current-dsp.txt",
            "live.dsp",
        }
        ballast.unlink()
        assert training.step()


def test_a_directory_that_cannot_be_written_keeps_the_last_good_program(plugin: Plugin) -> None:
    with (
        small_disk(plugin.folder),
        HotReload(48000, **plugin.paths, min_interval=0) as live,
    ):
        training = Training(live)
        assert training.step()
        good = plugin.program()
        remount = ["mount", "-o", "remount,ro", str(plugin.folder)]
        subprocess.run(remount, check=True)
        with recorded_warnings() as told:
            assert not any(training.step() for _ in range(5))
        assert len(told) == 1
        assert "Read-only" in told[0]
        assert plugin.program() == good
        subprocess.run([*remount[:2], "remount,rw", str(plugin.folder)], check=True)
        assert training.step()


def test_a_directory_that_is_gone_is_made_again(plugin: Plugin) -> None:
    with HotReload(48000, **plugin.paths, min_interval=0) as live:
        training = Training(live)
        assert training.step()
        shutil.rmtree(plugin.folder)
        assert training.step()
        # The config was gone as well; its other spelling has a plugin watch the new directory.
        dsp = plugin.dsp_path.resolve()
        assert plugin.config_path.read_text() == f"{dsp.parent}/./{dsp.name}\n"


def test_a_file_where_the_directory_should_be_is_told_and_heals(plugin: Plugin) -> None:
    with HotReload(48000, **plugin.paths, min_interval=0) as live:
        training = Training(live)
        shutil.rmtree(plugin.folder)
        plugin.folder.write_text("in the way")
        with recorded_warnings() as told:
            assert not any(training.step() for _ in range(3))
        assert len(told) == 1
        assert live.last.reason is Reason.WRITE_FAILED
        plugin.folder.unlink()
        assert training.step()


def test_parameters_that_are_not_finite_cost_one_warning_each_time_they_go_bad(
    plugin: Plugin,
) -> None:
    model = fdn(4)
    gain = model.get_core().input_gain.param
    with HotReload(48000, **plugin.paths, min_interval=0) as live:
        with recorded_warnings() as told:
            with torch.no_grad():
                gain[2, 0] = torch.nan
            assert not live.update(model), "not even the first call raises"
            assert not live.update(model)
            assert live.last.reason is Reason.NON_FINITE
            with torch.no_grad():
                gain[2, 0] = 1.0
            assert live.update(model)
            good = plugin.program()
            with torch.no_grad():
                gain[2, 0] = torch.inf
            assert not live.update(model)
        assert len(told) == 2
        assert "core.input_gain" in told[0]
        assert plugin.program() == good


def test_a_warning_points_at_the_line_of_the_script() -> None:
    with (
        HotReload(48000, endpoint="tcp://127.0.0.1:1", timeout=0.05) as live,
        pytest.warns(FaustwireWarning) as caught,
    ):
        live.update(Knob().model)
    assert caught[0].filename == __file__


def test_warnings_made_errors_do_not_stop_a_training(
    plugin: Plugin, caplog: pytest.LogCaptureFixture
) -> None:
    """The suite runs with -W error, and so do careful people."""
    with HotReload(48000, endpoint="tcp://127.0.0.1:1", timeout=0.05) as live:
        assert not live.update(Knob().model)
    assert "no bridge answers" in caplog.text


@contextmanager
def reader(plugin: Plugin) -> Iterator[dict[str, int | list[str]]]:
    """Reads the .dsp at full speed in a process of its own; its report is there at the end."""
    process = file_reader.start(plugin.dsp_path)
    report: dict[str, int | list[str]] = {}
    try:
        yield report
    finally:
        output, _ = process.communicate(timeout=100)
        report.update(json.loads(output))


@pytest.mark.parametrize(
    ("publishes", "least_kills"),
    [(12, 1), pytest.param(1000, 20, marks=[pytest.mark.slow, pytest.mark.timeout(600)])],
)
def test_many_publishes_while_the_bridge_is_killed_again_and_again(
    plugin: Plugin, publishes: int, least_kills: int
) -> None:
    """No reader ever sees a file that does not compile, no temporary file is left."""
    dice = random.Random(2)  # noqa: S311 - when to kill
    model = fdn(2)
    gain = model.get_core().input_gain.param
    published = kills = 0
    with HotReload(48000, **plugin.paths, min_interval=0, timeout=10.0) as live:
        assert live.update(model)
        with reader(plugin) as report, recorded_warnings():
            next_kill = time.monotonic() + 0.3
            while published < publishes or kills < least_kills:
                with torch.no_grad():
                    gain.add_(1e-3)
                if live.update(model):
                    published += 1
                    next_kill = next_kill or time.monotonic() + dice.uniform(0.0, 0.4)
                pid = plugin.bridge_pid()
                if next_kill and time.monotonic() >= next_kill and pid is not None:
                    # A moment later, out of step with our calls.
                    moment = dice.uniform(0, 0.005)
                    threading.Timer(moment, send_signal, (pid, signal.SIGKILL)).start()
                    kills += 1
                    next_kill = 0.0
        with torch.no_grad():
            gain.add_(1.0)
        assert live.update(model, force=True)
        left = sorted(path.name for path in plugin.folder.iterdir())
    assert report["broken"] == []
    assert isinstance(report["contents"], int)
    assert report["contents"] > publishes / 20
    assert left == ["current-dsp.txt", "live.dsp"]
