"""The stand-in plugin does at the file interface what the real one was measured to do."""

from __future__ import annotations

import json
import os
import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("cyfaust")
pytest.importorskip("watchdog")

from faustwire.rendezvous import rendezvous
from faustwire_bridge.recordings.wave_file import read_wave, write_wave
from faustwire_bridge.service.plugin_files import PluginFiles

STAND_IN = Path(__file__).parents[2] / "examples" / "stand_in_plugin.py"
DEADLINE_SECONDS = 30.0
# Longer than a machine under load keeps an event back; far shorter than the deadline.
SILENCE_SECONDS = 0.4
# Some tens of blocks: what is replaced sooner may be heard by nobody.
HEARD_SECONDS = 0.1
# 85 ms a block: what has to be one reload falls into one block on a busy machine, too.
LARGE_BLOCK = "--block-frames=4096"

GOOD = "process = _,_;"


class Plugin:
    """The program, and the lines it prints."""

    def __init__(self, config: Path, *options: str, cwd: Path) -> None:
        self.process = subprocess.Popen(
            [sys.executable, str(STAND_IN), "--config", str(config), *options],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=cwd,
        )
        self._lines: queue.Queue[dict[str, Any]] = queue.Queue()
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self._lines.put(json.loads(line))

    def next(self) -> dict[str, Any]:
        """The next line, which must come."""
        return self._lines.get(timeout=DEADLINE_SECONDS)

    def expect_silence(self) -> None:
        """No line comes."""
        with pytest.raises(queue.Empty):
            print(self._lines.get(timeout=SILENCE_SECONDS))

    def wait(self) -> int:
        """Its exit code, when it has ended by itself."""
        return self.process.wait(DEADLINE_SECONDS)

    def close(self) -> None:
        """Leave nothing behind."""
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait(DEADLINE_SECONDS)
        self._reader.join(DEADLINE_SECONDS)
        assert self.process.stdout is not None
        assert self.process.stderr is not None
        self.process.stdout.close()
        self.process.stderr.close()


class Files:
    """A config and a `.dsp` in directories of their own, written as the bridge writes them."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.config = root / "config" / "faust-current-dsp.txt"
        self.dsp = root / "live" / "reverb.dsp"
        self.config.parent.mkdir()
        self.dsp.parent.mkdir()

    def write_dsp(self, text: str = GOOD) -> None:
        """Replace the program."""
        replace(self.dsp, text)

    def write_config(self, line: str | None = None) -> None:
        """Replace the config; without a line, it names the `.dsp`."""
        replace(self.config, (line or str(self.dsp)) + "\n")


def replace(path: Path, text: str) -> None:
    temporary = path.with_name(f".{path.name}.tmp")
    temporary.write_text(text)
    temporary.replace(path)


@pytest.fixture
def files(tmp_path: Path) -> Files:
    return Files(tmp_path)


@contextmanager
def running(files: Files, *options: str) -> Iterator[Plugin]:
    """A plugin that has started; what it printed up to `ready` is still to be read."""
    plugin = Plugin(files.config, *options, cwd=files.root)
    try:
        yield plugin
    finally:
        plugin.close()


@contextmanager
def watching(files: Files, *options: str) -> Iterator[Plugin]:
    """A plugin that has loaded the `.dsp` and watches it."""
    files.write_dsp()
    files.write_config()
    with running(files, *options) as plugin:
        assert plugin.next()["event"] == "loaded"
        assert plugin.next() == {
            "event": "ready",
            "config": str(files.config),
            "dsp": str(files.dsp),
        }
        yield plugin


def test_a_replaced_dsp_is_exactly_one_reload(files: Files) -> None:
    """20 of 20, and each record says what was loaded and when."""
    with watching(files) as plugin:
        for number in range(1, 21):
            before = time.monotonic()
            text = f"process = *({number}),_;"
            files.write_dsp(text)
            reload = plugin.next()
            assert reload["event"] == "loaded"
            assert reload["ok"] is True
            assert reload["number"] == number
            assert reload["bytes"] == len(text)
            assert (reload["inputs"], reload["outputs"]) == (2, 2)
            assert before < reload["noticed_monotonic_s"] < reload["monotonic_s"]
            assert reload["compile_ms"] > 0
        plugin.expect_silence()


def test_identical_bytes_are_reloaded(files: Files) -> None:
    """The plugin has no content check."""
    with watching(files) as plugin:
        files.write_dsp()
        first = plugin.next()
        files.write_dsp()
        second = plugin.next()
        assert first["sha256"] == second["sha256"]
        assert first["number"] + 1 == second["number"]


def test_other_files_beside_the_dsp_are_not_noticed(files: Files) -> None:
    """Only the loaded basename counts; reading the `.dsp` is no change."""
    with watching(files) as plugin:
        replace(files.dsp.with_name("other.dsp"), GOOD)
        files.dsp.read_text()
        plugin.expect_silence()


def test_a_config_with_the_same_content_reloads(files: Files) -> None:
    """Every write of the config is one more full reload."""
    with watching(files, LARGE_BLOCK) as plugin:
        files.write_config()
        assert plugin.next()["event"] == "loaded"
        files.config.write_text(files.config.read_text())
        assert plugin.next()["event"] == "loaded"
        plugin.expect_silence()


def test_only_the_first_line_of_the_config_counts_trimmed(files: Files) -> None:
    """The other lines are the user's."""
    files.write_dsp()
    files.write_config(f"  \t{files.dsp} \r\n/nowhere/else.dsp")
    with running(files) as plugin:
        assert plugin.next()["path"] == str(files.dsp)


