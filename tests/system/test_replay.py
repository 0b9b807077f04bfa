"""``faustwire replay`` as a person uses it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest

from bridges import DEADLINE, Plugin, eventually, served
from recordings import record
from runs import sends, tells
from terminals import terminal


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """Ten calls of two workers, ten seconds long; each but the first is throttled."""
    said = [sends("ab"[n % 2], n // 2 + 1, 0.11 + n / 100, min_interval=60.0) for n in range(20)]
    return record(tmp_path / "run", said, seconds=0.5).folder


def command(*arguments: str | Path) -> list[str]:
    return [sys.executable, "-m", "faustwire_bridge", "replay", *map(str, arguments)]


def test_it_needs_no_torch_and_says_what_became_of_it(
    plugin: Plugin, run: Path, tmp_path: Path
) -> None:
    blocked = tmp_path / "blocked"
    for name in ("torch", "flamo"):
        (blocked / name).mkdir(parents=True)
        (blocked / name / "__init__.py").write_text("raise ImportError('blocked')")
    path = os.pathsep.join([str(blocked), os.environ.get("PYTHONPATH", "")])
    with served(plugin) as bridge:
        ended = subprocess.run(
            command(run, "--endpoint", bridge.endpoint, "--as-fast-as-possible", "--json"),
            env={**os.environ, "PYTHONPATH": path},
            capture_output=True,
            text=True,
            timeout=DEADLINE,
            check=True,
        )
    assert json.loads(ended.stdout) == {
        "sent": 20,
        "reasons": {"published": 1, "min-interval": 19},
        "damage": [],
    }
    assert "20 states sent: 19 min-interval, 1 published" in ended.stderr


def test_what_was_published_is_heard_again_faster_with_one_option(
    plugin: Plugin, tmp_path: Path
) -> None:
    said = [
        one
        for n in range(1, 5)
        for one in (
            sends("a", n, n / 100, min_interval=60.0),
            *([tells(n, "published", "a", n, compile_seconds=5.0)] if n % 2 else []),
        )
    ]
    run = record(tmp_path / "run", said, seconds=2.0).folder
    with served(plugin) as bridge:
        where = ["--endpoint", bridge.endpoint, "--json"]
        ended = [
            subprocess.run(
                command(run, *option, *where),
                capture_output=True,
                text=True,
                timeout=DEADLINE,
                check=True,
            )
            for option in (["--published", "100", "--force"], ["--published", "100"])
        ]
    assert json.loads(ended[0].stdout)["reasons"] == {"published": 2}
    assert "would be heard" not in ended[0].stderr
    assert ended[1].stderr.startswith("about 1 of 2 published would be heard at ×100")


def test_without_an_endpoint_a_bridge_is_started_and_left(plugin: Plugin, run: Path) -> None:
    paths = ["--dsp-path", str(plugin.dsp_path), "--config-path", str(plugin.config_path)]
    subprocess.run(
        command(run, *paths, "--step", "3", "--worker", "b"), timeout=DEADLINE, check=True
    )
    assert "0.16" in plugin.program()
    assert plugin.bridge_pid() is not None


def test_a_recording_that_was_killed_is_played_and_what_is_missing_told(
    plugin: Plugin, tmp_path: Path
) -> None:
    said = [sends("a", n + 1, n / 100, min_interval=0.0) for n in range(100)]
    folder = record(tmp_path / "run", said, seconds=0.1, close=False).folder
    (file,) = folder.glob("*.mcap")
    file.write_bytes(file.read_bytes()[:-300])
    with served(plugin) as bridge:
        ended = subprocess.run(
            command(file, "--endpoint", bridge.endpoint, "--as-fast-as-possible", "--json"),
            capture_output=True,
            text=True,
            timeout=DEADLINE,
            check=True,
        )
    summary = json.loads(ended.stdout)
    assert 80 < summary["sent"] < 100
    assert summary["damage"]
    assert "damaged: " in ended.stderr


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["nothing.mcap"], 64, "No such file"),
        ([__file__], 64, "is no MCAP file"),
        (["RUN", "--from", "soon"], 64, "not a place in a recording"),
        (["RUN", "--step", "99"], 64, "call 99 of any worker is not recorded"),
        (["RUN", "--speed", "0"], 2, "not a number above 0"),
        (["RUN", "--endpoint", "tcp://127.0.0.1:9", "--timeout", "0.5"], 69, "no bridge answers"),
        (["RUN", "--speed", "2", "--published", "2"], 2, "not allowed with argument --speed"),
    ],
)
def test_what_is_wrong_is_said_in_a_line(
    run: Path, tmp_path: Path, arguments: list[str], code: int, said: str
) -> None:
    arguments = [str(run) if argument == "RUN" else argument for argument in arguments]
    ended = subprocess.run(
        command(*arguments),
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=DEADLINE,
        check=False,
    )
    assert ended.returncode == code, ended.stderr
    assert said in ended.stderr
    assert "Traceback" not in ended.stderr


def test_a_relative_config_path_is_taken_from_where_the_person_stands(
    plugin: Plugin, run: Path
) -> None:
    """The bridge that is started works elsewhere, and once wrote the file into the root folder."""
    name = f"here-{plugin.place.key}.txt"
    paths = ["--dsp-path", "live.dsp", "--config-path", name]
    try:
        subprocess.run(
            command(str(run), *paths, "--step", "1", "--worker", "a"),
            cwd=plugin.folder,
            capture_output=True,
            text=True,
            timeout=DEADLINE,
            check=True,
        )
        assert not Path("/", name).exists()
    finally:
        with suppress(PermissionError):
            Path("/", name).unlink(missing_ok=True)
    first_line = (plugin.folder / name).read_text().splitlines()[0]
    assert first_line == str(plugin.dsp_path.resolve())


# -- in a terminal ------------------------------------------------------------------------------


@pytest.mark.slow
def test_the_keys_of_rosbag2s_player_and_the_way_back(plugin: Plugin, run: Path) -> None:
    with served(plugin) as bridge:
        told = ["replay", str(run), "--endpoint", bridge.endpoint, "--start-paused"]
        with terminal(*told, columns=200) as person:

            def playing(value: str) -> None:
                def plays() -> bool:
                    person.read(0.0)
                    return plugin.dsp_path.exists() and value in plugin.program()

                eventually(plays, f"the plugin has {value}")

            person.until("space pauses")
            person.type("\x1b[C\x1b[C")
            playing("0.12")
            person.type("\x1bOC")
            playing("0.13")
            person.type("\x1b[D\x1b[D")
            playing("0.11")
            person.type("\x1b[A\x1b[A\x1b[B\x1b[B\x1b[B")
            person.until("paused, 0.909×")
            person.type(" ")
            person.until("a call 3")
            person.type(" q")
            person.until("states sent")
            assert person.end() == 0
        eventually(lambda: "left" in bridge.log(), "the bridge is told")


def test_strangers_names_can_do_nothing_to_a_terminal(plugin: Plugin, tmp_path: Path) -> None:
    name = "\x1b]0;mine\x07[red]x[/red]"
    run = record(tmp_path / "run", [sends(name, 1, 0.5)]).folder
    with served(plugin) as bridge:
        with terminal("replay", str(run), "--endpoint", bridge.endpoint, columns=200) as person:
            person.until("[red]x[/red]")
            assert person.end() == 0
            assert b"]0;mine" in person.raw
            assert b"\x1b]0;mine" not in person.raw
        ended = subprocess.run(
            command(run, "--worker", "zoe"), capture_output=True, timeout=DEADLINE, check=False
        )
        assert ended.returncode == 64
        assert b"\x1b" not in ended.stderr


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_leaves_cleanly_when_it_is_interrupted(
    plugin: Plugin, run: Path, number: signal.Signals
) -> None:
    with served(plugin) as bridge:
        process = subprocess.Popen(
            command(run, "--endpoint", bridge.endpoint, "--loop", "--speed", "0.5"),
            stderr=subprocess.PIPE,
            text=True,
        )
        eventually(plugin.dsp_path.exists, "it plays")
        process.send_signal(number)
        _, said = process.communicate(timeout=DEADLINE)
        assert process.returncode == 130
        assert " sent: " in said
        assert "Traceback" not in said
