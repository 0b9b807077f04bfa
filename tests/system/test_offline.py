"""A recording decided again gives what the bridge gave."""

from __future__ import annotations

import hashlib
import json
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import pytest

from bridges import DEADLINE, Plugin
from faustwire import codec
from faustwire.messages import Event, Reason, Verdict
from faustwire.recording import Recording
from faustwire_bridge.core import turns
from faustwire_bridge.recordings.comparison import same
from faustwire_bridge.recordings.offline import decide_again
from faustwire_bridge.recordings.outcome import FolderError
from scripted_run import perform, recorded

FROZEN = Path(__file__).parents[1] / "recordings" / "v1"


def written(run: Path) -> list[str]:
    """SHA-256 of the programs that the bridge wrote, by its events."""
    events = [codec.decode(item.data) for item in Recording(run).items(topics={"event"})]
    return [event.program for event in events if isinstance(event, Event) and event.program]


def blessed(name: str) -> list[str]:
    """SHA-256 of the programs of a frozen recording."""
    files = sorted((FROZEN / name).glob("*.dsp"))
    return [hashlib.sha256(file.read_bytes()).hexdigest() for file in files]


class Run(NamedTuple):
    """What was recorded, the verdicts that were given, and the program that was written last."""

    folder: Path
    reasons: list[Reason]
    last: str


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A run that meets every reason, in many files, recorded by the bridge of today."""
    plugin = Plugin(tmp_path_factory.mktemp("plugin"))
    folder = tmp_path_factory.mktemp("recorded") / "run"
    with recorded(plugin, folder, "--record-size", "0.01") as endpoint:
        return Run(folder, perform(plugin, endpoint), plugin.program())


def test_offline_gives_the_verdicts_and_the_bytes_of_live(run: Run, tmp_path: Path) -> None:
    """The whole run; and its second half as far as it goes."""
    assert set(run.reasons) >= {Reason.SUPERSEDED, Reason.WRITE_FAILED, Reason.NOT_FOLLOWED}
    outcome = decide_again([run.folder], tmp_path / "again")
    assert outcome.differences == []
    assert outcome.notes == []
    assert outcome.programs == written(run.folder)
    files = sorted((tmp_path / "again").glob("*.dsp"))
    assert [hashlib.sha256(file.read_bytes()).hexdigest() for file in files] == outcome.programs
    assert files[-1].read_text() == run.last

    parts = sorted(run.folder.glob("*.mcap"))
    assert len(parts) > 2
    half = decide_again(parts[1:], tmp_path / "half")
    assert "begins in the middle (part 2)" in half.notes[0]
    # What it does not know of before the first publish is over by then.
    assert half.programs[-4:] == outcome.programs[-4:]


def test_of_what_was_published_alone_come_the_same_programs(plugin: Plugin, tmp_path: Path) -> None:
    file = tmp_path / "run.mcap"
    with recorded(plugin, file, "--record-published") as endpoint:
        perform(plugin, endpoint)
    outcome = decide_again([file], tmp_path / "again")
    assert outcome.differences == []
    assert outcome.programs == written(file)
    assert len(outcome.programs) > 5


def test_the_same_twice_is_the_same_to_the_byte(tmp_path: Path) -> None:
    for name in ("one", "two", "one"):
        decide_again([FROZEN / "every-reason.mcap"], tmp_path / name)
    one, two = (
        {path.name: path.read_bytes() for path in (tmp_path / name).iterdir()}
        for name in ("one", "two")
    )
    assert one == two


def test_several_recordings_are_decided_one_after_the_other(tmp_path: Path) -> None:
    outcome = decide_again([FROZEN], tmp_path / "both")
    in_time = [path.stem for path in Recording(FROZEN).paths]
    # The text of programs is today's; all verdicts, and what has become of each, are as they were.
    # Of what was recorded without throttled calls only programs are compared: settled or published.
    written_at = r"(?:published|settled) (\S+) \w{12}"
    other_text = re.compile(rf"event \d+, \w+ {written_at}, now {written_at}")
    for line in outcome.differences:
        found = other_text.fullmatch(line)
        assert found is not None, line
        assert found[1] == found[2]
    assert outcome.programs == [program for name in in_time for program in blessed(name)]


def test_a_warning_more_is_no_difference_and_one_less_is() -> None:
    then = Verdict(1, True, Reason.PUBLISHED, warnings=("one",))
    assert same(replace(then, warnings=("more", "one")), then)
    assert not same(replace(then, warnings=()), then)
    assert not same(replace(then, warnings=("more", "one"), reason=Reason.UNCHANGED), then)


def test_another_decision_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(turns, "turned_down", lambda *_args, **_rest: None)
    outcome = decide_again([FROZEN / "every-reason.mcap"], tmp_path / "again")
    told = "\n".join(outcome.differences)
    assert "ann, message 2: reason min-interval" in told
    assert "now reason published" in told
    assert outcome.differing > 5


def test_a_damaged_recording_is_decided_without_what_is_missing(tmp_path: Path) -> None:
    data = bytearray((FROZEN / "every-reason.mcap").read_bytes())
    data[len(data) // 2] ^= 1
    (tmp_path / "damaged.mcap").write_bytes(data)
    outcome = decide_again([tmp_path / "damaged.mcap"], tmp_path / "again")
    assert any(note.startswith("damaged: ") for note in outcome.notes)
    assert outcome.programs


def test_a_folder_with_anything_else_in_it_is_left_alone(tmp_path: Path) -> None:
    for name in ("000001.dsp", "thesis.txt"):
        folder = tmp_path / name
        folder.mkdir()
        (folder / name).write_text("mine")
        with pytest.raises(FolderError, match=name):
            decide_again([FROZEN / "every-reason.mcap"], folder)
        assert (folder / name).read_text() == "mine"


def test_the_command_tells_how_it_went(run: Run, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "faustwire_bridge", "replay", str(run.folder)]
    command += ["--offline", "out"]
    ended = subprocess.run(
        command, cwd=tmp_path, capture_output=True, text=True, timeout=DEADLINE, check=True
    )
    assert ended.stdout.endswith(" programs in out: as recorded\n")
    ended = subprocess.run(
        [*command, "--json"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=DEADLINE,
        check=True,
    )
    assert json.loads(ended.stdout)["differing"] == 0