def test_dsp_and_config_back_to_back_are_one_reload(files: Files) -> None:
    """The flag is looked at once an audio block."""
    with watching(files, LARGE_BLOCK) as plugin:
        files.write_dsp("process = _,!,0;")
        files.write_config()
        assert plugin.next()["event"] == "loaded"
        plugin.expect_silence()


def test_the_config_switches_to_another_file(files: Files) -> None:
    """From then on that one is watched, and the former is not."""
    with watching(files) as plugin:
        former, files.dsp = files.dsp, files.root / "config" / "other.dsp"
        files.write_dsp()
        files.write_config()
        assert plugin.next()["path"] == str(files.dsp)
        replace(former, GOOD)
        plugin.expect_silence()
        files.write_dsp()
        assert plugin.next()["path"] == str(files.dsp)


@pytest.mark.parametrize("half", ["process = _,", ""], ids=["half-written", "empty"])
def test_a_program_that_does_not_compile_is_a_crash(files: Files, half: str) -> None:
    """Written in place, in two pieces: the DAW is gone before the second."""
    with watching(files) as plugin:
        files.dsp.write_text(half)
        crash = plugin.next()
        assert crash["event"] == "crashed"
        assert crash["ok"] is False
        assert crash["error"]
        assert plugin.wait() == 70
        assert plugin.process.stderr is not None
        assert "CRASHED" in plugin.process.stderr.read()


def test_told_to_survive_it_goes_on_after_a_crash(files: Files) -> None:
    """So that one run can count them."""
    with watching(files, "--survive", LARGE_BLOCK) as plugin:
        files.write_dsp("process = nonsense;")
        assert plugin.next()["event"] == "crashed"
        files.write_dsp()
        assert plugin.next()["event"] == "loaded"


@pytest.mark.parametrize(
    ("program", "event"),
    [
        ("process = 0.5,0.5;", "loaded"),
        ("process = _ <: _,_;", "loaded"),
        ("process = _;", "misfit"),
        ("process = _,_,_ : +,_;", "misfit"),
        ("process = _ <: _,_,_;", "crashed"),
    ],
)
def test_channels(files: Files, program: str, event: str) -> None:
    """Two outputs and at most two inputs fit; more outputs crash, the rest is heard as garbage."""
    with watching(files, "--survive") as plugin:
        files.write_dsp(program)
        reload = plugin.next()
        assert reload["event"] == event
        assert reload["ok"] is (event == "loaded")


def test_a_missing_file_at_reload_is_harmless(files: Files) -> None:
    """It plays on and sees the file come back."""
    with watching(files) as plugin:
        files.dsp.unlink()
        assert plugin.next()["event"] == "missing"
        files.write_dsp()
        assert plugin.next()["event"] == "loaded"


@pytest.mark.parametrize("at_start", [None, "process = nonsense;"], ids=["missing", "refused"])
def test_what_can_not_be_loaded_at_the_start_is_not_watched(
    files: Files, at_start: str | None
) -> None:
    """Made good later, it goes unnoticed until the config is rewritten; the content may be same."""
    if at_start is not None:
        files.write_dsp(at_start)
    files.write_config()
    with running(files, LARGE_BLOCK) as plugin:
        assert plugin.next()["event"] == "fallback"
        assert plugin.next()["dsp"] == ""
        files.write_dsp()
        plugin.expect_silence()
        files.write_config()
        assert plugin.next()["event"] == "loaded"
        files.write_dsp()
        assert plugin.next()["event"] == "loaded"


def test_without_a_config_it_waits_for_one(files: Files) -> None:
    """Nothing is loaded until the first line names something."""
    with running(files) as plugin:
        assert plugin.next()["event"] == "ready"
        files.write_dsp()
        files.write_config()
        assert plugin.next()["event"] == "loaded"


def test_a_config_that_names_a_symlink_misses_the_target(files: Files) -> None:
    """The events carry the target's name."""
    link = files.root / "link.dsp"
    link.symlink_to(files.dsp)
    files.write_dsp()
    files.write_config(str(link))
    with running(files) as plugin:
        assert plugin.next()["event"] == "loaded"
        assert plugin.next()["event"] == "ready"
        files.write_dsp("process = _,0;")
        plugin.expect_silence()


