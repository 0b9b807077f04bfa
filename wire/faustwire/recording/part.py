"""One file of a recording, read chunk by chunk."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from mcap.opcode import Opcode

from faustwire.errors import RecordingError
from faustwire.file_lock import is_held
from faustwire.recording import layout
from faustwire.recording.damage import Damages
from faustwire.recording.index import Chunk, Index, read_chunk, read_summary
from faustwire.recording.layout import Broken, Message, Unfinished
from faustwire.recording.recovery import Recovery

# The name of the Metadata record that says what the file is.
FILE = "faustwire"
FORMAT = 1


class Part:
    """One file of a recording.

    Attributes:
        path: where it is.
        metadata: what it says about itself; empty where that is damaged.
    """

    def __init__(self, path: Path, damages: Damages) -> None:
        """Open a file and check its head.

        Args:
            path: of the file.
            damages: where damage is noted.

        Raises:
            RecordingError: it is not an MCAP file, not one of faustwire's, or of a later format.
            OSError: it can't be read.
        """
        self.path = path
        self.metadata: dict[str, str] = {}
        self._damages = damages
        self._index: Index | None = None
        with path.open("rb") as file:
            self._check_head(file)

    def _check_head(self, file: BinaryIO) -> None:
        head = file.read(2 * layout.MAX_RECORD_BYTES)
        if not head.startswith(layout.MAGIC):
            raise RecordingError(f"{self.path} is no MCAP file")
        profile, self.metadata = _head(head[len(layout.MAGIC) :])
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
        """Note that messages on a channel are left out, because it was never described."""
        self._note(0, f"messages on channel {number} are left out: the channel is not described")

    def forget(self) -> None:
        """Release the index; it is read again when it is needed."""
        self._index = None

    def is_written(self) -> bool:
        """Whether a process of this machine is still writing the file."""
        with self.path.open("rb") as file:
            return is_held(file)

    def index(self) -> Index:
        """Where the chunks lie and which channels there are; read once."""
        if self._index is None:
            index = Index(self._note)
            with self.path.open("rb") as file:
                # Asked first: a file that nobody writes then stays as it is.
                written = is_held(file)
                size = os.fstat(file.fileno()).st_size
                try:
                    read_summary(file, size, index)
                except Unfinished:
                    self._recover(file, size, index)
                    if not written:
                        self._note(size, "not closed: its bridge was killed; up to 1 s is missing")
                except Broken as problem:
                    self._note(size, f"the index at the end can't be used: {problem}")
                    index = Index(self._note, finished=True)
                    self._recover(file, size, index)
            self._index = index
        return self._index

    def _recover(self, file: BinaryIO, size: int, index: Index) -> None:
        Recovery(file, size, self.metadata.get("mark", ""), index).scan()

    def messages(self, chunk: Chunk, index: Index) -> Iterator[Message]:
        """Read the messages of one chunk, marks included; damage is noted.

        Args:
            chunk: one of the index.
            index: of this file; channels that are described in the chunk are added to it.

        Yields:
            The messages in the order in which they lie.
        """
        try:
            with self.path.open("rb") as file:
                content = read_chunk(file, chunk)
            for opcode, start, end in layout.records(content):
                if opcode == Opcode.MESSAGE:
                    yield layout.message(content, start, end)
                elif opcode == Opcode.CHANNEL:
                    index.add_channel(*layout.channel(content[start:end]), chunk.offset)
        except Broken as problem:
            self._note(chunk.offset, f"a chunk is left out: {problem}")

    def read(self, index: Index, first: int = 0) -> Iterator[Message]:
        """Read the messages from one chunk on, marks included; what is missing is noted.

        Messages are numbered from 1, so that missing ones are counted and none is read twice.

        Args:
            index: of this file.
            first: which chunk to begin with, from 0.

        Yields:
            The messages in the order in which they were written.
        """
        expected = None if first else 1
        for chunk in index.chunks[first:]:
            for message in self.messages(chunk, index):
                if expected is not None and message.sequence != expected:
                    missing = message.sequence - expected
                    if missing < 0:
                        self._note(chunk.offset, "a chunk that is repeated or late is left out")
                        break
                    self._note(chunk.offset, "messages are missing before this chunk", missing)
                expected = message.sequence + 1
                yield message
        if expected is not None and index.messages is not None and expected <= index.messages:
            missing = index.messages + 1 - expected
            self._note(index.chunks[-1].offset, "messages are missing at the end", missing)


def _head(records: bytes) -> tuple[str | None, dict[str, str]]:
    """The MCAP profile and our metadata from a file's first records, as far as they are whole."""
    profile = None
    try:
        for opcode, start, end in layout.records(records):
            if opcode == Opcode.HEADER and profile is None:
                profile = layout.Fields(records[start:end]).text()
                continue
            if opcode == Opcode.METADATA:
                name, data = layout.metadata(records[start:end])
                return profile, data if name == FILE else {}
            break
    except Broken:
        pass  # The head of a damaged file, or one that was cut there.
    return profile, {}
