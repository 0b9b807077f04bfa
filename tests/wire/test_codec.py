"""Bytes to messages and back; what is not well-formed is refused, cheaply and with a reason."""

from __future__ import annotations

import tracemalloc
from contextlib import suppress
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import msgpack
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from faustwire import codec, graph_codec, messages
from faustwire.controls import sliders
from faustwire.errors import MessageError
from faustwire.messages import Due, Hello, Message, OwnProgram, Reason, Snapshot, Verdict, Welcome
from graphs import fdn, gain

FIXTURES = Path(__file__).parent / "messages-v1"
EVENT = messages.Event(
    3, 11.5, "published", "/plugins/live.dsp", "anna", "f00d", 41, None, "ab" * 32, 0.05
)
EXAMPLES: dict[str, Message] = {
    "hello": Hello("anna", "f00d", host="box", pid=7, every=2, min_interval=0.25),
    "snapshot": Snapshot(
        3,
        9,
        48000.0,
        fdn(2),
        name="Hall",
        force=True,
        controls=sliders({"rt60": {"init": 2, "max": 5}, "dry_wet": True}),
        metrics={"loss": 0.5},
    ),
    "source": OwnProgram(4, "process = _,_;"),
    "ping": messages.Ping(),
    "bye": messages.Bye(),
    "welcome": Welcome(7, "studio", "/plugins/live.dsp"),
    "verdict": Verdict(3, True, Reason.PUBLISHED, "ok", ("a warning",), Due(11, 2, 0.5)),
    "verdict-measured": Verdict(
        4,
        False,
        Reason.RELOAD_COST,
        due=Due(11, 2, 0.5, Reason.RELOAD_COST),
        compile_seconds=0.05,
        peak_db=12.5,
        margin_db=0.5,
        rt60_seconds=2.5,
    ),
    "pong": messages.Pong(),
    "rejection": messages.Rejection("say hello"),
    "follow": messages.Follow(messages.Choice("best", "snr", larger=True)),
    "steered": messages.Steered("the plugin follows best snr larger"),
    "watch": messages.Watch(7),
    "listen": messages.Listen("f00d", 40),
    "heard": messages.Heard("f00d", 41, Reason.UNCHANGED, "", 0.5, 2.5, b"\x81\xa0\x00"),
    "event": EVENT,
    "state": messages.State(
        7,
        12.5,
        9,
        "studio",
        "/plugins/live.dsp",
        "/recordings",
        messages.Choice("worker", "anna"),
        "anna",
        "f00d",
        41,
        3,
        11.5,
        0.05,
        (
            messages.WorkerState(
                *("anna", "f00d", "box", 7, "gpu", True, True, 1.0, 12.25, 41, {"loss": 0.5}),
                *(Reason.PUBLISHED, "", {"published": 3, "every": 38}, 4.5),
            ),
        ),
        (EVENT,),
    ),
}


# What has no truth value, and what has no text: its making recurses too deep.
ARRAY = {"shape": [2], "f4": bytes(8)}
NESTED: list[Any] = []
for _ in range(1000):
    NESTED = [NESTED]


def body(message: Message, **changes: Any) -> dict[str, Any]:
    """A message as the map that msgpack sees, with some of its fields changed."""
    return {**msgpack.unpackb(codec.encode(message)), **changes}


def refused(packed: object) -> str:
    """What decode says about a map, or about bytes."""
    data = packed if isinstance(packed, bytes) else msgpack.packb(packed)
    with pytest.raises(MessageError) as error:
        codec.decode(data)
    return str(error.value)


def arrays(node: dict[str, Any]) -> list[Any]:
    """The arrays of a plain graph, and the places where nodes stand in it."""
    children = [*node.get("nodes", ()), node.get("forward"), node.get("feedback")]
    own = [value for value in node.values() if isinstance(value, np.ndarray)]
    return own + [array for child in children if child for array in arrays(child)]


def same(one: Message, other: Message) -> None:
    assert type(one) is type(other)
    for field in fields(one):
        a, b = getattr(one, field.name), getattr(other, field.name)
        if field.name == "graph":
            one_by_one = zip(
                arrays(graph_codec.to_dicts(a)), arrays(graph_codec.to_dicts(b)), strict=True
            )
            for x, y in one_by_one:
                # The example's orthogonal matrix comes from LAPACK, whose last digit is the
                # machine's; the fixture came from another one.
                np.testing.assert_allclose(x, y, rtol=1e-15, atol=1e-15)
        else:
            assert a == b


@pytest.mark.parametrize("name", EXAMPLES)
def test_every_message_comes_back_as_it_was(name: str) -> None:
    same(codec.decode(codec.encode(EXAMPLES[name])), EXAMPLES[name])


