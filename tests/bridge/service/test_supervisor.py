"""A bridge that crashes is there again within half a second, at the same endpoint."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from statistics import median

import pytest

from bridges import DEADLINE, Plugin, alive, eventually, served
from busy_machine import as_idle
from faustwire_publisher import HotReload
from peers import peer

CRASHES = (signal.SIGABRT, signal.SIGSEGV, signal.SIGKILL, signal.SIGABRT, signal.SIGBUS)


def test_a_bridge_that_crashes_is_there_again_at_its_endpoint(plugin: Plugin) -> None:
    with served(plugin, restarts=True) as bridge:
        first = plugin.bridge_pid()
        assert first is not None
        assert first != bridge.process.pid
        with peer(bridge.endpoint, "anna") as anna:
            assert anna.update(0.5).published
        took = []
        for step, signal_number in enumerate(CRASHES):
            pid = plugin.bridge_pid()
            assert pid is not None
            begun = time.monotonic()
            os.kill(pid, signal_number)
            eventually(lambda: plugin.bridge_pid() not in (None, pid), "another bridge is there")  # noqa: B023
            with peer(bridge.endpoint, "anna", incarnation=f"{step}") as anna:
                took.append(as_idle(time.monotonic() - begun))
                assert anna.update(step / 8 + 0.0625).published
        assert median(took) < 0.5, sorted(took)
        assert bridge.log().count("is started again") == len(CRASHES)


def test_a_training_goes_on_when_its_bridge_crashes(plugin: Plugin) -> None:
    with (
        served(plugin, restarts=True) as bridge,
        HotReload(48000, endpoint=bridge.endpoint, min_interval=0, timeout=DEADLINE) as live,
    ):
        assert live.publish("process = _,_;")
        pid = plugin.bridge_pid()
        assert pid is not None
        os.kill(pid, signal.SIGSEGV)
        eventually(lambda: live.publish("process = _,0;"), "published again")


def test_a_signal_ends_both_and_the_exit_code_is_the_bridges(plugin: Plugin) -> None:
    with served(plugin, restarts=True) as bridge:
        pid = plugin.bridge_pid()
        assert pid is not None
        bridge.process.send_signal(signal.SIGTERM)
        assert bridge.process.wait(DEADLINE) == 0
        assert not alive(pid)
        assert "stopped" in bridge.log()
        assert not plugin.place.lock_path.exists()


def test_a_bridge_ends_with_its_supervisor(plugin: Plugin) -> None:
    with served(plugin, restarts=True) as bridge:
        pid = plugin.bridge_pid()
        assert pid is not None
        bridge.process.kill()
        eventually(lambda: not alive(pid), "the bridge ends")


# A run that ends with an error, once it was ready or before that.
FAILS = """
import sys
from faustwire_bridge.service.supervisor import supervise

def run(endpoints, ready):
    if endpoints == ["again"]:
        return 0
    if sys.argv[1] == "ready":
        ready(["again"])
    if sys.argv[2] == "raises":
        raise ZeroDivisionError
    return 64

print(supervise(run))
"""


@pytest.mark.parametrize(
    ("when", "how", "code"),
    [("ready", "raises", 0), ("ready", "ends", 0), ("never", "raises", 70), ("never", "ends", 64)],
)
def test_one_that_fails_once_it_was_ready_is_started_again(when: str, how: str, code: int) -> None:
    """What makes no sense from the beginning makes none the next time."""
    result = subprocess.run(
        [sys.executable, "-c", FAILS, when, how],
        capture_output=True,
        text=True,
        timeout=DEADLINE,
        check=False,
    )
    assert int(result.stdout) == code
    assert ("is started again" in result.stderr) is (when == "ready")


def test_without_a_supervisor_it_stays_away(plugin: Plugin) -> None:
    """The control."""
    with served(plugin) as bridge:
        os.kill(bridge.process.pid, signal.SIGABRT)
        assert bridge.process.wait(DEADLINE) == -signal.SIGABRT
