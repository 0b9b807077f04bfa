"""What is written comes back, whatever happened to it meanwhile, or is told to be missing."""

from __future__ import annotations

from pathlib import Path

import pytest
from mcap.reader import make_reader

from faustwire import recording
from faustwire.messages import Hello
from recordings import START_NS, Written, call_of, record, snapshot, worker

SECOND = 10**9


@pytest.fixture
def written(tmp_path: Path) -> Written:
    """A recording of two workers, half an hour long."""
    return record(tmp_path / "run", [snapshot(n) for n in range(3600)], seconds=0.5)


def test_what_was_written_comes_back_in_order_and_to_the_byte(written: Written) -> None:
    read = recording.Recording(written.folder)
    assert [item[:2] + item[3:] for item in read] == [
        (at_ns, channel.topic, data) for at_ns, channel, data in written.items
    ]
    assert read.damage == []
    assert read.start_ns == START_NS
    assert read.end_ns == written.items[-1][0]


def test_any_mcap_tool_opens_it(written: Written) -> None:
    """The library's own reader, which checks the CRCs and goes by the index."""
    (path,) = written.paths
    with path.open("rb") as file:
        reader = make_reader(file, validate_crcs=True)
        read = list(reader.iter_messages(topics=["in"]))
        assert [message.data for _, _, message in read] == [item[2] for item in written.items]
        assert {channel.message_encoding for _, channel, _ in read} == {"msgpack"}
        assert reader.get_header().profile == "faustwire"
        names = {record.name: record.metadata for record in reader.iter_metadata()}
        assert names["faustwire"]["libfaust"] == "2.81"


def test_channels_say_all_that_a_hello_said(tmp_path: Path) -> None:
    hello = Hello("run-7", "abc", "box\udcff", 12, every=3, min_interval=0.1, settle=True)
    channel = recording.of_worker(recording.IN, b"\0\1", hello, "ann", ["watch", "publish"])
    record(tmp_path / "run", [(channel, b"x")])
    (item,) = recording.Recording(tmp_path / "run")
    assert recording.hello(item.metadata) == Hello("run-7", "abc", "box?", 12, 3, 0.1, settle=True)
    assert item.metadata["peer"] == "0001"
    assert item.metadata["user"] == "ann"
    assert item.metadata["rights"] == "publish watch"


@pytest.mark.parametrize(
    "lie", [{"every": "0"}, {"pid": "-1"}, {"min_interval": "nan"}, {"every": "x"}]
)
def test_a_hello_that_makes_no_sense_is_none(lie: dict[str, str]) -> None:
    assert recording.hello({"worker": "a", "incarnation": "b"}) == Hello("a", "b")
    assert recording.hello({"worker": "a", "incarnation": "b", **lie}) is None
    assert recording.hello({"peer": "00"}) is None


def test_a_time_is_found_without_reading_what_lies_before(written: Written) -> None:
    read = recording.Recording(written.folder)
    start_ns, end_ns = START_NS + 700 * SECOND, START_NS + 800 * SECOND
    found = list(read.items(start_ns, end_ns))
    assert [item.data for item in found] == [
        data for at_ns, _, data in written.items if start_ns <= at_ns <= end_ns
    ]


def test_topics_can_be_left_out(tmp_path: Path) -> None:
    channels = [worker("a"), recording.of_bridge("core"), recording.of_bridge("event")]
    record(tmp_path / "run", [(channel, b"x") for channel in channels])
    read = recording.Recording(tmp_path / "run")
    assert [item.topic for item in read.items(topics={"core", "event"})] == ["core", "event"]


@pytest.mark.parametrize("finished", [True, False])
def test_a_call_is_found_by_its_number(tmp_path: Path, *, finished: bool) -> None:
    """Also where nothing was closed, so that there is no index; and over several files."""
    items = [snapshot(n, call=3 * n + 1, size=2000) for n in range(4000)]
    rotation = recording.Rotation(max_bytes=2**21)
    written = record(tmp_path / "run", items, rotation=rotation, close=finished)
    assert len(written.paths) == 4
    read = recording.Recording(written.folder)
    for call in (1, 2, 3001, 3002, 3005, 11998):
        for name, parity in (("a", 0), ("b", 1)):
            wanted = [n for n in range(4000) if n % 2 == parity and 3 * n + 1 >= call]
            item = read.find(call, name)
            assert (item.data if item else None) == (items[wanted[0]][1] if wanted else None)
    item = read.find(5000)
    assert item is not None
    assert call_of(item.data) == 5002
    assert read.find(5000, "a#a") is not None
    assert read.find(5000, "a#nobody") is None
    assert read.find(5000, "nobody") is None