@pytest.mark.parametrize("name", EXAMPLES)
def test_messages_of_version_1_are_understood_for_ever(name: str) -> None:
    """The files were written by the first release; they must never be written again."""
    same(codec.decode((FIXTURES / f"{name}.msgpack").read_bytes()), EXAMPLES[name])


def test_values_cross_without_loss_in_half_the_bytes_where_they_are_float32() -> None:
    single = np.float32(0.1).item()
    for value, kind in ((single, "f4"), (0.1, "f8")):
        message = Snapshot(1, 1, 48000.0, gain(value))
        assert kind in body(message)["graph"]["matrix"]
        decoded = codec.decode(codec.encode(message))
        assert isinstance(decoded, Snapshot)
        assert decoded.graph.matrix[0, 0] == value  # type: ignore[union-attr]


def test_a_message_without_its_optional_fields_has_the_documented_defaults() -> None:
    packed = {"faustwire": 1, "type": "hello", "worker": "anna", "incarnation": "1"}
    assert codec.decode(msgpack.packb(packed)) == Hello("anna", "1", "", 0, 1, 0.5)


def test_unknown_fields_of_a_message_are_ignored_but_not_those_of_a_node() -> None:
    assert codec.decode(msgpack.packb(body(messages.Ping(), mood="good"))) == messages.Ping()
    graph = {"type": "gain", "name": "g", "matrix": [[1.0]], "mood": "good"}
    assert "unknown field 'mood'" in refused(body(EXAMPLES["snapshot"], graph=graph))


def test_nested_lists_stand_for_arrays_too() -> None:
    graph = {"type": "gain", "matrix": [[1, 2], [3, 4]]}
    decoded = codec.decode(msgpack.packb(body(EXAMPLES["snapshot"], graph=graph)))
    assert isinstance(decoded, Snapshot)
    assert decoded.graph.matrix.tolist() == [[1, 2], [3, 4]]  # type: ignore[union-attr]


def test_only_time_can_be_why_later_calls_are_not_due() -> None:
    due = {"call": 1, "every": 1, "after": 0.5, "reason": "refused"}
    assert "not a throttle of time" in refused(body(EXAMPLES["verdict"], due=due))
    assert "unknown reason a list" in refused(body(EXAMPLES["verdict"], reason=NESTED))


def test_another_version_is_refused_with_what_to_do() -> None:
    assert "install the same faustwire" in refused(body(messages.Ping(), faustwire=2))


@pytest.mark.parametrize(
    ("field", "value", "problem"),
    [
        ("type", "shout", "unknown type"),
        ("type", ["ping"], "unknown type"),
        ("seq", -1, "snapshot.seq"),
        ("seq", True, "snapshot.seq"),
        ("call", 0, "snapshot.call"),
        ("call", 1.5, "snapshot.call"),
        ("fs", 0, "sampling rate"),
        ("fs", float("nan"), "sampling rate"),
        ("name", "x" * 257, "snapshot.name"),
        ("name", 3, "snapshot.name"),
        ("force", 1, "snapshot.force"),
        ("controls", {"reverb": True}, "unknown control 'reverb'"),
        ("controls", {"rt60": {"colour": 1}}, "no field 'colour'"),
        ("controls", {"rt60": {"min": float("inf")}}, "min is inf"),
        ("metrics", {"loss": "low"}, "a metric is a number"),
        ("metrics", {str(i): 0 for i in range(65)}, "at most 64"),
        ("graph", None, "a node is a map"),
        ("graph", {"type": "wire"}, "unknown type of node 'wire'"),
        ("graph", {"type": "gain"}, "gain needs matrix"),
        ("graph", {"type": "gain", "matrix": "loud"}, "not an array of numbers"),
        ("graph", {"type": "gain", "matrix": [[1], [2, 3]]}, "ragged"),
        ("graph", {"type": "gain", "matrix": {"shape": [1, 1]}}, "under f4 or f8"),
        ("graph", {"type": "gain", "matrix": {"shape": [-1], "f8": b""}}, "list of sizes"),
        ("graph", {"type": "gain", "matrix": {"shape": [2], "f8": b"x" * 8}}, "8 bytes of f8"),
        ("graph", {"type": "gain", "matrix": {"shape": [1, 1], "f8": b"\xff" * 8}}, "is nan"),
        ("graph", {"type": "series", "nodes": 3}, "nodes is a list"),
        ("graph", {"type": "parallel", "nodes": [], "join": ARRAY}, "join is text"),
        ("graph", {"type": "gain", "name": "x" * 257}, "longer than 256"),
        ("controls", {"rt60": ARRAY}, "true or a map"),
        ("faustwire", ARRAY, "protocol version a ndarray"),
        ("seq", NESTED, "snapshot.seq: a list"),
        ("graph", {"type": "series", "nodes": []}, "without nodes"),
    ],
)
def test_a_field_that_makes_no_sense_is_refused_by_name(
    field: str, value: object, problem: str
) -> None:
    assert problem in refused(body(EXAMPLES["snapshot"], **{field: value}))


