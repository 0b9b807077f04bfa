"""Recordings are data from strangers: a clear error or a count, in bounded memory."""

from __future__ import annotations

import struct
import tracemalloc
import zlib
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

import pytest
import zstandard
from mcap.data_stream import RecordBuilder
from mcap.opcode import Opcode
from mcap.records import Channel, Chunk, ChunkIndex, DataEnd, Footer, Header, Message, Metadata
from mcap.writer import Writer

from faustwire import header, recording
from faustwire.errors import RecordingError
from faustwire.recording import index, layout
from recordings import START_NS, record, snapshot, worker

MIB = 2**20
MARK = b"0123456789abcdef"
SAID = {"format": "1", "recording": "r", "started_ns": "1", "part": "1", "mark": MARK.hex()}
WORKER = worker("a")


class Forged:
    """A file made by somebody who knows the format and lies."""

    def __init__(self, said: dict[str, str] | None = None, profile: str = "faustwire") -> None:
        self.data = bytearray(layout.MAGIC)
        self.summary = RecordBuilder()
        self.add(Header(profile, "forged"))
        self.add(Metadata("faustwire", layout.with_crc(SAID | (said or {}))))

    def add(self, record: Any) -> int:
        """A record as the library writes it; returns where it starts."""
        builder = RecordBuilder()
        record.write(builder)
        self.data += builder.end()  # type: ignore[no-untyped-call]
        return len(self.data)

    def raw(self, opcode: int, body: bytes, length: int | None = None) -> None:
        self.data += struct.pack("<BQ", opcode, len(body) if length is None else length) + body

    def chunk(self, *records: Any, **lies: Any) -> None:
        """A chunk of these records, unless its head says otherwise."""
        builder = RecordBuilder()
        for one in records:
            one.write(builder)
        content = builder.end()  # type: ignore[no-untyped-call]
        said: dict[str, Any] = {
            "compression": "zstd",
            "data": zstandard.compress(content),
            "message_start_time": START_NS,
            "message_end_time": START_NS,
            "uncompressed_crc": zlib.crc32(content),
            "uncompressed_size": len(content),
        }
        self.add(Chunk(**(said | lies)))

    def closed(self, summary: bytes) -> Forged:
        """The end of a file with this summary, its CRC right."""
        self.add(DataEnd(0))
        start = len(self.data)
        self.data += summary
        tail = struct.pack("<BQQQ", Opcode.FOOTER, 20, start, 0)
        self.add(Footer(start, 0, zlib.crc32(tail, zlib.crc32(summary))))
        self.data += layout.MAGIC
        return self

    def read(self, folder: Path) -> tuple[list[bytes], list[str]]:
        """What comes of it, and what is said to be missing; in bounded memory."""
        path = folder / "forged.mcap"
        path.write_bytes(self.data)
        tracemalloc.start()
        try:
            read = recording.Recording(path)
            found = [item.data for item in read]
            list(read.items(START_NS + 1))
            read.find(5)
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        assert peak < 100 * MIB
        return found, [damage.what for damage in read.damage]


def channel(number: int = 1, topic: str = "in", encoding: str = "msgpack", **more: Any) -> Channel:
    metadata = more.get("metadata", WORKER.metadata)
    return Channel(number, topic, encoding, metadata, more.get("schema", 0))


def message(sequence: int = 1, number: int = 1, data: bytes = b"x") -> Message:
    return Message(number, START_NS, data, START_NS, sequence)


def records(*of: Any) -> bytes:
    builder = RecordBuilder()
    for one in of:
        one.write(builder)
    return builder.end()  # type: ignore[no-any-return, no-untyped-call]


@pytest.fixture
def good() -> Forged:
    """One message in one chunk; what follows in the tests is the lie."""
    forged = Forged()
    forged.chunk(channel(), message())
    return forged


def test_the_forger_can_tell_the_truth(good: Forged, tmp_path: Path) -> None:
    """The control: without a lie everything is read."""
    good.chunk(message(2))
    found, told = good.read(tmp_path)
    assert found == [b"x", b"x"]
    assert all("not closed" in line for line in told)


BOMB = zstandard.compress(bytes(1024 * MIB))


