"""How the records of an MCAP file are laid out, read without trusting a length.

The readers of the library ``mcap`` allocate whatever a length says, which suits one's own files.
Here every length is compared with the bytes that are there.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator, Mapping
from typing import NamedTuple

import zstandard
from mcap.opcode import Opcode

from faustwire.codec import MAX_BYTES
from faustwire.recording.channels import Channel

MAGIC = b"\x89MCAP0\r\n"
PROFILE = "faustwire"
# Of the records outside of chunks that are read at all: a channel's longest names are 24 KiB.
MAX_RECORD_BYTES = 2**16
# Our writer closes a chunk well before; a longer one is not ours, or is meant to exhaust memory.
MAX_CHUNK_BYTES = 2 * MAX_BYTES
CRC_FIELD = "crc32"
# Opcode and length of what follows.
HEAD = struct.Struct("<BQ")
# Ahead of a chunk's data: first and last time, size and CRC of what it unpacks to, "zstd".
_CHUNK = struct.Struct("<QQQI")
_MESSAGE = struct.Struct("<HIQQ")
_FOOTER = struct.Struct("<QQI")
_INDEX = struct.Struct("<QQQQI")
FOOTER_BYTES = HEAD.size + _FOOTER.size + len(MAGIC)
# The field of a chunk that names its compression, and its offset from the chunk's opcode: what is
# searched for behind damage.
ZSTD = b"\x04\x00\x00\x00zstd"
ZSTD_AT = HEAD.size + _CHUNK.size
CHUNK_HEAD_BYTES = ZSTD_AT + len(ZSTD) + 8


class Broken(Exception):  # noqa: N818 - describes the bytes, never reaches a user
    """Bytes that are damaged or not in this format; the text says why."""


class Unfinished(Broken):
    """The file does not end as a closed one does."""


class ChunkHead(NamedTuple):
    """The fields before a chunk's data: times in ns, sizes in bytes."""

    start_ns: int
    end_ns: int
    size: int
    crc: int
    compressed: int


class Message(NamedTuple):
    """One message of a chunk."""

    channel: int
    sequence: int
    at_ns: int
    data: bytes


