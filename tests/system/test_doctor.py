"""`faustwire doctor`: every trouble that it knows, made for real, is found and has a way out."""

from __future__ import annotations

import json
import os
import signal
import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from watchdog.events import FileSystemEventHandler
from watchdog.observers import Observer

from bridges import Plugin, served
from faustwire.key_ring import KeyRing
from faustwire_bridge.cli import main
from peers import peer

# Where nothing is to be heard, there is no use in waiting for it.
SOON = ("--timeout", "1")


class Doctor:
    """Runs it, and keeps what it found."""

    def __init__(self, plugin: Plugin, keys: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.paths = ["--dsp-path", str(plugin.dsp_path), "--config-path", str(plugin.config_path)]
        self.keys = KeyRing(keys)
        self._capsys = capsys
        self.found: list[dict[str, str]] = []

    def examine(self, *arguments: str, code: int = 0) -> None:
        options = ["--json", "--timeout", "10", "--keys", str(self.keys.folder), *arguments]
        assert main(["doctor", *options]) == code, self._capsys.readouterr().out
        answer: dict[str, Any] = json.loads(self._capsys.readouterr().out)
        self.found = answer["checks"]
        assert answer["problems"] == sum(each["level"] == "problem" for each in self.found)

    def told(self, check: str, level: str, words: str) -> dict[str, str]:
        """The one finding of a check on some level that has these words."""
        fitting = [each for each in self.found if (each["check"], each["level"]) == (check, level)]
        with_words = [each for each in fitting if words in each["what"]]
        assert len(with_words) == 1, self.found
        return with_words[0]


@pytest.fixture
def doctor(plugin: Plugin, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Doctor:
    return Doctor(plugin, tmp_path / "keys", capsys)


def test_where_nothing_is_wrong_it_says_so(doctor: Doctor, plugin: Plugin) -> None:
    doctor.examine(*doctor.paths)
    doctor.told("packages", "ok", "pyzmq")
    doctor.told("libfaust", "ok", "compiles")
    doctor.told("dsp", "ok", "not there yet")
    doctor.told("bridge", "ok", "no bridge runs")
    doctor.told("keys", "ok", "no keys")
    assert list(plugin.folder.iterdir()) == []
    assert not doctor.keys.folder.exists()


def test_a_bridge_that_runs_is_described(doctor: Doctor, plugin: Plugin) -> None:
    with served(plugin) as bridge, peer(bridge.endpoint, "anna") as anna:
        anna.update(0.5)
        doctor.examine(*doctor.paths, "--endpoint", bridge.endpoint)
        for check in ("bridge", "endpoint"):
            told = doctor.told(check, "ok", "1 worker, plays anna, follows latest")
            assert f"pid {bridge.process.pid}" in told["what"]
        doctor.told("endpoint", "ok", "a bridge answers, in the clear")
        doctor.told("config", "ok", f"names {plugin.dsp_path}")


def test_a_stopped_bridge_is_named(doctor: Doctor, plugin: Plugin) -> None:
    with served(plugin) as bridge:
        bridge.process.send_signal(signal.SIGSTOP)
        doctor.examine(*doctor.paths, *SOON, code=1)
        told = doctor.told("bridge", "problem", "does not answer")
        assert f"kill -CONT {bridge.process.pid}" in told["todo"]
        doctor.examine("--endpoint", bridge.endpoint, *SOON, code=1)
        doctor.told("endpoint", "problem", "says nothing")


def test_what_a_killed_bridge_has_left_is_no_bridge(doctor: Doctor, plugin: Plugin) -> None:
    with served(plugin) as bridge:
        bridge.process.kill()
        bridge.process.wait()
        doctor.examine(*doctor.paths)
        doctor.told("bridge", "ok", "one was killed")


# -- the plugin's files ----------------------------------------------------------------------------


def _empty(plugin: Plugin) -> None:
    plugin.dsp_path.write_text("")


def _broken(plugin: Plugin) -> None:
    plugin.dsp_path.write_text("process = _ : nonsense;\n")


def _link(plugin: Plugin) -> None:
    plugin.dsp_path.symlink_to(plugin.folder / "other.dsp")


def _no_room(plugin: Plugin) -> None:
    # Nobody can make a file there, root included.
    plugin.folder.rmdir()
    plugin.folder.symlink_to("/proc/self")


def _config_for_another(plugin: Plugin) -> None:
    plugin.config_path.write_text("/tmp/other.dsp\n")


def _empty_config(plugin: Plugin) -> None:
    plugin.config_path.write_text("\n")


def _config_with_a_link(plugin: Plugin) -> None:
    link = plugin.folder / "link.dsp"
    link.symlink_to(plugin.dsp_path)
    plugin.config_path.write_text(f"{link}\n")


@pytest.mark.parametrize(
    ("spoil", "found"),
    [
        (_empty, ("dsp", "problem", "takes its DAW down")),
        (_broken, ("dsp", "problem", "does not compile, and a plugin that loads it")),
        (_link, ("dsp", "ok", "leads to")),
        (_no_room, ("dsp", "problem", "can't be written to")),
        (_config_for_another, ("config", "warning", "that is what the plugin plays")),
        (_empty_config, ("config", "warning", "is empty")),
        (_config_with_a_link, ("config", "warning", "does not notice")),
    ],
)
def test_the_plugins_files_are_looked_at(
    spoil: Callable[[Plugin], None], found: tuple[str, str, str], doctor: Doctor, plugin: Plugin
) -> None:
    spoil(plugin)
    doctor.examine(*doctor.paths, code=int("problem" in found))
    assert bool(doctor.told(*found)["todo"]) is ("ok" not in found)


@pytest.mark.skipif(not Path("/proc/self/fdinfo").is_dir(), reason="told by /proc")
def test_it_tells_whether_a_plugin_watches(doctor: Doctor, plugin: Plugin) -> None:
    plugin.dsp_path.write_text("process = _, _;\n")
    doctor.examine(*doctor.paths)
    doctor.told("dsp", "ok", "no program of this user watches")
    observer = Observer()
    observer.schedule(FileSystemEventHandler(), str(plugin.folder))
    observer.start()
    try:
        doctor.examine(*doctor.paths)
        doctor.told("dsp", "ok", f"(pid {os.getpid()}), perhaps the DAW")
        doctor.told("dsp", "ok", "and compiles")
    finally:
        observer.stop()
        observer.join()


def test_a_folder_is_no_dsp(doctor: Doctor, plugin: Plugin) -> None:
    doctor.examine("--dsp-path", str(plugin.folder), code=1)
    doctor.told("dsp", "problem", "is a directory")
    assert sum(each["level"] == "problem" for each in doctor.found) == 1


# -- an endpoint -----------------------------------------------------------------------------------


@pytest.fixture
def silent() -> Iterator[str]:
    """Something that takes connections and says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"tcp://127.0.0.1:{server.getsockname()[1]}"


@pytest.mark.parametrize(
    ("endpoint", "words", "todo"),
    [
        ("studio:5555", "is not an endpoint", ""),
        ("tcp://no-such-host.invalid:5555", "no address is known", "spelt"),
        ("tcp://127.0.0.1:9", "nobody listens", "faustwire serve"),
        ("ipc:///tmp/faustwire-no-such", "no bridge listens", ""),
    ],
)
def test_the_way_to_a_bridge_is_gone_up_to_what_fails(
    endpoint: str, words: str, todo: str, doctor: Doctor
) -> None:
    doctor.examine("--endpoint", endpoint, code=1)
    assert todo in doctor.told("endpoint", "problem", words)["todo"]
    assert "dsp" not in {each["check"] for each in doctor.found}


def test_a_port_from_which_nothing_comes_back_is_put_down_to_a_firewall(doctor: Doctor) -> None:
    """A queue of connections that is full swallows what comes, as a firewall does."""
    with ExitStack() as stack:
        server = stack.enter_context(socket.socket())
        server.bind(("127.0.0.1", 0))
        server.listen(0)
        for _ in range(4):
            waiting = stack.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(server.getsockname())
        at = f"tcp://127.0.0.1:{server.getsockname()[1]}"
        doctor.examine("--endpoint", at, *SOON, code=1)
        assert "firewall" in doctor.told("endpoint", "problem", "nothing comes back")["todo"]


def test_something_that_is_no_bridge_is_told(doctor: Doctor, silent: str) -> None:
    doctor.examine("--endpoint", silent, *SOON, code=1)
    doctor.told("endpoint", "ok", "takes connections")
    doctor.told("endpoint", "problem", "says nothing")


# -- keys ------------------------------------------------------------------------------------------


def test_keys_are_followed_from_one_end_to_the_other(
    doctor: Doctor, plugin: Plugin, tmp_path: Path
) -> None:
    theirs = KeyRing(tmp_path / "theirs")
    with served(plugin, "--keys", str(theirs.folder)) as bridge:
        at = ("--endpoint", bridge.endpoint)
        doctor.examine(*at, code=1)
        doctor.told("endpoint", "problem", "wants keys")
        doctor.keys.trust(bridge.endpoint, theirs.pair()[0])
        doctor.examine(*at, code=1)
        told = doctor.told("endpoint", "problem", "does not let this machine's key in")
        assert doctor.keys.pair()[0].hex() in told["what"]
        theirs.enrol("me", doctor.keys.pair()[0], frozenset({"publish"}))
        doctor.examine(*at)
        doctor.told("endpoint", "ok", "a bridge answers, encrypted")
        doctor.told("endpoint", "warning", "not enrolled to watch")
        theirs.enrol("me", doctor.keys.pair()[0], frozenset({"publish", "watch"}))
        doctor.examine(*at)
        doctor.told("endpoint", "ok", "0 workers")
        doctor.told("keys", "ok", bridge.endpoint)


def test_what_is_wrong_with_the_files_of_keys_is_told(doctor: Doctor) -> None:
    doctor.keys.pair()
    doctor.keys.enrol("anna", KeyRing(doctor.keys.folder / "x").pair()[0], frozenset({"watch"}))
    with (doctor.keys.folder / "enrolled").open("a") as file:
        file.write("nonsense\n")
    doctor.examine(code=1)
    doctor.told("keys", "ok", "anna (watch)")
    doctor.told("keys", "problem", "line 2")
    (doctor.keys.folder / "secret").chmod(0o644)
    doctor.examine(code=1)
    doctor.told("keys", "problem", "chmod 600")


# -- for people ------------------------------------------------------------------------------------


def test_it_prints_a_line_a_finding_and_what_to_do(
    plugin: Plugin, capsys: pytest.CaptureFixture[str]
) -> None:
    plugin.dsp_path.write_text("")
    assert main(["doctor", "--dsp-path", str(plugin.dsp_path)]) == 1
    text = capsys.readouterr().out
    assert "problem  dsp " in text
    assert f"→ remove it: rm {plugin.dsp_path}" in text
