"""Snapshots that are read one after the other are what each of them is by itself."""

from __future__ import annotations

import random
from dataclasses import replace
from itertools import product
from typing import Any

import msgpack
import numpy as np
import pytest

from faustwire import codec
from faustwire.controls import sliders
from faustwire.errors import MessageError
from faustwire.graph import (
    FIR,
    SOS,
    Delay,
    DiagonalGain,
    Gain,
    Householder,
    Leaf,
    Node,
    Parallel,
    Recursion,
    Series,
    leaves,
)
from faustwire.messages import Ping, Snapshot
from faustwire.snapshot_reader import SnapshotReader

FS = 48000.0


def network(draw: np.random.Generator, lines: int = 4) -> Node:
    """Of all types of nodes; the filters and the delays are always the same."""
    sections = np.zeros((2, 6, lines))
    sections[:, 0], sections[:, 3], sections[:, 4] = 0.5, 1.0, -0.25
    matrix = np.float64(np.float32(draw.standard_normal((lines, lines))))
    loop = Recursion(
        "loop",
        Delay("lines", np.arange(7.0, 7 + lines), np.full(lines, 0.1)),
        Series("back", (Gain("mixing", matrix), SOS("filters", sections))),
    )
    gains = draw.standard_normal(lines)
    branches = (DiagonalGain("own", gains), Householder("mirror", gains / np.linalg.norm(gains)))
    return Series(
        "model",
        (
            Gain("into", np.ones((lines, 1))),
            Parallel("both", (loop, Parallel("inner", branches, "sum")), "concatenate"),
            FIR("out", draw.standard_normal((3, 1, 2 * lines))),
        ),
    )


def snapshots(count: int, lines: int = 4) -> list[bytes]:
    draw = np.random.default_rng(lines)
    return [
        codec.encode(
            Snapshot(
                seq,
                3 * seq,
                FS,
                network(draw, lines),
                force=seq % 2 == 0,
                controls=sliders({"rt60": True}),
                metrics={"loss": 1 / seq},
            )
        )
        for seq in range(120, 120 + count)
    ]


def outcome(read: Any, data: bytes) -> bytes | str:
    """What was read, packed again, or why it could not be."""
    try:
        return codec.encode(read(data))
    except MessageError as problem:
        return str(problem)


def test_each_is_read_as_by_itself() -> None:
    reader = SnapshotReader()
    for data in snapshots(20):
        assert codec.encode(reader.read(data)) == data


def test_leaves_with_the_same_numbers_are_the_same_objects() -> None:
    reader = SnapshotReader()
    first, second = (
        {leaf.name: leaf for leaf in leaves(reader.read(data).graph)} for data in snapshots(2)
    )
    assert {name for name in first if first[name] is second[name]} == {"into", "lines", "filters"}


def test_models_in_turn_keep_their_forms() -> None:
    reader = SnapshotReader()
    before: dict[int, Leaf] = {}
    for two in zip(snapshots(4, 3), snapshots(4, 5), strict=True):
        for which, data in enumerate(two):
            snapshot = reader.read(data)
            assert codec.encode(snapshot) == data
            lines = next(leaf for leaf in leaves(snapshot.graph) if leaf.name == "lines")
            assert before.setdefault(which, lines) is lines


@pytest.mark.parametrize("seed", range(4))
def test_what_is_changed_on_the_way_is_read_or_refused_as_by_itself(seed: int) -> None:
    draw = random.Random(seed)  # noqa: S311 - nothing secret
    reader, known = SnapshotReader(), snapshots(3)
    refused = 0
    for _ in range(400):
        data = bytearray(draw.choice(known))
        for _ in range(draw.choice((1, 1, 3))):
            data[draw.randrange(len(data))] = draw.choice((0, 127, 255, draw.randrange(256)))
        expected = outcome(codec.decode, bytes(data))
        refused += isinstance(expected, str)
        assert outcome(reader.read, bytes(data)) == expected
        assert codec.encode(reader.read(known[0])) == known[0]
    assert 20 < refused < 380


def changed(**fields: Any) -> bytes:
    graph = network(np.random.default_rng(1))
    return codec.encode(replace(Snapshot(1, 1, FS, graph), **fields))


def test_values_are_checked_each_time() -> None:
    reader = SnapshotReader()
    good = np.array([[0.5, 0.0], [0.0, 0.5]])

    def loop(samples: list[float], gains: np.ndarray[Any, Any], a0: float) -> bytes:
        sections = np.zeros((1, 6, 2))
        sections[:, 0], sections[:, 3] = 1.0, a0
        forward = Series("ahead", (Delay("late", np.array(samples)), SOS("filter", sections)))
        return codec.encode(Snapshot(1, 1, FS, Recursion("loop", forward, Gain("back", gains))))

    wrong = [
        loop([-1.0, 2.0], good, 1.0),
        loop([1e9, 2.0], good, 1.0),
        loop([0.0, 2.0], good, 1.0),
        loop([1.0, 2.0], np.array([[np.nan, 0.0], [0.0, 0.5]]), 1.0),
        loop([1.0, 2.0], good, 0.5),
    ]
    for data in wrong:
        assert codec.encode(reader.read(loop([1.0, 2.0], good, 1.0)))
        expected = outcome(codec.decode, data)
        assert isinstance(expected, str)
        assert outcome(reader.read, data) == expected


def test_fields_that_come_twice_count_as_for_the_codec() -> None:
    reader, known = SnapshotReader(), changed()
    reader.read(known)
    body = msgpack.unpackb(known)
    for name, value in product(("graph", "type", "seq", "faustwire"), (None, 2, body["graph"])):
        twice = bytearray(known + msgpack.packb(name) + msgpack.packb(value))
        twice[0] += 1
        assert outcome(reader.read, bytes(twice)) == outcome(codec.decode, bytes(twice))


def test_bytes_behind_a_message_are_refused() -> None:
    reader, known = SnapshotReader(), changed()
    reader.read(known)
    assert outcome(reader.read, known + b"\0") == outcome(codec.decode, known + b"\0")


def test_lists_of_numbers_are_read_as_well() -> None:
    body = msgpack.unpackb(changed())
    body["graph"] = {"type": "gain", "name": "g", "matrix": [[1.0, 2.0], [3.0, 4.0]]}
    reader = SnapshotReader()
    for value in (1.0, 5.0):
        body["graph"]["matrix"][0][0] = value
        data = msgpack.packb(body)
        assert outcome(reader.read, data) == outcome(codec.decode, data)


def test_another_message_is_no_snapshot() -> None:
    with pytest.raises(MessageError, match="a snapshot is wanted, not a Ping"):
        SnapshotReader().read(codec.encode(Ping()))