class Fields:
    """Reads one field after the other from a record, none longer than what is left of it."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def next_bytes(self, count: int) -> bytes:
        """Read the next bytes.

        Args:
            count: how many.

        Raises:
            Broken: there are fewer.
        """
        if count > len(self._data) - self._at:
            raise Broken("a length that exceeds its record")
        self._at += count
        return self._data[self._at - count : self._at]

    def number(self, size: int) -> int:
        """Read an unsigned whole number of this many bytes; raises Broken."""
        return int.from_bytes(self.next_bytes(size), "little")

    def text(self) -> str:
        """Read a text, which follows its length.

        Raises:
            Broken: the record ends before, or the text is not UTF-8.
        """
        try:
            return self.next_bytes(self.number(4)).decode()
        except UnicodeDecodeError:
            raise Broken("text that is not UTF-8") from None

    def pairs(self) -> tuple[tuple[str, str], ...]:
        """Read a map of texts; raises Broken."""
        inner = Fields(self.next_bytes(self.number(4)))
        pairs = []
        while inner.left():
            pairs.append((inner.text(), inner.text()))
        return tuple(pairs)

    def left(self) -> int:
        """How many bytes are left."""
        return len(self._data) - self._at


def with_crc(data: Mapping[str, str]) -> dict[str, str]:
    """Metadata with a CRC added to them, because MCAP has none for metadata."""
    return {**data, CRC_FIELD: _crc(data)}


def metadata(body: bytes) -> tuple[str, dict[str, str]]:
    """Name and content of a Metadata record that ``with_crc`` has made.

    Raises:
        Broken: a length is wrong, or the CRC is.
    """
    fields = Fields(body)
    name, data = fields.text(), dict(fields.pairs())
    if data.pop(CRC_FIELD, None) != _crc(data):
        raise Broken("its CRC does not match")
    return name, data


def _crc(data: Mapping[str, str]) -> str:
    text = "\0".join(f"{key}\0{value}" for key, value in data.items())
    return f"{zlib.crc32(text.encode()):08x}"


def channel(body: bytes) -> tuple[int, str, Channel]:
    """Number, message encoding and content of a Channel record; raises Broken."""
    fields = Fields(body)
    number, _schema = fields.number(2), fields.number(2)
    topic, encoding = fields.text(), fields.text()
    return number, encoding, Channel(topic, fields.pairs())


def chunk_head(data: bytes, length: int) -> ChunkHead:
    """Read the fields before a chunk's data.

    Args:
        data: the record's body, at least its first ``CHUNK_HEAD_BYTES - HEAD.size`` bytes.
        length: of the whole body, bytes.

    Raises:
        Broken: it is not compressed with zstd, is too large, or its lengths contradict each other.
    """
    fields = Fields(data)
    start_ns, end_ns, size, crc = _CHUNK.unpack(fields.next_bytes(_CHUNK.size))
    if fields.next_bytes(len(ZSTD)) != ZSTD:
        raise Broken("it is not compressed with zstd, as ours are")
    compressed = fields.number(8)
    if length != CHUNK_HEAD_BYTES - HEAD.size + compressed:
        raise Broken("its lengths contradict each other")
    if max(size, compressed) > MAX_CHUNK_BYTES:
        raise Broken(f"it has {max(size, compressed)} bytes; at most {MAX_CHUNK_BYTES}")
    if not crc:
        raise Broken("it has no CRC and can't be verified")
    return ChunkHead(start_ns, end_ns, size, crc, compressed)


def unpack(head: ChunkHead, data: bytes) -> bytes:
    """Unpack a chunk's data, and not a byte more than its head says.

    Args:
        head: the fields before the data.
        data: as they lie in the file.

    Raises:
        Broken: the size or the CRC differs from what the head says.
    """
    # A frame may claim a size and a window of its own; neither is to be believed.
    unpacker = zstandard.ZstdDecompressor(max_window_size=MAX_CHUNK_BYTES)
    try:
        with unpacker.stream_reader(data) as reader:
            content: bytes = reader.read(head.size + 1)
    except zstandard.ZstdError as problem:
        raise Broken(f"it can't be unpacked ({problem})") from None
    if len(content) != head.size:
        raise Broken("it unpacks to another size than its head says")
    if zlib.crc32(content) != head.crc:
        raise Broken("its CRC does not match")
    return content


def records(data: bytes) -> Iterator[tuple[int, int, int]]:
    """Find the records that lie one after the other.

    Args:
        data: their bytes.

    Yields:
        The opcode of each record, and where its body starts and ends in ``data``.

    Raises:
        Broken: a record exceeds the data.
    """
    at, end = 0, len(data)
    while at < end:
        if end - at < HEAD.size:
            raise Broken("it ends within a record")
        opcode, length = HEAD.unpack_from(data, at)
        at += HEAD.size
        if length > end - at:
            raise Broken("a record that exceeds it")
        yield opcode, at, at + length
        at += length


def message(data: bytes, start: int, end: int) -> Message:
    """Read the body of a Message record.

    Args:
        data: unpacked records.
        start: where the body starts in them.
        end: where it ends.

    Raises:
        Broken: it is too short.
    """
    if end - start < _MESSAGE.size:
        raise Broken("a message that is too short")
    number, sequence, at_ns, _published_ns = _MESSAGE.unpack_from(data, start)
    return Message(number, sequence, at_ns, data[start + _MESSAGE.size : end])


def chunk_index(body: bytes) -> tuple[int, int, int, int, list[int]]:
    """Read the body of a Chunk Index record.

    Args:
        body: its bytes.

    Returns:
        First and last time (ns), offset and length (bytes) of a chunk, and its channels' numbers.

    Raises:
        Broken: it is too short, or its lengths contradict each other.
    """
    if len(body) < _INDEX.size:
        raise Broken("an index record that is too short")
    start_ns, end_ns, offset, length, size = _INDEX.unpack_from(body)
    entries = Fields(body[_INDEX.size :]).next_bytes(size)
    if size % 10:
        raise Broken("an index with half an entry")
    channels = [int.from_bytes(entries[at : at + 2], "little") for at in range(0, size, 10)]
    return start_ns, end_ns, offset, length, channels


def summary_range(tail: bytes, size: int) -> tuple[int, int, int]:
    """Where the summary starts and ends, and its CRC, from the last bytes of a file.

    Args:
        tail: the last ``FOOTER_BYTES`` of the file.
        size: of the file, bytes.

    Returns:
        Offsets of its start and end, bytes from the start of the file, and its CRC.

    Raises:
        Unfinished: the file does not end as a closed one does.
        Broken: it does, but has no summary.
    """
    if not tail.endswith(MAGIC) or HEAD.unpack_from(tail) != (Opcode.FOOTER, _FOOTER.size):
        raise Unfinished("it was not closed")
    start, _offsets, crc = _FOOTER.unpack_from(tail, HEAD.size)
    end = size - FOOTER_BYTES
    if not len(MAGIC) <= start < end:
        raise Broken("its footer names no index")
    return start, end, crc


def summary_crc(summary: bytes, tail: bytes) -> int:
    """The CRC that the footer behind a summary should hold.

    Args:
        summary: its bytes.
        tail: the last ``FOOTER_BYTES`` of the file.
    """
    return zlib.crc32(tail[: HEAD.size + 16], zlib.crc32(summary))