def test_a_refused_snapshot_keeps_its_number_so_that_it_can_be_answered() -> None:
    with pytest.raises(MessageError) as error:
        codec.decode(msgpack.packb(body(EXAMPLES["snapshot"], graph={"type": "wire"})))
    assert error.value.seq == 3


@pytest.mark.parametrize("number", [-1, 2**64 - 1, True, 1.0, "3", None])
def test_a_number_that_no_verdict_could_carry_is_none(number: object) -> None:
    with pytest.raises(MessageError) as error:
        codec.decode(msgpack.packb(body(EXAMPLES["snapshot"], graph=None, seq=number)))
    assert error.value.seq is None


def test_the_path_of_the_offending_node_is_quoted() -> None:
    graph = {
        "type": "series",
        "name": "core",
        "nodes": [
            {"type": "gain", "name": "in", "matrix": [[1.0]]},
            {"type": "delay", "name": "taps", "samples": [-2.0]},
        ],
    }
    problem = refused(body(EXAMPLES["snapshot"], graph=graph))
    assert problem == "at core.taps: a delay of -2 samples; it can't be negative"


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\xc1",
        b"\x81",
        b"\xdd\xff\xff\xff\xff",
        b"\xdf\xff\xff\xff\xff",
        b"\xc6\xff\xff\xff\xff",
        b"\x91" * 100_000,
        b"\x81\xa1x" * 100_000,
        msgpack.packb(msgpack.ExtType(5, b"x")),
        msgpack.packb([1]),
        msgpack.packb({"faustwire": 1, "type": "ping"}) + b"\x00",
        b"\x81\xa1\xff\x01",
    ],
)
def test_hostile_bytes_are_refused(data: bytes) -> None:
    refused(data)


def test_a_small_message_cannot_unfold_to_much_memory() -> None:
    """16 MB of empty maps would be a gigabyte of dicts."""
    many = b"\xdd" + (2**16).to_bytes(4, "big") + b"\x80" * 2**16
    bomb = b"\xdd\x00\x00\x00\xf0" + many * 240
    tracemalloc.start()
    try:
        assert "elements" in refused(bomb)
        assert tracemalloc.get_traced_memory()[1] < 64 * 2**20
    finally:
        tracemalloc.stop()


def test_no_room_is_made_for_more_than_a_message_may_hold() -> None:
    """Lists of lists that say they hold 16 million each: 128 MiB a header of 5 bytes."""
    assert "exceeds" in refused(b"\xdd\x00\xff\xff\x00" * 1000 + bytes(2**24 - 5000))


def test_a_message_that_is_too_large_is_refused_on_both_sides() -> None:
    assert "at most" in refused(b"\x00" * (codec.MAX_BYTES + 1))
    with pytest.raises(MessageError, match="at most"):
        codec.encode(OwnProgram(1, "x" * (codec.MAX_BYTES + 1)))


VALID = [codec.encode(message) for message in EXAMPLES.values()]


@settings(max_examples=500, deadline=None)
@given(data=st.data())
def test_a_mutated_message_is_decoded_or_refused_but_never_breaks_decode(
    data: st.DataObject,
) -> None:
    packed = bytearray(data.draw(st.sampled_from(VALID)))
    for _ in range(data.draw(st.integers(1, 8))):
        place = data.draw(st.integers(0, len(packed) - 1))
        packed[place] = data.draw(st.integers(0, 255))
    cut = data.draw(st.integers(0, len(packed)))
    for candidate in (bytes(packed), bytes(packed[:cut])):
        with suppress(MessageError):
            codec.decode(candidate)


def test_a_line_that_is_too_long_is_cut_so_that_its_verdict_arrives() -> None:
    """The path of a node is as long as the names on it."""
    long = "x" * 2 * codec.MAX_TEXT
    verdict = codec.decode(codec.encode(Verdict(1, False, Reason.REFUSED, long, (long,))))
    assert isinstance(verdict, Verdict)
    assert len(verdict.detail) == len(verdict.warnings[0]) == codec.MAX_TEXT


def test_text_that_is_no_unicode_is_refused_before_it_is_sent() -> None:
    with pytest.raises(MessageError, match="can't be sent"):
        codec.encode(OwnProgram(1, "\ud800"))


def test_a_number_that_msgpack_cannot_hold_is_refused_before_it_is_sent() -> None:
    snapshot = EXAMPLES["snapshot"]
    assert isinstance(snapshot, Snapshot)
    with pytest.raises(MessageError, match="more than 64 bits"):
        codec.encode(replace(snapshot, metrics={"loss": 10**400}))
