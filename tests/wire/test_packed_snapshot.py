"""What the bridge reads of a snapshot: its header, never its graph."""

from __future__ import annotations

import sys
import time
import tracemalloc
from collections.abc import Callable
from typing import Any

import msgpack
import pytest

from faustwire import codec
from faustwire.errors import MessageError
from faustwire.messages import (
    Bye,
    Choice,
    Follow,
    Hello,
    Listen,
    Message,
    OwnProgram,
    Ping,
    Reason,
    Snapshot,
    Verdict,
    Watch,
)
from faustwire.packed_snapshot import PackedSnapshot, read
from faustwire.snapshot_reader import SnapshotReader
from graphs import fdn

SNAPSHOT = Snapshot(3, 4, 48000.0, fdn(8), force=True, metrics={"loss": 0.5})
DATA = codec.encode(SNAPSHOT)


def packed(**changes: Any) -> bytes:
    fields: dict[str, Any] = msgpack.unpackb(DATA, strict_map_key=False)
    data: bytes = msgpack.packb({**fields, **changes})
    return data


def test_the_header_is_read_and_the_bytes_are_those_that_came() -> None:
    assert read(DATA) == PackedSnapshot(3, 4, True, {"loss": 0.5}, DATA)


@pytest.mark.parametrize(
    "message",
    [
        Hello("anna", "1", "host", 7, 2, 0.25, settle=True),
        OwnProgram(2, "process = _;" + " " * 2**18),
        Ping(),
        Bye(),
        Follow(Choice("best", "loss", larger=True)),
        Watch(3),
        Listen("1", 4),
    ],
)
def test_other_messages_come_as_the_codec_decodes_them(message: Message) -> None:
    assert read(codec.encode(message)) == message


def test_of_a_type_that_is_given_twice_the_last_one_counts_as_for_the_codec() -> None:
    count, fields = DATA[:1], DATA[1:]
    assert count[0] & 0xF0 == 0x80, "a short map"
    twice = bytes([count[0] + 1]) + msgpack.packb("type") + msgpack.packb("verdict") + fields
    assert isinstance(codec.decode(twice), Snapshot)
    assert read(twice) == PackedSnapshot(3, 4, True, {"loss": 0.5}, twice)


def test_a_graph_is_not_looked_at() -> None:
    came = read(packed(graph={"type": "no such node"}))
    assert isinstance(came, PackedSnapshot)
    with pytest.raises(MessageError, match="no such node"):
        codec.decode(came.data)


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"call": 0}, "not a whole number of at least 1"),
        ({"force": 1}, "neither true nor false"),
        ({"metrics": {"loss": "low"}}, "a metric is a number"),
        ({"metrics": {"loss": {}}}, "a metric is a number"),
        ({"metrics": {str(number): 0.5 for number in range(65)}}, "65 keys; at most 64"),
        ({"metrics": {"loss": [1]}}, "not msgpack: ValueError"),
        ({"call": [1]}, "not msgpack: ValueError"),
        ({"metrics": [[[0] * 1000] * 1000]}, "metrics: .* bytes; at most"),
    ],
)
def test_a_header_that_breaks_a_limit_is_refused_with_its_number(
    changes: dict[str, Any], problem: str
) -> None:
    with pytest.raises(MessageError, match=problem) as refused:
        read(packed(**changes))
    assert refused.value.seq == 3


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\xc1",
        DATA[:-3],
        DATA + b"\0",
        msgpack.packb([1, 2]),
        msgpack.packb({"type": "snapshot"}),
        msgpack.packb({"faustwire": 2, "type": "snapshot", "seq": 1, "call": 1}),
        msgpack.packb({"faustwire": 1, "type": "snapshot", "seq": 1}),
        msgpack.packb({f"field {number}": 0 for number in range(300)}),
        b"\x81" + msgpack.packb("x" * 1000) + b"\0",
        b"\x81\xdd\xff\xff\xff\xff",
    ],
)
def test_what_is_no_message_of_this_version_is_refused(data: bytes) -> None:
    with pytest.raises(MessageError):
        read(data)


def test_what_only_a_bridge_sends_is_refused_unread() -> None:
    with pytest.raises(MessageError, match="a Verdict is sent by the bridge only"):
        read(packed(type="verdict"))


@pytest.mark.parametrize(
    "unknown",
    [
        [[]] * 20_000,
        [{"shape": [1], "f8": b"12345678"}] * 5_000,
        {str(number): number for number in range(20_000)},
    ],
    ids=["lists", "arrays", "keys"],
)
@pytest.mark.parametrize("kind", ["ping", "watch", "snapshot", "source"])
def test_what_is_unknown_is_skipped_and_not_made(kind: str, unknown: object) -> None:
    """To make it takes 30 ms, and a peer can send hundreds of such messages a second."""
    fields = {"faustwire": 1, "seq": 1, "call": 1, "code": "process = _;", "unknown": unknown}
    data = msgpack.packb({**fields, "type": kind})

    def least_seconds(make: Callable[[bytes], object]) -> float:
        taken = []
        for _ in range(3):
            begun = time.thread_time()
            make(data)
            taken.append(time.thread_time() - begun)
        return min(taken)

    assert 2 * least_seconds(read) < least_seconds(msgpack.unpackb)


def test_no_key_is_interned_for_some_pythons_keep_those() -> None:
    """Python 3.12.1 does for as long as it runs, and a peer could send ever new ones."""
    name = f"a metric {time.monotonic_ns()}"
    came = read(packed(metrics={name: 1.0}))
    assert isinstance(came, PackedSnapshot)
    again = f"{name} "[:-1]
    assert sys.intern(again) is again, "nobody has interned it before"
    [made] = msgpack.unpackb(msgpack.packb({f"{name}, too": 1}))
    assert sys.intern(f"{name}, too") is made, "the control: msgpack interns the keys of a map"


def test_nothing_large_is_made_of_what_is_only_skipped() -> None:
    """A list that claims four thousand million elements; nothing behind it."""
    fields = {"faustwire": 1, "type": "snapshot", "seq": 1, "call": 1}
    data = b"\x85" + msgpack.packb(fields)[1:] + msgpack.packb("graph") + b"\xdd\xff\xff\xff\xff"
    with pytest.raises(MessageError):
        read(data)


def test_a_message_takes_little_more_memory_than_it_has_bytes() -> None:
    """A bridge gives large blocks back to the system at once, so that each would be had anew."""
    data = codec.encode(snapshot := Snapshot(1, 1, 48000.0, fdn(16), metrics={"loss": 0.5}))
    reader = SnapshotReader()
    reader.read(data)
    steps: dict[str, Callable[[], object]] = {
        "looked at": lambda: read(data),
        "read": lambda: reader.read(data),
        "answered": lambda: codec.encode(Verdict(1, published=True, reason=Reason.PUBLISHED)),
        "made": lambda: codec.encode(snapshot),
    }
    if msgpack.version < (1, 1):  # its packer has no say in that
        del steps["answered"], steps["made"]
    taken = {}
    for step, take in steps.items():
        tracemalloc.start()
        take()
        taken[step] = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert {step: size for step, size in taken.items() if size > 2**16} == {}
