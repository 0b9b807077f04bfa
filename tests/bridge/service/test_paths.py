"""Paths that are hard on a bridge: it says no before it is ready, or works."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from bridges import DEADLINE, Plugin, alive, served
from core_by_hand import Bridge
from faustwire import codec
from faustwire.messages import Reason
from faustwire_bridge.core.sendable_text import sendable
from peers import peer


def test_a_recordings_folder_may_have_any_name(plugin: Plugin, tmp_path: Path) -> None:
    folder = os.fsdecode(os.fsencode(tmp_path) + b"/r\xff")
    with (
        served(plugin, "--record", folder) as bridge,
        peer(bridge.endpoint, "anna") as anna,
    ):
        assert anna.update(0.5).published
        assert alive(bridge.process.pid)
    assert bridge.process.returncode == 0
    assert list(Path(folder).glob("*.mcap"))


def test_a_problem_that_names_a_file_of_any_name_has_its_verdict() -> None:
    bridge = Bridge()
    bridge.disk_problem = f"Read-only file system: {os.fsdecode(bytes([255]))}"
    verdict = bridge.worker().update(0.5)
    assert verdict.reason is Reason.WRITE_FAILED
    assert "udcff" in verdict.detail
    codec.encode(verdict)


@pytest.mark.parametrize("option", ["--dsp-path", "--config-path"])
def test_a_path_that_cannot_be_written_is_told_before_it_is_ready(
    plugin: Plugin, option: str
) -> None:
    paths = {"--dsp-path": str(plugin.dsp_path), "--config-path": str(plugin.config_path)}
    paths[option] = "/proc/nobody/e.dsp"
    command = [sys.executable, "-m", "faustwire_bridge", "serve", "--print-ready"]
    result = subprocess.run(
        [*command, *(word for pair in paths.items() for word in pair)],
        capture_output=True,
        text=True,
        timeout=DEADLINE,
        check=False,
    )
    assert result.returncode == 64
    assert result.stdout == ""
    assert "/proc/nobody/e.dsp can't be written: No such file or directory" in result.stderr
    assert f"choose another {option}" in result.stderr


@pytest.mark.parametrize(
    ("options", "told"),
    [(["--bind"], "not an endpoint"), (["--follow", "worker"], "can't be the name")],
)
def test_what_is_no_utf8_is_told_before_it_is_ready(
    plugin: Plugin, options: list[str], told: str
) -> None:
    """Such a name ended the bridge when somebody looked at it."""
    odd = os.fsdecode(b"ipc:///tmp/\xff")
    command = [sys.executable, "-m", "faustwire_bridge", "serve", "--print-ready"]
    command += ["--dsp-path", str(plugin.dsp_path), "--config-path", str(plugin.config_path)]
    result = subprocess.run(
        [*command, *options, odd], capture_output=True, text=True, timeout=DEADLINE, check=False
    )
    assert (result.returncode, result.stdout) == (64, "")
    assert told in result.stderr


def test_a_folder_of_keys_may_have_any_name(tmp_path: Path) -> None:
    folder = os.fsdecode(os.fsencode(tmp_path) + b"/k\xff")
    for words in (["keys"], ["keys", "list"], ["keys", "enrol", "anna", "ab" * 32]):
        result = subprocess.run(
            [sys.executable, "-m", "faustwire_bridge", *words, "--keys", folder],
            capture_output=True,
            text=True,
            timeout=DEADLINE,
            check=False,
        )
        assert result.returncode == 0, result.stderr


def test_text_is_made_fit_for_a_message() -> None:
    assert sendable("plain ä") == "plain ä"
    assert sendable(os.fsdecode(b"r\xff")) == "r\\udcff"
    assert len(sendable("\udcff" * 5000)) == 4096
