"""Writing a recording: MCAP files that are readable up to the last second, whatever happens."""

from __future__ import annotations

import os
import secrets
import sys
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from mcap.writer import CompressionType, Writer

from faustwire.recording import layout
from faustwire.recording.channels import ENCODING, MARK, Channel, text
from faustwire.recording.new_files import NewFiles
from faustwire.recording.part import FILE, FORMAT
from faustwire.recording.recovery import CHANNEL

# A chunk is closed and written at this age or size. ``tick`` is called every half second, so at
# most a second is in memory only.
CHUNK_NS = 500_000_000
# Long enough for zstd to find repetitions, short enough to be unpacked in a millisecond.
CHUNK_BYTES = 2**19
# A channel takes some 400 bytes of memory here and in every reader, an entry of the index some 600.
# Neither may grow without bound over a day with a chunk a second, or a hundred clients a second.
MAX_CHANNELS = 4096
MAX_CHUNKS = 2**15


@dataclass(frozen=True)
class Rotation:
    """When another file is begun.

    Attributes:
        max_bytes: size of a file. A gigabyte is copied in seconds, its index read in milliseconds.
        max_seconds: between the first and the last message of a file. An hour, so that what is
            older can be moved or deleted while the training goes on.
    """

    max_bytes: int = 2**30
    max_seconds: float = 3600.0


class RecordingWriter:
    """Writes a recording; none of its methods raises once it is made.

    Attributes:
        problem: why it has stopped, in one sentence; None: it has not.
        path: the file that is being written, or was written last.
    """

    def __init__(
        self,
        target: str | Path,
        now_ns: int,
        metadata: Mapping[str, str],
        *,
        stem: str = "recording",
        rotation: Rotation | None = None,
    ) -> None:
        """Begin the first file.

        Args:
            target: a file that ends in ``.mcap``; otherwise a folder, which is made. An existing
                file is left alone, and the next number is appended to the name.
            now_ns: Unix time, ns.
            metadata: what every file says about the recording.
            stem: part of the names of files in a folder.
            rotation: when to begin another file.

        Raises:
            OSError: the file can't be made.
        """
        self._names = NewFiles(Path(target), now_ns, stem)
        self._rotation = rotation or Rotation()
        self._metadata = {
            **{name: text(value) for name, value in metadata.items()},
            "recording": secrets.token_hex(8),
            "started_ns": str(now_ns),
        }
        self._number = 0
        self._last_ns = now_ns
        self.problem: str | None = None
        self._part: _Part | None = self._next_part(now_ns)

    def write(self, at_ns: int, channel: Channel, data: bytes) -> None:
        """Record a message.

        Args:
            at_ns: Unix time, ns; a time before the last message's is replaced by that.
            channel: the message's.
            data: its bytes.
        """
        if self._part is None:
            return
        # Readers find a time by bisection.
        self._last_ns = at_ns = max(at_ns, self._last_ns)
        try:
            self._part.close_chunk(at_ns)
            if self._part.is_full(at_ns, channel, self._rotation):
                self._part.close()
                self._part = None  # In case the next one can't be opened.
                self._part = self._next_part(at_ns)
            self._part.write(at_ns, channel, data)
        except OSError as problem:
            self._stop(problem)

    def tick(self, now_ns: int) -> None:
        """Write what is older than half a second; to be called every half second."""
        if self._part is not None:
            try:
                self._part.close_chunk(now_ns)
            except OSError as problem:
                self._stop(problem)

    def flush(self) -> None:
        """Hand all to the system, so that readers find it from now on."""
        if self._part is not None:
            try:
                self._part.flush()
            except OSError as problem:
                self._stop(problem)

    def close(self) -> None:
        """End the file with its index."""
        if self._part is not None:
            try:
                self._part.close()
            except OSError as problem:
                self._stop(problem)
            self._part = None

    def _next_part(self, now_ns: int) -> _Part:
        self._number += 1
        descriptor, self.path = self._names.open_next()
        said = {"part": str(self._number), "opened_ns": str(now_ns)}
        try:
            return _Part(descriptor, {"format": str(FORMAT), **self._metadata, **said})
        except OSError:
            self.path.unlink(missing_ok=True)  # Nothing was written to it.
            raise

    def _stop(self, problem: OSError) -> None:
        what = problem.strerror or type(problem).__name__
        self.problem = (
            f"{what}: {self.path}; what is recorded so far can be read, and publishing goes on"
        )
        if self._part is not None:
            self._part.abandon()
            self._part = None


