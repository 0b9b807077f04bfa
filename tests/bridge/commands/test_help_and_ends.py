"""Every command tells its exit codes, and ends without a traceback at a Ctrl-C."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from email.message import Message
from pathlib import Path

import pytest

from bridges import DEADLINE
from faustwire_bridge.cli import main
from faustwire_bridge.commands import help_text
from recordings import record, snapshot

COMMANDS = ("serve", "status", "watch", "follow", "doctor", "replay", "inspect", "export", "keys",
            "compile", "completion", "listen", "keys enrol", "keys forget")  # fmt: skip


@pytest.mark.parametrize("command", COMMANDS)
def test_help_tells_the_exit_codes_and_where_the_documentation_is(
    command: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    said = Message()
    said["Project-URL"] = "Homepage, https://example.org/home"
    said["Project-URL"] = "Documentation, https://example.org/docs"
    monkeypatch.setattr(help_text, "metadata", lambda _: said)
    help_text.documentation.cache_clear()
    try:
        with pytest.raises(SystemExit):
            main([*command.split(), "--help"])
    finally:
        help_text.documentation.cache_clear()
    text = " ".join(capsys.readouterr().out.split())
    assert "Documentation: https://example.org/docs" in text
    assert "Exit codes: 0 " in text
    assert "; 64 a value or a file" in text


@pytest.mark.parametrize("command", ["inspect", "listen", "replay", "replay --offline out"])
def test_a_recording_that_is_not_there_is_named_in_words(command: str, tmp_path: Path) -> None:
    missing = str(tmp_path / "gone.mcap")
    process = begun(*command.split(), missing)
    _, said = process.communicate(timeout=DEADLINE)
    assert process.returncode == 64
    assert missing in said
    assert "No such file" in said
    assert "Errno" not in said


@pytest.mark.parametrize(("host", "warns"), [("127.0.0.1", False), ("::", True)])
def test_a_page_that_other_machines_can_open_says_so(
    host: str, warns: bool, tmp_path: Path
) -> None:
    where = ("--bind", host, "--port", "0", "--no-browser")
    process = begun("listen", *where, str(one_call(tmp_path)))
    assert process.stdout is not None
    assert "listen at http://" in process.stdout.readline()
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=DEADLINE)
    assert ("other machines can open this page" in said) is warns


@pytest.mark.parametrize("value", ["loud", "nan", "inf", "1e999"])
@pytest.mark.parametrize(
    "option", ["--max-gain-db", "--max-jump-db", "--max-load", "--min-change-db", "--record-age"]
)
def test_what_is_no_number_is_said_in_words(
    option: str, value: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["serve", option, value])
    assert ended.value.code == 2
    assert f"argument {option}: {value!r} is not a number" in capsys.readouterr().err


@pytest.mark.parametrize("command", ["status", "follow", "watch", "doctor", "replay"])
def test_ctrl_c_while_a_bridge_is_asked_leaves_no_traceback(command: str, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        silent.settimeout(DEADLINE)
        at = f"tcp://127.0.0.1:{silent.getsockname()[1]}"
        files = [str(one_call(tmp_path))] if command == "replay" else []
        words = ["best", "loss"] if command == "follow" else []
        arguments = [*files, *words, "--endpoint", at, "--timeout", "30"]
        process = begun(command, *arguments)
        connection, _ = silent.accept()
        with connection:
            interrupted(process, code=0 if command == "watch" else 130)


@pytest.mark.parametrize("command", ["inspect", "export", "compile"])
def test_ctrl_c_while_a_file_is_read_leaves_no_traceback(command: str, tmp_path: Path) -> None:
    pipe = tmp_path / "run.mcap"
    os.mkfifo(pipe)
    options = ["--step", "1", "-o", "out.dsp"] if command == "export" else []
    process = begun(command, str(pipe), *options)
    with pipe.open("wb"):  # Opens when the other side does, which then reads.
        interrupted(process, code=130)


def begun(*arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "faustwire_bridge", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def interrupted(process: subprocess.Popen[str], *, code: int) -> None:
    process.send_signal(signal.SIGINT)
    try:
        _, told = process.communicate(timeout=DEADLINE)
    finally:
        process.kill()
    assert process.returncode == code, told
    assert "Traceback" not in told


def one_call(folder: Path) -> Path:
    channel, data = snapshot(0)
    return record(folder / "run", [(channel, data)]).folder


def test_enrolling_a_key_tells_which_rights_it_lacks(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    at = ["--keys", str(tmp_path / "keys")]
    assert main(["keys", "enrol", "anna", "ab" * 32, *at]) == 0
    assert (
        "may now publish (not watch or steer or text: --rights publish" in capsys.readouterr().out
    )
