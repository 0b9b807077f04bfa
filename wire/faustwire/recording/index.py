"""Where the chunks of a file lie and which channels it has, from the index at its end."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import BinaryIO, NamedTuple, TypeAlias

from mcap.opcode import Opcode

from faustwire.recording import layout
from faustwire.recording.channels import ENCODING, MARK, TOPICS, Channel
from faustwire.recording.layout import Broken, Unfinished

# What a hostile file can make us hold; our writer begins another file long before.
MAX_CHUNKS = 2**18
MAX_CHANNELS = 2**14
MAX_CHANNEL_BYTES = 2**24
_MAX_SUMMARY_BYTES = 2**26

# Takes note of damage: the byte offset in the file, and a line for people.
Note: TypeAlias = Callable[[int, str], None]


class Chunk(NamedTuple):
    """Where a chunk lies, and what is said to be in it: only its content has a CRC.

    Attributes:
        offset: of the record, bytes from the start of the file.
        length: of the record's body, bytes.
        start_ns: Unix time of its first message.
        end_ns: Unix time of its last message.
        channels: the numbers of the channels that have messages in it.
    """

    offset: int
    length: int
    start_ns: int
    end_ns: int
    channels: list[int]


@dataclass
class Index:
    """What is known of a file without unpacking its chunks.

    Attributes:
        note: told about what is damaged or left out.
        chunks: in the order in which they lie.
        channels: by number.
        finished: whether the file was closed; if not, it was cut, or is still being written.
        messages: how many there are; None: not known.
    """

    note: Note
    chunks: list[Chunk] = field(default_factory=list)
    channels: dict[int, Channel] = field(default_factory=dict)
    finished: bool = False
    messages: int | None = None
    _channel_bytes: int = 0

    def add_chunk(self, chunk: Chunk) -> None:
        """Add a chunk, unless there are more than any file of faustwire's has."""
        if len(self.chunks) < MAX_CHUNKS:
            self.chunks.append(chunk)
        else:
            self.note(
                self.chunks[-1].offset, f"more than {MAX_CHUNKS} chunks: the rest is left out"
            )

    def add_channel(self, number: int, encoding: str, channel: Channel, offset: int) -> None:
        """Add a channel, if it is one of faustwire's.

        Args:
            number: that messages refer to.
            encoding: of its messages.
            channel: its topic and its metadata.
            offset: where it was found, bytes from the start of the file.
        """
        known = self.channels.get(number)
        if known is not None:
            if known != channel:
                self.note(offset, f"channel {number} is redefined with different properties")
            return
        if channel.topic not in TOPICS | {MARK} or encoding != ENCODING:
            self.note(offset, f"the channel {channel.topic[:40]!r} is not one of faustwire's")
            return
        self._channel_bytes += 64 + sum(len(key) + len(value) for key, value in channel.pairs)
        if len(self.channels) < MAX_CHANNELS and self._channel_bytes < MAX_CHANNEL_BYTES:
            self.channels[number] = channel
        else:
            self.note(offset, "more channels than any recording has: the rest is left out")


def read_summary(file: BinaryIO, size: int, index: Index) -> None:
    """Read the index that a closed file has at its end.

    Args:
        file: an open file.
        size: of the file, bytes.
        index: what is filled in.

    Raises:
        Unfinished: the file was not closed.
        Broken: it was, but its index is damaged.
    """
    summary, start = _summary(file, size)
    before = len(layout.MAGIC)
    for opcode, first, last in layout.records(summary):
        body = summary[first:last]
        if opcode == Opcode.CHANNEL:
            index.add_channel(*layout.channel(body), start)
        elif opcode == Opcode.STATISTICS:
            index.messages = layout.Fields(body).number(8)
        elif opcode == Opcode.CHUNK_INDEX:
            start_ns, end_ns, offset, length, channels = layout.chunk_index(body)
            # Overlapping ones would have us read the same bytes over and over.
            if offset < before or offset + length > start or length < layout.HEAD.size:
                raise Broken("it has chunks where none can be")
            before = offset + length
            chunk = Chunk(offset, length - layout.HEAD.size, start_ns, end_ns, channels)
            index.add_chunk(chunk)
    index.finished = True


def _summary(file: BinaryIO, size: int) -> tuple[bytes, int]:
    """The checked bytes of the index at the end, and their offset."""
    file.seek(max(0, size - layout.FOOTER_BYTES))
    tail = file.read()
    if len(tail) < layout.FOOTER_BYTES:
        raise Unfinished("it was not closed")
    start, end, crc = layout.summary_range(tail, size)
    if end - start > _MAX_SUMMARY_BYTES:
        raise Broken(f"it has {end - start} bytes; at most {_MAX_SUMMARY_BYTES}")
    file.seek(start)
    summary = file.read(end - start)
    if layout.summary_crc(summary, tail) != crc:
        raise Broken("its CRC does not match")
    return summary, start


def read_chunk(file: BinaryIO, chunk: Chunk) -> bytes:
    """Read and unpack the records of a chunk.

    Args:
        file: an open file.
        chunk: where it lies.

    Returns:
        The records, checked by their CRC.

    Raises:
        Broken: the chunk is damaged or too large.
    """
    if chunk.length > layout.CHUNK_HEAD_BYTES + layout.MAX_CHUNK_BYTES:
        raise Broken(f"it has {chunk.length} bytes; at most {layout.MAX_CHUNK_BYTES}")
    file.seek(chunk.offset + layout.HEAD.size)
    data = file.read(chunk.length)
    if len(data) != chunk.length:
        raise Broken("the file ends within it")
    head = layout.chunk_head(data, chunk.length)
    return layout.unpack(head, data[layout.CHUNK_HEAD_BYTES - layout.HEAD.size :])