@pytest.mark.parametrize(
    ("lies", "told"),
    [
        ({"data": BOMB, "uncompressed_size": 100}, "another size"),
        ({"data": BOMB, "uncompressed_size": 30 * MIB}, "another size"),
        ({"data": BOMB, "uncompressed_size": 2**40}, "at most 33554432"),
        ({"data": BOMB, "uncompressed_size": 2**64 - 1}, "at most 33554432"),
        ({"uncompressed_size": 0}, "another size"),
        ({"uncompressed_crc": 1}, "CRC"),
        ({"uncompressed_crc": 0}, "no CRC"),
        ({"compression": ""}, "not compressed with zstd"),
        ({"compression": "lz4"}, "not compressed with zstd"),
        ({"compression": "x" * 10**6}, "not compressed with zstd"),
        ({"data": b"\xff" * 100}, "can't be unpacked"),
        ({"data": b""}, "another size"),
    ],
)
def test_a_chunk_that_lies_is_left_out(
    lies: dict[str, Any], told: str, good: Forged, tmp_path: Path
) -> None:
    good.chunk(message(2), **lies)
    good.chunk(recording_mark(3), message(4, data=b"y"))
    found, damage = good.read(tmp_path)
    assert found == [b"x", b"y"]
    assert any(told in line for line in damage), damage


def recording_mark(sequence: int) -> Message:
    return message(sequence, 77, MARK)


@pytest.mark.parametrize(
    ("window_log", "passes"), [(20, True), (25, True), (26, False), (41, False)]
)
def test_a_frame_that_wants_a_huge_window_is_refused(
    window_log: int, *, passes: bool, good: Forged, tmp_path: Path
) -> None:
    """A few bytes would have us allocate terabytes; the first two are the control."""
    hundred = struct.pack("<I", 1 | 1 << 1 | 100 << 3)[:3] + b"\0"  # The last block: 100 times 0.
    content = records(message(2, data=bytes(100)))
    literal = struct.pack("<I", (len(content) - 100) << 3)[:3] + content[:-100]
    frame = b"\x28\xb5\x2f\xfd\0" + bytes([(window_log - 10) << 3]) + literal + hundred
    said = {"uncompressed_size": len(content), "uncompressed_crc": zlib.crc32(content)}
    good.chunk(data=frame, **said)
    found, damage = good.read(tmp_path)
    assert found == [b"x"] + [bytes(100)] * passes
    assert passes or any("can't be unpacked" in line for line in damage), damage


@pytest.mark.parametrize(
    ("inside", "told"),
    [
        (struct.pack("<BQ", 5, 2**63), "exceeds it"),
        (struct.pack("<BQ", 5, 3) + b"abc", "too short"),
        (b"\x05\x00", "within a record"),
        (
            struct.pack("<BQ", 4, 12) + b"\1\0\0\0\xff\xff\xff\xff\0\0\0\0",
            "exceeds its record",
        ),
        (struct.pack("<BQ", 4, 10) + b"\1\0\0\0\2\0\0\0\xff\xff", "not UTF-8"),
    ],
)
def test_records_that_lie_within_a_chunk_that_does_not(
    inside: bytes, told: str, good: Forged, tmp_path: Path
) -> None:
    said = {"uncompressed_size": len(inside), "uncompressed_crc": zlib.crc32(inside)}
    good.chunk(data=zstandard.compress(inside), **said)
    good.chunk(message(2))
    found, damage = good.read(tmp_path)
    assert found == [b"x", b"x"]
    assert any(told in line for line in damage), damage


def test_what_is_not_known_is_skipped(good: Forged, tmp_path: Path) -> None:
    """Records, topics, encodings and channels of somebody else's, or of a later version."""
    good.raw(0x55, b"a record of a later version")
    good.raw(0x90, b"a record of somebody's own")
    good.chunk(
        channel(2, topic="/camera"),
        channel(3, encoding="cbor"),
        channel(4, topic="out"),
        message(2, number=2),
        message(3, number=3),
        message(4, number=4, data=b"y"),
        message(5, number=99),
    )
    found, damage = good.read(tmp_path)
    assert found == [b"x", b"y"]
    assert sum("are left out" in line for line in damage) == 3
    assert sum("is not one of faustwire's" in line for line in damage) == 2


def test_a_channel_cannot_become_another_workers(good: Forged, tmp_path: Path) -> None:
    good.chunk(channel(1, metadata=worker("b").metadata), message(2))
    good.raw(Opcode.METADATA, metadata_of(1, worker("c")))
    path = tmp_path / "forged.mcap"
    path.write_bytes(good.data)
    read = recording.Recording(path)
    assert len({item.metadata["worker"] for item in read}) == 1
    assert any("redefined with different properties" in damage.what for damage in read.damage)


def metadata_of(number: int, channel: recording.Channel) -> bytes:
    said = {"id": str(number), "topic": channel.topic, **channel.metadata}
    return records(Metadata("faustwire.channel", layout.with_crc(said)))[9:]