class _Part:
    """One file."""

    def __init__(self, descriptor: int, metadata: Mapping[str, str]) -> None:
        self._output = _Output(descriptor)
        self._writer = Writer(
            self._output,  # type: ignore[arg-type] # it asks for write, tell and flush only
            chunk_size=sys.maxsize,  # Chunks are closed here.
            compression=CompressionType.ZSTD,
        )
        self._channels: dict[Channel, int] = {}
        self._sequence = 0
        self._chunks = 0
        self._chunk_bytes = 0
        self._chunk_ns: int | None = None  # When the first message of the one in progress came.
        self._opened_ns: int | None = None
        self._mark = secrets.token_bytes(16)
        try:
            self._writer.start(layout.PROFILE, "faustwire")
            said = {**metadata, "mark": self._mark.hex()}
            self._writer.add_metadata(FILE, layout.with_crc(said))
            self._output.flush()
        except OSError:
            self.abandon()
            raise

    def is_full(self, now_ns: int, channel: Channel, rotation: Rotation) -> bool:
        if self._opened_ns is None:
            return False
        return (
            self._output.tell() + self._chunk_bytes >= rotation.max_bytes
            or now_ns - self._opened_ns >= rotation.max_seconds * 1e9
            or (len(self._channels) >= MAX_CHANNELS and channel not in self._channels)
            or self._chunks >= MAX_CHUNKS
        )

    def write(self, at_ns: int, channel: Channel, data: bytes) -> None:
        if self._opened_ns is None:
            self._opened_ns = at_ns
        if self._chunk_ns is None:
            self._chunk_ns = at_ns
            self._add(at_ns, Channel(MARK), self._mark)
        self._add(at_ns, channel, data)
        if self._chunk_bytes >= CHUNK_BYTES:
            self._flush()

    def _add(self, at_ns: int, channel: Channel, data: bytes) -> None:
        number = self._channels.get(channel)
        if number is None:
            number = self._register(channel)
        self._sequence += 1
        self._writer.add_message(number, at_ns, data, at_ns, self._sequence)
        self._chunk_bytes += len(data)

    def _register(self, channel: Channel) -> int:
        number = self._writer.register_channel(channel.topic, ENCODING, 0, channel.metadata)
        self._channels[channel] = number
        # The library writes it into the current chunk; this copy survives damage to that.
        said = {"id": str(number), "topic": channel.topic, **channel.metadata}
        self._writer.add_metadata(CHANNEL, layout.with_crc(said))
        return number

    def close_chunk(self, now_ns: int) -> None:
        if self._chunk_ns is not None and now_ns - self._chunk_ns >= CHUNK_NS:
            self._flush()

    def flush(self) -> None:
        if self._chunk_ns is not None:
            self._flush()

    def _flush(self) -> None:
        self._writer.flush()  # type: ignore[no-untyped-call]
        self._chunks += 1
        self._chunk_bytes = 0
        self._chunk_ns = None

    def close(self) -> None:
        self._writer.finish()  # type: ignore[no-untyped-call]
        self._output.flush()
        self._output.close()

    def abandon(self) -> None:
        self._output.abandon()


class _Output:
    """What the library writes to; whole records reach the file, in one call."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor: int | None = descriptor
        self._written = 0
        self._pending = bytearray()

    def write(self, data: bytes) -> int:
        self._pending += data
        return len(data)

    def tell(self) -> int:
        return self._written + len(self._pending)

    def flush(self) -> None:
        view = memoryview(bytes(self._pending))
        while view and self._descriptor is not None:
            view = view[os.write(self._descriptor, view) :]
        self._written += len(self._pending)
        self._pending.clear()

    def close(self) -> None:
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is not None:
            os.close(descriptor)

    def abandon(self) -> None:
        """Cut off what is half written, which works on a full disk, too."""
        with suppress(OSError):  # Readers cope with half a record.
            if self._descriptor is not None:
                os.ftruncate(self._descriptor, self._written)
            self.close()
