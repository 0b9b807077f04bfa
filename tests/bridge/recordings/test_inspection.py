"""What is in a recording: tables, plots, and states taken out of it."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import msgpack
import numpy as np
import pytest

from faustwire import codec, recording
from faustwire.config_file import from_json
from faustwire.graph import SOS, Gain
from faustwire.messages import Snapshot
from faustwire.recording import Recording
from faustwire_bridge.cli import main
from faustwire_bridge.recordings.curve import Curve
from faustwire_bridge.recordings.plot import figure, response_db
from faustwire_bridge.recordings.summary import summarise
from faustwire_bridge.recordings.wave_file import read_wave, write_wave
from graph_response import frequency_response
from graphs import fdn
from other_user import give_away
from recordings import record
from runs import channel, says, sends, tells

FROZEN = Path(__file__).parents[2] / "recordings" / "v1" / "every-reason.mcap"
BLESSED = FROZEN.with_suffix("")


def run(*arguments: str | Path) -> int:
    return main([str(argument) for argument in arguments])


# -- inspect ------------------------------------------------------------------------------------


def test_a_table_has_all_that_was_counted(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("inspect", FROZEN, "--json") == 0
    found = json.loads(capsys.readouterr().out)
    ann, bob, cleo, hasty = found["workers"]
    assert (ann["host"], ann["pid"], ann["newest_call"], ann["sources"]) == ("gpu-1", 11, 17, 5)
    assert (ann["published"], bob["published"], cleo["settled"]) == (9, 4, 1)
    assert hasty["reasons"] == {"reload-cost": 1}
    assert ann["reasons"]["unstable"] == 1
    assert sum(worker["published"] for worker in found["workers"]) == len(
        list(BLESSED.glob("*.dsp"))
    )
    assert [node["type"] for node in bob["model"]["nodes"]] == ["gain", "recursion", "gain"]
    assert ann["metrics"]["loss"] == [1.0, 1 / 17]
    assert found["damage"] == []
    assert run("inspect", FROZEN) == 0
    said = capsys.readouterr().out
    assert "process 11 on gpu-1" in said
    assert "4 delays of 441 to 1955 samples" in said
    assert "1 settled" in said


def test_what_is_damaged_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    cut = tmp_path / "cut.mcap"
    cut.write_bytes(FROZEN.read_bytes()[:-3000])
    assert run("inspect", cut) == 0
    assert "damaged: cut.mcap" in capsys.readouterr().out


def test_strangers_names_can_do_nothing_to_a_terminal(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    name = "\x1b[2J[red]x[/red]"
    written = record(tmp_path / "run", [sends(name, 1, 0.5), tells(1, "\x1b]0;x\x07", name, 1)])
    assert run("inspect", written.folder) == 0
    said = capsys.readouterr().out
    assert "\x1b" not in said
    assert "[red]" in said


def test_messages_that_make_no_sense_are_counted(tmp_path: Path) -> None:
    body = {"faustwire": 1, "type": "snapshot", "seq": 1, "call": 1, "metrics": {"a": "b"}}
    said = [
        (channel("a"), b"\xc1"),
        (channel("a"), msgpack.packb(body)),
        (channel("a"), msgpack.packb(body | {"call": "x"})),
        (recording.of_bridge("event"), b"nothing"),
        sends("a", 2, 0.5),
    ]
    found = summarise(Recording(record(tmp_path / "run", said).folder))
    assert found.unreadable == 4
    assert found.accounts["a-1"].snapshots == 3


def test_a_curve_keeps_its_ends_and_is_even() -> None:
    curve: Curve[int] = Curve(16)
    for call in range(1, 1001):
        curve.add(call, call)
    calls = [call for call, _ in curve]
    assert 8 <= len(calls) <= 17
    assert (calls[0], calls[-1]) == (1, 1000)
    assert len(set(np.diff(calls)[:-1])) == 1


def test_a_plot_shows_the_run(tmp_path: Path) -> None:
    assert run("inspect", FROZEN, "--plot", tmp_path / "run.png") == 0
    assert (tmp_path / "run.png").read_bytes().startswith(b"\x89PNG")


def test_a_plot_is_not_led_astray_by_another_users_link(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    shared = tmp_path / "shared"
    shared.mkdir()
    shared.chmod(0o1777)
    (tmp_path / "precious").write_text("precious")
    (shared / "run.png").symlink_to(tmp_path / "precious")
    give_away(monkeypatch, shared / "run.png")
    assert run("inspect", FROZEN, "--plot", shared / "run.png") == 64
    assert "the link" in capsys.readouterr().err
    assert (tmp_path / "precious").read_text() == "precious"


def test_a_worker_that_never_published_is_drawn_from_what_it_sent(tmp_path: Path) -> None:
    loop = fdn()
    said = [
        says("quiet", Snapshot(call, call, 48000.0, loop, metrics={"loss": 1 / call}))
        for call in range(1, 40)
    ]
    found = summarise(Recording(record(tmp_path / "run", said).folder))
    axes: list[Any] = figure(found).axes
    metrics, decay, response = axes
    assert [len(line.get_xdata()) for line in metrics.lines] == [39, 0]
    assert all(seconds > 0 for seconds in decay.lines[0].get_ydata())
    assert len(response.lines) == len(decay.lines[0].get_ydata()) > 6
    assert "sent, none was published" in decay.get_xlabel()
    assert "sent, none was published" in response.get_xlabel()


def test_without_matplotlib_it_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("matplotlib", "matplotlib.figure"):
        monkeypatch.setitem(sys.modules, name, None)
    assert run("inspect", FROZEN, "--plot", tmp_path / "run.png") == 64
    assert "pip install 'faustwire[plot]'" in capsys.readouterr().err


def test_the_response_is_the_mean_power_of_each_band() -> None:
    hz, gain_db = response_db(Gain("g", np.array([[2.0]])), 48000.0)
    np.testing.assert_allclose(gain_db, 20 * np.log10(2.0))
    assert 20 < hz[0] < hz[-1] < 24000
    low_pass = SOS("low", np.array([[0.1, 0.0, 0.0, 1.0, -0.9, 0.0]])[:, :, None])
    hz, gain_db = response_db(low_pass, 48000.0)
    expected = abs(frequency_response(low_pass, hz, 48000.0)).ravel()
    np.testing.assert_allclose(gain_db, 20 * np.log10(expected), atol=0.2)


# -- export -------------------------------------------------------------------------------------


def test_a_program_is_the_one_that_the_bridge_wrote(tmp_path: Path) -> None:
    output = tmp_path / "out.dsp"
    assert run("export", FROZEN, "--step", "1", "--worker", "bob", "-o", output) == 0
    assert output.read_bytes() == (BLESSED / "000002.dsp").read_bytes()


def test_a_config_compiles_to_the_same_program(tmp_path: Path) -> None:
    config, program = tmp_path / "out.json", tmp_path / "out.dsp"
    assert run("export", FROZEN, "--step", "1", "--worker", "ann", "-o", config) == 0
    assert from_json(json.loads(config.read_text())).name == "run"
    assert run("compile", config, "--channels", "plugin", "-o", program) == 0
    assert program.read_bytes() == (BLESSED / "000001.dsp").read_bytes()


def test_a_sound_is_the_impulse_response_or_what_is_sent_through(tmp_path: Path) -> None:
    output, source = tmp_path / "out.wav", tmp_path / "in.wav"
    chosen: list[str | Path] = ["export", FROZEN, "--step", "8", "--worker", "ann", "-o", output]
    assert run(*chosen, "--seconds", "0.01") == 0
    response, fs = read_wave(output)
    assert (response.shape, fs) == ((2, 480), 48000)
    assert response[0, 0] == 0.25
    write_wave(source, np.array([[0.5, -0.5]]), 48000)
    assert run(*chosen, "--input", source) == 0
    heard, _ = read_wave(output)
    assert heard[0, :3].tolist() == [0.125, -0.125, 0.0]
    assert heard.shape == (2, 2 + 48000), "until it has died away"


def test_a_run_is_heard_from_program_to_program(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    said = []
    for call, value in ((1, 0.25), (2, 0.5), (3, 0.75)):
        said += [sends("a", call, value), tells(call, "published", "a", call)]
    folder = record(tmp_path / "run", said, seconds=0.25).folder
    source, output = tmp_path / "in.wav", tmp_path / "out.wav"
    write_wave(source, np.ones((1, 1000)), 48000)
    assert run("export", folder, "--all", "--input", source, "-o", output) == 0
    assert "3 programs" in capsys.readouterr().out
    heard, _ = read_wave(output)
    assert heard.shape == (2, 48000)
    assert [heard[0, at] for at in (100, 20000, 30000)] == [0.25, 0.25, 0.5]
    assert run("export", folder, "--all", "--seconds", "0.5", "-o", output) == 0
    assert read_wave(output)[0].shape == (2, 24000)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--step", "2", "-o", "x.dsp"], "of ann#ann-, bob#bob-, cleo#cleo: say of which --worker"),
        (["--step", "99", "-o", "x.dsp"], "call 99 of any worker is not recorded"),
        (
            ["--step", "2", "--worker", "zoe", "-o", "x.dsp"],
            "no worker is called 'zoe'; there are: ann, bob, cleo, hasty",
        ),
        (["--step", "16", "-o", "x.mp3"], "ends in .dsp, .json, .wav"),
        (["--all", "-o", "x.dsp"], "a whole run is sound"),
        (["--all", "--worker", "hasty", "-o", "x.wav"], "nothing of these workers was published"),
        (["--all", "--seconds", "1e5", "-o", "x.wav"], "squeeze it with --seconds"),
        (["--step", "16", "--input", str(FROZEN), "-o", "x.wav"], "can't be read as sound"),
    ],
)
def test_what_can_not_be_exported_is_said_in_a_line(
    arguments: list[str],
    said: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run("export", FROZEN, *arguments) == 64
    assert said in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_a_snapshot_comes_back_as_it_was_sent(tmp_path: Path) -> None:
    from faustwire_bridge.recordings.export import snapshot_of

    sent = Snapshot(1, 1, 44100.0, fdn(8), "mine")
    folder = record(tmp_path / "run", [(channel("a"), codec.encode(sent))]).folder
    assert codec.encode(snapshot_of(Recording(folder), 1, "a")) == codec.encode(sent)
