"""What lies beside the recording that a bridge is writing is left alone."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import pytest

from bridges import DEADLINE
from faustwire import recording
from faustwire_bridge.listen.local_recording import RecordingPlace, recorded_curves
from other_user import give_away
from recordings import START_NS, snapshot


def curves(folder: Path) -> object:
    return recorded_curves(RecordingPlace(str(folder), os.getpid()), lambda: False)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """One in which everybody may create files, with a recording of this process."""
    found = tmp_path / "run"
    said = {"pid": str(os.getpid()), "kept": "all"}
    writer = recording.RecordingWriter(found, START_NS, said)
    writer.write(START_NS, *snapshot(1))
    writer.close()
    found.chmod(0o1777)
    return found


def test_a_pipe_beside_it_keeps_no_page_waiting(folder: Path) -> None:
    assert curves(folder), "the control"
    os.mkfifo(folder / "other.mcap")
    with ThreadPoolExecutor(1) as pool:
        reading = pool.submit(curves, folder)
        try:
            assert reading.result(DEADLINE)
        finally:
            with suppress(OSError):
                os.close(os.open(folder / "other.mcap", os.O_WRONLY | os.O_NONBLOCK))


def test_another_users_file_is_not_taken_for_it(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    give_away(monkeypatch, *folder.glob("*.mcap"))
    assert curves(folder) is None