@pytest.mark.skipif(sys.platform != "linux", reason="FSEvents watches names, inotify directories")
def test_a_directory_made_again_is_not_watched(files: Files) -> None:
    """The watch died with the directory; a config rewrite reloads once, but revives nothing."""
    with watching(files, LARGE_BLOCK) as plugin:
        files.dsp.unlink()
        assert plugin.next()["event"] == "missing"
        files.dsp.parent.rmdir()
        files.dsp.parent.mkdir()
        files.write_dsp()
        plugin.expect_silence()
        files.write_config()
        assert plugin.next()["event"] == "loaded"
        files.write_dsp()
        plugin.expect_silence()


@pytest.mark.skipif(sys.platform != "linux", reason="FSEvents watches names, inotify directories")
def test_what_the_bridge_writes_is_heard_again_after_the_directory_was_made_anew(
    files: Files,
) -> None:
    """The control is above: the same path written again revives nothing."""
    written = PluginFiles(rendezvous(files.dsp), files.config)
    with closing(written):
        written.write(GOOD, rewrite_config=False)
        with running(files, LARGE_BLOCK) as plugin:
            assert plugin.next()["event"] == "loaded"
            assert plugin.next()["event"] == "ready"
            for _ in range(2):
                files.dsp.unlink()
                assert plugin.next()["event"] == "missing"
                files.dsp.parent.rmdir()
                written.write(GOOD, rewrite_config=False)
                assert plugin.next()["event"] == "loaded"
                written.write("process = _,0;", rewrite_config=False)
                assert plugin.next()["event"] == "loaded"


def test_a_relative_path_is_taken_from_the_working_directory(files: Files) -> None:
    """As from the DAW's, wherever that is."""
    files.write_dsp()
    files.write_config("live/reverb.dsp")
    with running(files) as plugin:
        assert plugin.next()["event"] == "loaded"
        assert plugin.next()["dsp"] == "live/reverb.dsp"
        files.write_dsp()
        assert plugin.next()["event"] == "loaded"


def test_keep_copies_what_was_loaded(files: Files, tmp_path: Path) -> None:
    """The very bytes, numbered."""
    kept = tmp_path / "kept"
    with watching(files, "--keep", str(kept)) as plugin:
        files.write_dsp("process = _,0;")
        plugin.next()
        files.write_dsp("process = 0,_;")
        plugin.next()
        plugin.process.send_signal(signal.SIGTERM)
        assert plugin.wait() == 0
    texts = [path.read_text() for path in sorted(kept.iterdir())]
    assert texts == [GOOD, "process = _,0;", "process = 0,_;"]


def test_it_tells_what_a_program_takes_to_run(files: Files) -> None:
    """2,400 sines a sample; the control is a wire."""
    with watching(files) as plugin:
        files.write_dsp("process = par(channel, 2, seq(i, 1200, sin));")
        heavy = plugin.next()
        files.write_dsp()
        light = plugin.next()
    assert heavy["cost"] > 0.5
    assert light["cost"] < heavy["cost"] / 10
    for reload in (heavy, light):
        assert 0 <= reload["delivered"] <= reload["blocks"]
    assert light["delivered"] < light["blocks"], "nothing comes while the heavy one compiles"


def test_at_its_end_it_tells_and_writes_what_a_listener_heard(files: Files, tmp_path: Path) -> None:
    sent, heard = tmp_path / "sent.wav", tmp_path / "heard.wav"
    write_wave(sent, np.ones((2, 480)), 48_000)
    with watching(files, "--render", str(heard), "--input", str(sent)) as plugin:
        for program in ("process = *(0.5),*(0.25);", "process = *(0),*(0);"):
            files.write_dsp(program)
            plugin.next()
            time.sleep(HEARD_SECONDS)
        plugin.process.send_signal(signal.SIGTERM)
        ended = plugin.next()
        assert plugin.wait() == 0
    assert ended["event"] == "ended"
    assert 0 < ended["delivered"] <= ended["blocks"]
    audio, fs = read_wave(heard)
    assert fs == 48_000
    assert audio.shape == (2, 128 * ended["blocks"])
    assert audio[:, 0].tolist() == [1.0, 1.0]
    assert [0.5, 0.25] in audio.T.tolist()
    assert audio[:, -1].tolist() == [0.0, 0.0]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_ends_cleanly(files: Files, number: signal.Signals) -> None:
    """Both signals: exit code 0, and nothing on stderr."""
    with watching(files) as plugin:
        plugin.process.send_signal(number)
        assert plugin.wait() == 0
        assert plugin.process.stderr is not None
        assert plugin.process.stderr.read() == ""


def test_a_missing_config_directory_is_an_error(files: Files) -> None:
    """There would be nothing to watch."""
    files.config.parent.rmdir()
    with running(files) as plugin:
        assert plugin.wait() == 1
        assert plugin.process.stderr is not None
        assert os.fspath(files.config) in plugin.process.stderr.read()
