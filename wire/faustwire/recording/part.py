"""One file of a recording, read chunk by chunk."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO, NamedTuple

from mcap.opcode import Opcode

from faustwire.errors import RecordingError
from faustwire.recording import layout
from faustwire.recording.channels import ENCODING, MARK, TOPICS, Channel
from faustwire.recording.damage import Damages
from faustwire.recording.layout import Broken, Message, Unfinished

# The Metadata records: what the file is, and what a channel is, again, outside of the chunks: one
# bad chunk must not take the names of all that comes after it with it.
FILE = "faustwire"
CHANNEL = "faustwire.channel"
FORMAT = 1
# What a hostile file can make us hold; a writer of ours begins another file long before.
MAX_CHUNKS = 2**18
MAX_CHANNELS = 2**14
MAX_CHANNEL_BYTES = 2**24
_MAX_SUMMARY_BYTES = 2**26
# Places that look like the head of a chunk and are none; each costs up to a chunk's unpacking.
_MAX_CANDIDATES = 1000
_BLOCK = 2**20
_MARK = re.compile("[0-9a-f]{32}")
# Records that come between chunks and say so by their lengths.
_FIXED = {int(Opcode.DATA_END): 4, int(Opcode.FOOTER): 20}


class Chunk(NamedTuple):
    """Where a chunk lies, and what is said to be in it: only its content has a CRC.

    Attributes:
        offset, length: of the record and of its body, bytes.
        start_ns, end_ns: of its messages.
        channels: which are in it.
    """

    offset: int
    length: int
    start_ns: int
    end_ns: int
    channels: list[int]


@dataclass
class Index:
    """What is known of a file without unpacking it.

    Attributes:
        chunks: as they lie.
        channels: by number.
        finished: whether the file was closed; else it was cut, or is being written.
        messages: how many there are; None: not known.
    """

    chunks: list[Chunk] = field(default_factory=list)
    channels: dict[int, Channel] = field(default_factory=dict)
    finished: bool = False
    messages: int | None = None


class Part:
    """One file.

    Attributes:
        path: where it is.
        metadata: what it says about itself; empty where that is damaged.
    """

    def __init__(self, path: Path, damages: Damages) -> None:
        """Open a file, and look at its head.

        Raises:
            RecordingError: it is no MCAP file, not one of ours, or of a later format.
            OSError: it can't be read.
        """
        self.path = path
        self.metadata: dict[str, str] = {}
        self._damages = damages
        self._index: Index | None = None
        self._channel_bytes = 0
        with path.open("rb") as file:
            self._check_head(file)

    def _check_head(self, file: BinaryIO) -> None:
        head = file.read(2 * layout.MAX_RECORD_BYTES)
        if not head.startswith(layout.MAGIC):
            raise RecordingError(f"{self.path} is no MCAP file")
        profile = None
        try:
            rest = head[len(layout.MAGIC) :]
            for opcode, start, end in layout.records(rest):
                if opcode == Opcode.HEADER and profile is None:
                    profile = layout.Fields(rest[start:end]).text()
                    continue
                if opcode == Opcode.METADATA:
                    name, data = layout.metadata(rest[start:end])
                    self.metadata = data if name == FILE else {}
                break
        except Broken:
            pass  # The head of a damaged file, or one that was cut there.
        if profile is not None and profile != layout.PROFILE and not self.metadata:
            raise RecordingError(
                f"{self.path} is an MCAP file of {profile[:40]!r}, not of faustwire"
            )
        if self.metadata and self.metadata.get("format") != str(FORMAT):
            raise RecordingError(
                f"{self.path} is a recording of format {self.metadata.get('format', '')[:20]!r}, "
                f"this faustwire reads {FORMAT}: install the one that wrote it, or a newer one"
            )
        if not self.metadata:
            self._note(len(layout.MAGIC), "the head, which says what was recorded, is damaged")

    def _note(self, offset: int, what: str, messages: int | None = None) -> None:
        self._damages.note(self.path, offset, what, messages)

    def note_unknown(self, number: int) -> None:
        """A message's channel is not known, or none of ours: those on it are left out."""
        self._note(0, f"what is on channel {number} is left out: nobody knows what it is")

    def forget(self) -> None:
        """Let go of the index; it is worked out again when it is needed."""
        self._index = None
        self._channel_bytes = 0

    # -- where what is -----------------------------------------------------------------------

    def index(self) -> Index:
        """What is in it; worked out once."""
        if self._index is None:
            self._index = Index()
            with self.path.open("rb") as file:
                size = os.fstat(file.fileno()).st_size
                try:
                    self._read_summary(file, size, self._index)
                except Unfinished:
                    self._scan(file, size, self._index)
                    self._note(size, "not closed: killed, or being written; up to 1 s is missing")
                except Broken as problem:
                    self._note(size, f"the index at the end is of no use: {problem}")
                    self._index = Index(finished=True)
                    self._scan(file, size, self._index)
        return self._index

    def _read_summary(self, file: BinaryIO, size: int, index: Index) -> None:
        """The index that a finished file has at its end."""
        file.seek(max(0, size - layout.FOOTER_BYTES))
        tail = file.read()
        if len(tail) < layout.FOOTER_BYTES:
            raise Unfinished("it was not closed")
        start, end, crc = layout.summary_range(tail, size)
        if end - start > _MAX_SUMMARY_BYTES:
            raise Broken(f"it has {end - start} bytes")
        file.seek(start)
        summary = file.read(end - start)
        if layout.summary_crc(summary, tail) != crc:
            raise Broken("its CRC does not match")
        before = len(layout.MAGIC)
        for opcode, first, last in layout.records(summary):
            body = summary[first:last]
            if opcode == Opcode.CHANNEL:
                self._adopt(*layout.channel(body), start, index)
            elif opcode == Opcode.STATISTICS:
                index.messages = layout.Fields(body).number(8)
            elif opcode == Opcode.CHUNK_INDEX:
                start_ns, end_ns, offset, length, channels = layout.chunk_index(body)
                # Overlapping ones would have us read the same bytes over and over.
                if offset < before or offset + length > start or length < layout.HEAD.size:
                    raise Broken("chunks that lie where none can")
                before = offset + length
                chunk = Chunk(offset, length - layout.HEAD.size, start_ns, end_ns, channels)
                self._append(chunk, index)
        index.finished = True

    def _append(self, chunk: Chunk, index: Index) -> None:
        if len(index.chunks) < MAX_CHUNKS:
            index.chunks.append(chunk)
        else:
            self._note(index.chunks[-1].offset, f"more than {MAX_CHUNKS} chunks: the rest is left")

    def _adopt(
        self, number: int, encoding: str, channel: Channel, offset: int, index: Index
    ) -> None:
        """Take note of a channel, if it is one of ours."""
        known = index.channels.get(number)
        if known is not None:
            if known != channel:
                self._note(offset, f"channel {number} is said to be two")
            return
        if channel.topic not in TOPICS | {MARK} or encoding != ENCODING:
            self._note(offset, f"a channel {channel.topic[:40]!r} that is not ours")
            return
        self._channel_bytes += 64 + sum(len(key) + len(value) for key, value in channel.pairs)
        if len(index.channels) < MAX_CHANNELS and self._channel_bytes < MAX_CHANNEL_BYTES:
            index.channels[number] = channel
        else:
            self._note(offset, "more channels than anybody has: the rest is left")

    # -- without an index --------------------------------------------------------------------

    def _scan(self, file: BinaryIO, size: int, index: Index) -> None:
        """From record to record; where that leads nowhere, to the next chunk that is one."""
        candidates = _MAX_CANDIDATES
        offset = len(layout.MAGIC)
        while offset < size and len(index.chunks) < MAX_CHUNKS:
            try:
                offset = self._pass_record(file, offset, size, index)
                continue
            except Broken as problem:
                what = str(problem)
            found, candidates = self._next_chunk(file, offset + 1, size, candidates)
            if found is None:
                self._note(offset, f"{size - offset} bytes at the end are cut or damaged ({what})")
                return
            self._note(offset, f"{found - offset} bytes are damaged ({what})")
            offset = found

    def _pass_record(self, file: BinaryIO, offset: int, size: int, index: Index) -> int:
        """Take note of one record; returns where the next one starts."""
        file.seek(offset)
        head = file.read(layout.CHUNK_HEAD_BYTES)
        if len(head) < layout.HEAD.size:
            raise Broken("half a record")
        opcode, length = layout.HEAD.unpack_from(head)
        body = head[layout.HEAD.size :]
        end: int = offset + layout.HEAD.size + length
        if end > size:
            raise Broken("half a record")
        if opcode == Opcode.CHUNK:
            chunk = layout.chunk_head(body, length)
            self._append(Chunk(offset, length, chunk.start_ns, chunk.end_ns, []), index)
        elif opcode == Opcode.MESSAGE_INDEX:
            _pass_message_index(body, length, index)
        elif opcode == Opcode.METADATA:
            self._pass_metadata(file, offset, length, index)
        elif opcode in (0, Opcode.MESSAGE) or length != _FIXED.get(opcode, length):
            raise Broken("no record of ours")
        # Behind the data is the index, which was of no use.
        return size if opcode == Opcode.DATA_END else end

    def _pass_metadata(self, file: BinaryIO, offset: int, length: int, index: Index) -> None:
        if length > layout.MAX_RECORD_BYTES:
            raise Broken("metadata that are too long")
        file.seek(offset + layout.HEAD.size)
        name, data = layout.metadata(file.read(length))
        if name == CHANNEL:
            number, topic = data.pop("id", ""), data.pop("topic", "")
            if number.isdecimal() and len(number) < 6:
                channel = Channel(topic, tuple(data.items()))
                self._adopt(int(number), ENCODING, channel, offset, index)

    def _next_chunk(
        self, file: BinaryIO, offset: int, size: int, candidates: int
    ) -> tuple[int | None, int]:
        """Where the next chunk of this file is, and how many more places may be tried.

        A message may hold bytes that look like a chunk, put there on purpose: only one that
        carries this file's mark counts, which nobody knew before there was the file.
        """
        said = self.metadata.get("mark", "")
        mark = bytes.fromhex(said) if _MARK.fullmatch(said) else b""
        while mark and candidates and offset < size:
            file.seek(offset)
            block = file.read(_BLOCK)
            at = block.find(layout.ZSTD)
            while at >= 0 and candidates:
                start = offset + at - layout.ZSTD_AT
                candidates -= 1
                if start >= offset and self._is_marked(file, start, size, mark):
                    return start, candidates
                at = block.find(layout.ZSTD, at + 1)
            offset += max(1, len(block) - layout.CHUNK_HEAD_BYTES)
        return None, candidates

    def _is_marked(self, file: BinaryIO, offset: int, size: int, mark: bytes) -> bool:
        file.seek(offset)
        opcode, length = layout.HEAD.unpack(file.read(layout.HEAD.size))
        if opcode != Opcode.CHUNK or offset + length > size:
            return False
        try:
            content = self._unpacked(Chunk(offset, length, 0, 0, []))
            for kind, first, last in layout.records(content):
                if kind == Opcode.MESSAGE:
                    return layout.message(content, first, last).data == mark
        except Broken:
            pass
        return False

    # -- what is in it -----------------------------------------------------------------------

    def _unpacked(self, chunk: Chunk) -> bytes:
        if chunk.length > layout.CHUNK_HEAD_BYTES + layout.MAX_CHUNK_BYTES:
            raise Broken(f"it has {chunk.length} bytes; at most {layout.MAX_CHUNK_BYTES}")
        with self.path.open("rb") as file:
            file.seek(chunk.offset + layout.HEAD.size)
            data = file.read(chunk.length)
        if len(data) != chunk.length:
            raise Broken("the file ends within it")
        head = layout.chunk_head(data, chunk.length)
        return layout.unpack(head, data[layout.CHUNK_HEAD_BYTES - layout.HEAD.size :])

    def messages(self, chunk: Chunk, index: Index) -> Iterator[Message]:
        """The messages of one chunk, marks included, as they lie; what is none is noted."""
        try:
            content = self._unpacked(chunk)
            for opcode, start, end in layout.records(content):
                if opcode == Opcode.MESSAGE:
                    yield layout.message(content, start, end)
                elif opcode == Opcode.CHANNEL:
                    self._adopt(*layout.channel(content[start:end]), chunk.offset, index)
        except Broken as problem:
            self._note(chunk.offset, f"a chunk is left out: {problem}")

    def read(self, index: Index, first: int = 0) -> Iterator[Message]:
        """The messages from one chunk on, marks included; what is missing is noted.

        They are numbered from 1, so that what is missing is counted, and nothing comes twice.
        """
        expected = None if first else 1
        for chunk in index.chunks[first:]:
            for message in self.messages(chunk, index):
                if expected is not None and message.sequence != expected:
                    missing = message.sequence - expected
                    if missing < 0:
                        self._note(chunk.offset, "a chunk that comes twice or too late is left out")
                        break
                    self._note(chunk.offset, "something is missing before this chunk", missing)
                expected = message.sequence + 1
                yield message
        if expected is not None and index.messages is not None and expected <= index.messages:
            missing = index.messages + 1 - expected
            self._note(index.chunks[-1].offset, "something is missing at the end", missing)


def _pass_message_index(body: bytes, length: int, index: Index) -> None:
    """Behind each chunk there is one of these for each channel in it."""
    fields = layout.Fields(body)
    channel, entries = fields.number(2), fields.number(4)
    if length != 6 + entries:
        raise Broken("lengths that do not fit each other")
    if index.chunks and len(index.chunks[-1].channels) < MAX_CHANNELS:
        index.chunks[-1].channels.append(channel)
