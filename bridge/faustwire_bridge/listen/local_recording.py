"""The recording that a bridge of this machine is writing: steps that nobody has listened to."""

from __future__ import annotations

import glob
import socket
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from faustwire import codec, recording
from faustwire.bridge_state import PUBLISHED
from faustwire.errors import FaustwireError, MessageError
from faustwire.file_path import check_ours
from faustwire.header import read_fields
from faustwire.messages import Event, State, Verdict
from faustwire.recording import Item, RecordedWorker, Recording
from faustwire.recording.publications import recorded_workers
from faustwire_bridge.core.hearing import Hearing, by_verdict
from faustwire_bridge.listen.history import History
from faustwire_bridge.listen.own_judge import OwnJudge
from faustwire_bridge.listen.recorded_steps import numbers_of
from faustwire_bridge.listen.sound import PageSound, Refused, read_sound
from faustwire_bridge.listen.view import MOST_RUNS

# Of a folder; the newest ones.
_MOST_FILES = 256
# What is recorded lies in the file within a second.
_AGAIN_SECONDS = 1.0
# So that all from before somebody watches does, on a busy machine, too.
WRITTEN_SECONDS = 1.5
# A verdict may take as long as a compile; other workers' stand between.
_VERDICT_NS = 60 * 10**9
_MOST_BETWEEN = 4000


class RecordingPlace(NamedTuple):
    """Where a bridge records.

    Attributes:
        path: the file or folder that it was given.
        pid: its process.
    """

    path: str
    pid: int


def place_of(state: State) -> RecordingPlace | None:
    """Where a bridge records, if that is on this machine; None: it is not, or nowhere."""
    here = state.host == socket.gethostname()
    return RecordingPlace(state.recording, state.pid) if here and state.recording else None


class LocalRecording:
    """Finds snapshots in what a bridge has recorded so far; used by one thread."""

    def __init__(self) -> None:
        self._judge = OwnJudge()
        self._place: RecordingPlace | None = None
        self._found: Recording | None = None
        self._opened_at = float("-inf")
        self._workers: dict[str, RecordedWorker] = {}

    def read(self, place: RecordingPlace, run: str, call: int) -> PageSound | Refused | None:
        """Find a snapshot, and whether it may be heard.

        Args:
            place: where the bridge records.
            run: whose.
            call: number of a call; 0: the first.

        Returns:
            That of the call or the next one; None: it is not recorded, or not yet, or can't be
            read.
        """
        try:
            item = self._find(place, run, max(1, call))
            if item is None or self._found is None:
                return None
            number = read_fields(item.data, "call").get("call")
            if not isinstance(number, int):
                return None
            judged = _verdict_on(self._found, item) or self._judge.judge(item.data)
        except (OSError, FaustwireError):
            # A disk that is gone, a file that somebody removes: what was heard is still there.
            return None
        return read_sound(item.data, run, number, judged)

    def close(self) -> None:
        """End the judging process."""
        self._judge.close()

    def _find(self, place: RecordingPlace, run: str, call: int) -> Item | None:
        if place == self._place and (found := self._look(run, call)) is not None:
            return found
        self._open(place)
        return self._look(run, call)

    def _look(self, run: str, call: int) -> Item | None:
        worker = self._workers.get(run)
        return None if worker is None or self._found is None else self._found.find(call, worker)

    def _open(self, place: RecordingPlace) -> None:
        now = time.monotonic()
        if place == self._place and now < self._opened_at + _AGAIN_SECONDS:
            return
        self._place, self._opened_at = place, now
        self._found, self._workers = _files_of(place), {}
        if self._found is not None:
            workers = recorded_workers(self._found)
            self._workers = {worker.hello.incarnation: worker for worker in workers}


def _files_of(place: RecordingPlace) -> Recording | None:
    """All files of the recording that the bridge is writing, if every call is in it."""
    said = {file: metadata for file in _newest(Path(place.path)) if (metadata := _metadata(file))}
    for metadata in reversed(list(said.values())):
        if metadata.get("pid") == str(place.pid) and metadata.get("kept") == "all":
            name = metadata.get("recording")
            return Recording([file for file, its in said.items() if its.get("recording") == name])
    return None


def _newest(path: Path) -> list[Path]:
    """The newest files in the place of a recording, the newest last."""
    pattern = f"{glob.escape(path.stem)}*.mcap" if path.suffix == ".mcap" else "*.mcap"
    folder = path.parent if path.suffix == ".mcap" else path
    # A pipe would never be read to its end.
    found = [file for file in folder.glob(pattern) if file.is_file()]
    return sorted(found, key=lambda file: file.stat().st_mtime)[-_MOST_FILES:]


def _metadata(file: Path) -> Mapping[str, str]:
    try:
        # In /tmp anybody may put a file beside it.
        check_ours(file, "recording", "record")
        return Recording(file).metadata
    except (FaustwireError, OSError):
        return {}


def _verdict_on(found: Recording, snapshot: Item) -> Hearing | None:
    """What the bridge decided about a recorded snapshot; None: it did not judge it."""
    seq = read_fields(snapshot.data, "seq").get("seq")
    run = snapshot.metadata.get("incarnation")
    end = snapshot.at_ns + _VERDICT_NS
    for count, item in enumerate(found.items(snapshot.at_ns, end, {recording.OUT})):
        if count > _MOST_BETWEEN:
            break
        if item.metadata.get("incarnation") != run or read_fields(item.data, "seq") != {"seq": seq}:
            continue
        verdict = codec.decode(item.data)
        return by_verdict(verdict) if isinstance(verdict, Verdict) else None
    return None


def recorded_curves(place: RecordingPlace, stop: Callable[[], bool]) -> dict[str, History] | None:
    """The curves of all runs that a bridge has recorded so far.

    Args:
        place: where it records.
        stop: whether nobody waits for them any more.

    Returns:
        The curves by run; None: not every call is recorded there, or it can't be read.
    """
    curves: dict[str, History] = {}
    try:
        found = _files_of(place)
        if found is None:
            return None
        for item in found.items(topics={recording.IN, recording.EVENT}):
            if stop():
                return None
            with suppress(MessageError):
                (_mark if item.topic == recording.EVENT else _add_row)(curves, item)
    except (OSError, FaustwireError):
        return None
    for curve in curves.values():
        curve.finish()
    return curves


def _mark(curves: dict[str, History], item: Item) -> None:
    event = codec.decode(item.data)
    if not isinstance(event, Event) or event.kind not in PUBLISHED or event.call is None:
        return
    if event.incarnation in curves:
        curves[event.incarnation].mark_published(event.call)


def _add_row(curves: dict[str, History], item: Item) -> None:
    run = item.metadata.get("incarnation")
    seen = read_fields(item.data, "type", "call", "metrics")
    call = seen.get("call")
    if run is None or seen.get("type") != "snapshot" or type(call) is not int:
        return
    if run in curves or len(curves) < MOST_RUNS:
        curves.setdefault(run, History()).add(call, numbers_of(seen.get("metrics")))
