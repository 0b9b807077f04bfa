"""A call by its number, the last one, or the best by a metric."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import msgpack
import pytest

from faustwire.errors import RecordingError
from faustwire.header import read_header
from faustwire.recording import Channel, Recording
from faustwire.recording.calls import find_call
from recordings import record, worker


def sent(name: str, call: int, metrics: Mapping[str, float]) -> tuple[Channel, bytes]:
    body = {"faustwire": 1, "type": "snapshot", "seq": call, "call": call, "metrics": dict(metrics)}
    return worker(name), msgpack.packb(body)


@pytest.fixture
def found(tmp_path: Path) -> Recording:
    nan = float("nan")
    items = [
        sent("a", 1, {"loss": 3.0}),
        sent("b", 1, {"loss": 9.0, "sdr": 1.0}),
        sent("a", 2, {"loss": 0.5}),
        sent("b", 2, {"loss": 0.25, "sdr": 7.0}),
        sent("a", 3, {"loss": nan}),
        sent("b", 3, {"loss": 0.25, "sdr": nan}),
        sent("a", 4, {"loss": 2.0}),
    ]
    return Recording(record(tmp_path, items).folder)


@pytest.mark.parametrize(
    ("named", "workers", "wanted"),
    [
        ("last", [], ("a", 4)),
        ("last", ["b"], ("b", 3)),
        ("best", ["a"], ("a", 2)),
        ("best:loss", [], ("b", 2)),
        ("best:sdr:larger", [], ("b", 2)),
        ("best:loss:larger", ["a"], ("a", 1)),
        ("4", [], ("a", 4)),
    ],
)
def test_a_call_is_found_by_what_people_call_it(
    found: Recording, named: str, workers: list[str], wanted: tuple[str, int]
) -> None:
    item = find_call(found, named, workers)
    header = read_header(item.data)
    assert header is not None
    assert (item.metadata["worker"], header.call) == wanted


@pytest.mark.parametrize(
    ("named", "told"),
    [
        ("best", "there are: loss, sdr"),
        ("best:los", "metric 'los'"),
        ("worst", "write a number"),
        ("0", "write a number"),
        ("2", "say of which --worker"),
        ("9", "call 9 of any worker is not recorded"),
    ],
)
def test_a_name_of_no_call_is_told(found: Recording, named: str, told: str) -> None:
    with pytest.raises(RecordingError, match=told):
        find_call(found, named)
