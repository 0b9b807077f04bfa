"""Files without a usable index, damaged or not closed: their chunks are found one by one."""

from __future__ import annotations

import re
from typing import BinaryIO

from mcap.opcode import Opcode

from faustwire.recording import index as indexes
from faustwire.recording import layout
from faustwire.recording.channels import ENCODING, Channel
from faustwire.recording.index import Chunk, Index, read_chunk
from faustwire.recording.layout import Broken

# The name of the Metadata records that say what a channel is, outside of the chunks as well: one
# bad chunk must not take the names of all that comes after it with it.
CHANNEL = "faustwire.channel"
# Places that look like the head of a chunk and are not one; each costs up to a chunk's unpacking.
_MAX_CANDIDATES = 1000
_BLOCK = 2**20
_MARK = re.compile("[0-9a-f]{32}")
# Records that come between chunks and say so by their lengths.
_FIXED = {int(Opcode.DATA_END): 4, int(Opcode.FOOTER): 20}


class Recovery:
    """Finds the chunks and channels of one file without the index at its end."""

    def __init__(self, file: BinaryIO, size: int, mark: str, index: Index) -> None:
        """Nothing is read yet.

        Args:
            file: an open file.
            size: of the file, bytes.
            mark: the random text, in hex, that each of the file's chunks begins with; what is not
                32 hex digits counts as none.
            index: what is filled in; its ``note`` is told about damage.
        """
        self._file, self._size, self._index = file, size, index
        self._mark = bytes.fromhex(mark) if _MARK.fullmatch(mark) else b""
        self._candidates = _MAX_CANDIDATES

    def scan(self) -> None:
        """Go from record to record, and from damage to the next chunk of this file."""
        offset = len(layout.MAGIC)
        while offset < self._size and len(self._index.chunks) < indexes.MAX_CHUNKS:
            try:
                offset = self._pass_record(offset)
                continue
            except Broken as problem:
                what = str(problem)
            found = self._next_chunk(offset + 1)
            if found is None:
                left = self._size - offset
                self._index.note(offset, f"{left} bytes at the end are cut or damaged ({what})")
                return
            self._index.note(offset, f"{found - offset} bytes are damaged ({what})")
            offset = found

    def _pass_record(self, offset: int) -> int:
        """Take note of one record; returns where the next one starts."""
        self._file.seek(offset)
        head = self._file.read(layout.CHUNK_HEAD_BYTES)
        if len(head) < layout.HEAD.size:
            raise Broken("half a record")
        opcode, length = layout.HEAD.unpack_from(head)
        body = head[layout.HEAD.size :]
        end: int = offset + layout.HEAD.size + length
        if end > self._size:
            raise Broken("half a record")
        if opcode == Opcode.CHUNK:
            chunk = layout.chunk_head(body, length)
            self._index.add_chunk(Chunk(offset, length, chunk.start_ns, chunk.end_ns, []))
        elif opcode == Opcode.MESSAGE_INDEX:
            _add_channel_of_chunk(body, length, self._index)
        elif opcode == Opcode.METADATA:
            self._pass_metadata(offset, length)
        elif opcode in (0, Opcode.MESSAGE) or length != _FIXED.get(opcode, length):
            raise Broken("no record of ours")
        # The index follows the data, and it was of no use.
        return self._size if opcode == Opcode.DATA_END else end

    def _pass_metadata(self, offset: int, length: int) -> None:
        if length > layout.MAX_RECORD_BYTES:
            raise Broken(f"metadata of {length} bytes; at most {layout.MAX_RECORD_BYTES}")
        self._file.seek(offset + layout.HEAD.size)
        name, data = layout.metadata(self._file.read(length))
        if name == CHANNEL:
            number, topic = data.pop("id", ""), data.pop("topic", "")
            if number.isdecimal() and len(number) < 6:
                channel = Channel(topic, tuple(data.items()))
                self._index.add_channel(int(number), ENCODING, channel, offset)

    def _next_chunk(self, offset: int) -> int | None:
        """Where the next chunk of this file is; None: there is none.

        A message may hold bytes that look like a chunk, put there on purpose: only one that
        carries this file's mark counts, which nobody knew before there was the file.
        """
        while self._mark and self._candidates and offset < self._size:
            self._file.seek(offset)
            block = self._file.read(_BLOCK)
            at = block.find(layout.ZSTD)
            while at >= 0 and self._candidates:
                start = offset + at - layout.ZSTD_AT
                self._candidates -= 1
                if start >= offset and self._is_marked(start):
                    return start
                at = block.find(layout.ZSTD, at + 1)
            offset += max(1, len(block) - layout.CHUNK_HEAD_BYTES)
        return None

    def _is_marked(self, offset: int) -> bool:
        self._file.seek(offset)
        opcode, length = layout.HEAD.unpack(self._file.read(layout.HEAD.size))
        if opcode != Opcode.CHUNK or offset + length > self._size:
            return False
        try:
            content = read_chunk(self._file, Chunk(offset, length, 0, 0, []))
            for kind, first, last in layout.records(content):
                if kind == Opcode.MESSAGE:
                    return layout.message(content, first, last).data == self._mark
        except Broken:
            pass
        return False


def _add_channel_of_chunk(body: bytes, length: int, index: Index) -> None:
    """Each chunk is followed by one such record for each channel in it."""
    fields = layout.Fields(body)
    channel, entries = fields.number(2), fields.number(4)
    if length != 6 + entries:
        raise Broken("its lengths contradict each other")
    if index.chunks and len(index.chunks[-1].channels) < indexes.MAX_CHANNELS:
        index.chunks[-1].channels.append(channel)
