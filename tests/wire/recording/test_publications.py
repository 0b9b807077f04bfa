"""Whose call is meant: workers with keys, workers with odd names, namesakes."""

from __future__ import annotations

from pathlib import Path

import msgpack
import pytest

from faustwire import recording
from faustwire.errors import RecordingError
from faustwire.messages import Hello
from faustwire.recording import Recording
from faustwire.recording.calls import find_call
from faustwire.recording.publications import check_names
from recordings import record


def sent(
    name: str, call: int, incarnation: str, user: str | None = None
) -> tuple[recording.Channel, bytes]:
    """A snapshot of a worker, on its channel."""
    body = {"faustwire": 1, "type": "snapshot", "seq": call, "call": call, "graph": name}
    peer = f"{user}{name}{incarnation}".encode()
    rights = () if user is None else ("publish",)
    channel = recording.of_worker("in", peer, Hello(name, incarnation), user, rights)
    return channel, msgpack.packb(body)


def recorded(folder: Path, *items: tuple[recording.Channel, bytes]) -> Recording:
    return Recording(record(folder, items).folder)


@pytest.mark.parametrize("asked", [None, "anna/hall", "hall", "anna/hall#3f", "hall#3f9a"])
def test_a_call_of_a_worker_with_a_key_is_found(tmp_path: Path, asked: str | None) -> None:
    items = [sent("hall", call, "3f9a", "anna") for call in (1, 2, 3)]
    found = recorded(tmp_path, *items)
    assert find_call(found, 2, [asked] if asked else []).data == items[1][1]
    assert found.find(2, "anna/hall") == find_call(found, 2, [asked] if asked else [])


@pytest.mark.parametrize("asked", [None, "lr#3", "lr#3#9c"])
def test_a_call_of_a_worker_with_a_hash_in_its_name_is_found(
    tmp_path: Path, asked: str | None
) -> None:
    items = [sent("lr#3", call, "9c41") for call in (1, 2, 3)]
    found = recorded(tmp_path, *items)
    assert find_call(found, 2, [asked] if asked else []).data == items[1][1]
    assert found.find(2, "lr#3") == find_call(found, 2, [asked] if asked else [])


def test_users_with_workers_of_one_name_are_told_apart(tmp_path: Path) -> None:
    anna, bert = sent("hall", 1, "11aa", "anna"), sent("hall", 1, "22bb", "bert")
    found = recorded(tmp_path, anna, bert)
    assert find_call(found, 1, ["bert/hall"]) == found.find(1, "bert/hall")
    assert find_call(found, 1, ["bert/hall"]).metadata["user"] == "bert"
    with pytest.raises(RecordingError, match="of anna/hall#11aa, bert/hall#22bb: say of which"):
        find_call(found, 1, ["hall"])
    with pytest.raises(RecordingError, match="there are: anna/hall, bert/hall"):
        check_names(found, ["carl/hall"])


def test_namesakes_whose_incarnations_begin_alike_stay_two(tmp_path: Path) -> None:
    found = recorded(tmp_path, sent("hall", 1, "3f9a0"), sent("hall", 1, "3f9a1"))
    with pytest.raises(RecordingError, match="say of which --worker"):
        find_call(found, 1, ["hall"])
    assert find_call(found, 1, ["hall#3f9a1"]).metadata["incarnation"] == "3f9a1"
