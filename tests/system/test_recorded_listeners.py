"""What those who listen asked and heard stands in a recording, and changes no decision."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgpack
import pytest
import zmq

from bridges import Plugin, served
from faustwire import codec
from faustwire.messages import Heard, Listen, Reason, Snapshot, Verdict
from faustwire.recording import Item, Recording
from faustwire_bridge.recordings.offline import decide_again
from graphs import fdn
from peers import Peer, peer

_DEADLINE_MS = 10_000
RUN = "anna-1"


@contextmanager
def _listener(endpoint: str) -> Iterator[zmq.Socket[bytes]]:
    with zmq.Context() as context, context.socket(zmq.DEALER) as socket:
        socket.linger = 0
        socket.connect(endpoint)
        yield socket


def _hear(listener: zmq.Socket[bytes], after: int) -> Heard:
    listener.send(codec.encode(Listen(RUN, after)))
    assert listener.poll(_DEADLINE_MS), "nothing is heard"
    heard = codec.decode(listener.recv())
    assert isinstance(heard, Heard)
    return heard


def _send(worker: Peer, call: int) -> Verdict:
    verdict = worker.ask(Snapshot(call, call, 48_000.0, fdn(8, seed=call)))
    assert isinstance(verdict, Verdict)
    return verdict


def _strangers(items: list[Item], topic: str) -> list[dict[str, Any]]:
    """Messages of connections without a hello, unpacked."""
    mine = [item for item in items if item.topic == topic and "incarnation" not in item.metadata]
    return [msgpack.unpackb(item.data) for item in mine]


@pytest.mark.parametrize("kept", [(), ("--record-published",)], ids=["all", "published"])
def test_what_was_asked_and_heard_is_recorded_once_without_the_snapshot(
    plugin: Plugin, tmp_path: Path, kept: tuple[str, ...]
) -> None:
    run = tmp_path / "run"
    with (
        served(plugin, "--no-compile-gate", "--record", str(run), *kept) as bridge,
        peer(bridge.endpoint, "anna") as anna,
        _listener(bridge.endpoint) as ear,
    ):
        assert _send(anna, 1).reason is Reason.PUBLISHED
        heard = _hear(ear, 0)
        assert _send(anna, 2).reason is Reason.PUBLISHED
        assert _hear(ear, 1).call == 2
    read = Recording(run)
    items = list(read)
    assert read.damage == []
    assert [asked["heard_call"] for asked in _strangers(items, "in")] == [0, 1]
    told = _strangers(items, "out")
    assert [(each["call"], each["snapshot"]) for each in told] == [(1, b""), (2, b"")]
    assert told[0]["left_out"] == len(heard.snapshot) > 1000
    # What was left out stands where it came in.
    source = read.find(1, "anna")
    assert source is not None
    assert source.data == heard.snapshot
    # It reads as the message that it is, by old rules too, and each has its time.
    (first, _) = (
        item for item in items if item.topic == "out" and "incarnation" not in item.metadata
    )
    message = codec.decode(first.data)
    assert isinstance(message, Heard)
    assert (message.call, message.margin_db) == (1, heard.margin_db)
    assert [item.at_ns for item in items] == sorted(item.at_ns for item in items)
    outcome = decide_again([run], tmp_path / "again")
    assert outcome.differences == []
    assert len(outcome.programs) == 2
    assert [note for note in outcome.notes if "only what was published" not in note] == []