def test_messages_cannot_come_twice(good: Forged, tmp_path: Path) -> None:
    good.chunk(message(1, data=b"again"))
    found, damage = good.read(tmp_path)
    assert found == [b"x"]
    assert any("repeated or late" in line for line in damage)


@pytest.mark.parametrize("number", ["x", "-1", "99999999999", "²"])
def test_a_channel_that_has_no_number_is_left_out(
    number: str, good: Forged, tmp_path: Path
) -> None:
    said = {"id": number, "topic": "in"}
    good.add(Metadata("faustwire.channel", layout.with_crc(said)))
    assert good.read(tmp_path)[0] == [b"x"]


def test_a_crowd_of_channels_is_bounded(good: Forged, tmp_path: Path) -> None:
    long = {"worker": "x" * 60_000}
    for number in range(2, 2000):
        said = {"id": str(number), "topic": "in", **long}
        good.add(Metadata("faustwire.channel", layout.with_crc(said)))
    _, damage = good.read(tmp_path)
    assert any("more channels than any recording has" in line for line in damage)


def test_a_crowd_of_chunks_is_bounded(
    good: Forged, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(index, "MAX_CHUNKS", 50)
    for number in range(2, 100):
        good.chunk(message(number))
    assert len(good.read(tmp_path)[0]) == 50


def test_a_file_that_is_damage_all_over_is_given_up(good: Forged, tmp_path: Path) -> None:
    """Places that look like the head of a chunk cost time each: only so many are tried."""
    good.data += b"\xff" * 100
    looks_like = records(Chunk("zstd", b"\xff" * 100, 0, 0, 1, 100))
    good.data += looks_like * 20_000
    found, damage = good.read(tmp_path)
    assert found == [b"x"]
    assert len(damage) < 10


@pytest.mark.parametrize(
    "offset_and_length",
    [(0, 10**9), (2**63, 100), (8, 5), (8, 2**64 - 1)],
)
def test_an_index_that_leads_elsewhere_is_not_followed(
    offset_and_length: tuple[int, int], good: Forged, tmp_path: Path
) -> None:
    offset, length = offset_and_length
    index = ChunkIndex(length, offset, "zstd", 1, START_NS, 0, {1: 5}, START_NS, 1)
    found, damage = good.closed(records(channel(), index)).read(tmp_path)
    assert found == [b"x"]
    assert any("the index at the end can't be used" in line for line in damage)


def test_an_index_that_names_a_chunk_over_and_over_is_not_followed(
    good: Forged, tmp_path: Path
) -> None:
    index = ChunkIndex(150, 200, "zstd", 1, START_NS, 0, {1: 5}, START_NS, 1)
    found, _ = good.closed(records(channel(), *[index] * 1000)).read(tmp_path)
    assert found == [b"x"]


@pytest.mark.parametrize("start", [0, 1, 2**40, 2**64 - 1])
def test_a_footer_that_leads_elsewhere_is_not_followed(
    start: int, good: Forged, tmp_path: Path
) -> None:
    good.add(DataEnd(0))
    good.add(Footer(start, start, 0))
    good.data += layout.MAGIC
    found, damage = good.read(tmp_path)
    assert found == [b"x"]
    assert any("the index at the end can't be used" in line for line in damage)


def test_numbers_that_are_none_in_what_a_file_says_of_itself(tmp_path: Path) -> None:
    lies = {"started_ns": "-5", "part": "9" * 5000, "opened_ns": "x", "mark": "zz"}
    forged = Forged(lies)
    forged.chunk(channel(), message())
    forged.data += b"\xff" * 20
    assert forged.read(tmp_path)[0] == [b"x"]


NOT_OURS: list[tuple[Callable[[], bytes], str]] = [
    (lambda: b"", "is no MCAP file"),
    (lambda: b"RIFF" + bytes(100), "is no MCAP file"),
    (lambda: bytes(Forged(profile="ros2").data).replace(b"faustwire", b"somebody!"), "'ros2'"),
    (lambda: bytes(Forged({"format": "2"}).data), "format '2', this faustwire reads 1"),
    (lambda: bytes(Forged({"format": ""}).data), "format ''"),
]


@pytest.mark.parametrize(("content", "told"), NOT_OURS)
def test_what_is_no_recording_of_ours_is_refused_with_its_name(
    content: Callable[[], bytes], told: str, tmp_path: Path
) -> None:
    path = tmp_path / "other.mcap"
    path.write_bytes(content())
    with pytest.raises(RecordingError, match="other") as refusal:
        recording.Recording(path)
    assert told in str(refusal.value)


def test_one_file_that_is_none_does_not_spoil_a_folder(tmp_path: Path) -> None:
    record(tmp_path, [snapshot(1)])
    (tmp_path / "other.mcap").write_bytes(b"something else")
    (tmp_path / "notes.txt").write_text("not even looked at")
    (tmp_path / "folder.mcap").mkdir()
    read = recording.Recording([tmp_path, *tmp_path.glob("faustwire*")])
    assert len(list(read)) == 1
    assert [damage.path.name for damage in read.damage] == ["other.mcap"]


def test_a_folder_without_recordings_is_told(tmp_path: Path) -> None:
    with pytest.raises(RecordingError, match=r"no \.mcap file in"):
        recording.Recording(tmp_path)
    with pytest.raises(FileNotFoundError):
        recording.Recording(tmp_path / "nothing.mcap")


def test_a_recording_of_another_program_by_the_same_library_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "other.mcap"
    with path.open("wb") as file:
        writer = Writer(file)
        writer.start("", "somebody")
        number = writer.register_channel("in", "msgpack", 0)
        writer.add_message(number, 1, b"x", 1)
        writer.finish()  # type: ignore[no-untyped-call]
    with pytest.raises(RecordingError, match="not of faustwire"):
        recording.Recording(path)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\xc1",
        b"\x90",
        b"\x81\xa4type\x01",
        b"\x82\xa4type\xa8snapshot\xa4call",
        b"\xdf\xff\xff\xff\xff",
        b"\x81\xa4type\xdd\xff\xff\xff\xff",
        b"\x81" * 10**6,
        b"\x81\xa1x" + b"\x91" * 10**6,
        b"\x81\xa1\xff\x01",
    ],
)
def test_a_look_at_what_is_no_message_finds_nothing(data: bytes) -> None:
    assert header.read_header(data) is None


