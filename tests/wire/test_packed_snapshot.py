"""What the bridge reads of a snapshot: its header, never its graph."""

from __future__ import annotations

from typing import Any

import msgpack
import pytest

from faustwire import codec
from faustwire.errors import MessageError
from faustwire.messages import Bye, Hello, Message, OwnProgram, Ping, Snapshot
from faustwire.packed_snapshot import PackedSnapshot, read
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
    "message", [Hello("anna", "1"), OwnProgram(2, "process = _;"), Ping(), Bye()]
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
        ({"metrics": [[[0] * 1000] * 1000]}, "metrics has"),
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


def test_nothing_large_is_made_of_what_is_only_skipped() -> None:
    """A list that claims four thousand million elements; nothing behind it."""
    fields = {"faustwire": 1, "type": "snapshot", "seq": 1, "call": 1}
    data = b"\x85" + msgpack.packb(fields)[1:] + msgpack.packb("graph") + b"\xdd\xff\xff\xff\xff"
    with pytest.raises(MessageError):
        read(data)
