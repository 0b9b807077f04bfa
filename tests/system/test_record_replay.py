"""A run recorded, its bridge killed, and played again: the plugin gets the same programs.

The long form, with real trainings, is ``benchmarks/record_replay.py``.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from bridges import DEADLINE, Plugin, eventually
from faustwire import codec
from faustwire.messages import Event
from faustwire.recording import Recording
from faustwire_bridge.recordings.offline import decide_again
from scripted_run import perform, recorded

# What the scripted run has written.
PROGRAMS = 17


def programs(run: Path) -> list[str]:
    """SHA-256 of what a bridge wrote, by its events."""
    events = [codec.decode(item.data) for item in Recording(run).items(topics={"event"})]
    return [event.program for event in events if isinstance(event, Event) and event.program]


@pytest.fixture
def run(plugin: Plugin, tmp_path: Path) -> Path:
    """A run that meets every reason, recorded by a bridge that was then killed."""
    target = tmp_path / "run"
    with recorded(plugin, target) as endpoint:
        perform(plugin, endpoint)
        eventually(lambda: len(programs(target)) == PROGRAMS, "all of it is on the disk")
        pid = plugin.bridge_pid()
        assert pid is not None
        os.kill(pid, signal.SIGKILL)
    return target


@pytest.mark.slow
def test_what_was_recorded_is_written_again_online_and_offline(
    run: Path, plugin: Plugin, tmp_path: Path
) -> None:
    live = programs(run)
    assert len(live) == PROGRAMS
    outcome = decide_again([run], tmp_path / "offline")
    assert outcome.differences == []
    assert outcome.programs == live
    assert "not closed" in outcome.notes[0]
    command = [
        sys.executable,
        "-m",
        "faustwire_bridge",
        "replay",
        str(run),
        "--follow-verdicts",
        "--force",
    ]
    for number, speed in enumerate((["--speed", "20"], ["--as-fast-as-possible"])):
        plugin.end_bridge()
        again = tmp_path / f"again-{number}"
        with recorded(plugin, again) as endpoint:
            ended = subprocess.run(
                [*command, "--endpoint", endpoint, "--json", *speed],
                stdout=subprocess.PIPE,
                timeout=DEADLINE,
                check=True,
            )
        assert programs(again) == live
        summary = json.loads(ended.stdout)
        assert (summary["sent"], summary["reasons"]) == (PROGRAMS, {"published": PROGRAMS})
