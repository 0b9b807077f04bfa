"""A few fields of a message, read and replaced."""

from __future__ import annotations

import msgpack
import pytest

from faustwire import codec
from faustwire.errors import MessageError
from faustwire.header import read_fields, with_fields
from faustwire.messages import Snapshot
from graphs import fdn

SNAPSHOT = Snapshot(3, 4, 48000.0, fdn(8), metrics={"loss": 0.5})
DATA = codec.encode(SNAPSHOT)


def test_fields_are_read_without_the_rest() -> None:
    assert read_fields(DATA, "type", "call", "metrics", "nothing") == {
        "type": "snapshot",
        "call": 4,
        "metrics": {"loss": 0.5},
    }


def test_what_is_too_large_to_be_a_field_is_left_out() -> None:
    data = msgpack.packb({"call": 1, "metrics": [[]] * 2**17})
    assert read_fields(data, "call", "metrics") == {"call": 1}


def test_other_values_leave_every_other_byte_as_it_is() -> None:
    assert with_fields(DATA, {"seq": 3, "force": False}) == DATA
    changed = with_fields(DATA, {"seq": 2**40, "force": True})
    message = codec.decode(changed)
    assert isinstance(message, Snapshot)
    assert (message.seq, message.call, message.force) == (2**40, 4, True)
    assert with_fields(changed, {"seq": 3, "force": False}) == DATA


def test_a_field_that_has_its_default_by_being_absent_is_added() -> None:
    body = msgpack.unpackb(DATA)
    del body["force"]
    message = codec.decode(with_fields(msgpack.packb(body), {"force": True}))
    assert isinstance(message, Snapshot)
    assert message.force


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\xc1",
        DATA[:-1],
        msgpack.packb([1]),
        msgpack.packb("text"),
        b"\xdf\xff\xff\xff\xff",
        b"\x81" + b"\x91" * 100_000,
        b"\x81" + b"\x91" * 100_000 + b"\xc0",
        b"\x81\xa4call\xdd\xff\xff\xff\xff",
        b"\x81\xa2\xff\xff\x01",
        b"\x81\xda\xff\xff" + b"x" * 0xFFFF + b"\x01",
    ],
)
def test_what_is_no_message_is_an_error_and_nothing_else(data: bytes) -> None:
    with pytest.raises(MessageError):
        read_fields(data, "call")
    with pytest.raises(MessageError):
        with_fields(data, {"call": 1})