def test_a_look_at_a_message_finds_what_it_is() -> None:
    _, data = snapshot(4, call=9)
    assert header.read_header(data) == header.Header("snapshot", 5, 9)
    assert header.read_header(b"\x81\xa4type\xa4ping") == header.Header("ping")
    backwards = b"\x83\xa1x\x93\x01\x02\x03\xa4call\x07\xa4type\xa8snapshot"
    assert header.read_header(backwards) == header.Header("snapshot", None, 7)


def mutated(data: bytes, random: Random) -> bytes:
    """With some bytes changed, put in or left out, and lengths that lie."""
    content = bytearray(data)
    for _ in range(random.randrange(1, 6)):
        at = random.randrange(len(content) + 1)
        lie = random.choice([0, 1, 2**16, 2**31, 2**32 - 1, 2**63, 2**64 - 1])
        change: list[Callable[[], bytes]] = [
            lambda: random.randbytes(1),
            lambda: random.randbytes(random.randrange(30)),
            lambda lie=lie: lie.to_bytes(8, "little"),  # type: ignore[misc]
            lambda lie=lie: (lie % 2**32).to_bytes(4, "little"),  # type: ignore[misc]
        ]
        new = random.choice(change)()
        content[at : at + random.choice([0, len(new), 20])] = new
    return bytes(content)


def test_whatever_stands_within_good_crcs_is_survived(tmp_path: Path) -> None:
    """Records inside chunks, channels and the index at the end, all with CRCs that match."""
    inside = records(channel(2, topic="out"), message(2), message(3, 2), channel(3, topic="/x"))
    summary = records(channel(), ChunkIndex(150, 200, "zstd", 1, 1, 0, {1: 5}, 1, 1))
    path = tmp_path / "forged.mcap"
    for seed in range(500):
        random = Random(seed)  # noqa: S311 - no secret
        forged = Forged()
        forged.chunk(channel(), message())
        content = mutated(inside, random)
        said = {"uncompressed_size": len(content), "uncompressed_crc": zlib.crc32(content)}
        forged.chunk(data=zstandard.compress(content), **said)
        forged.raw(Opcode.METADATA, mutated(metadata_of(5, WORKER), random))
        if seed % 2:
            forged.closed(mutated(summary, random))
        path.write_bytes(forged.data)
        read = recording.Recording(path)
        assert [item.data for item in read][:1] in ([b"x"], [])
        for item in read.items(START_NS):
            recording.hello(item.metadata)
        read.find(3)
        assert all(str(damage) for damage in read.damage)
