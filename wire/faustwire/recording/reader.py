"""Reading a recording: its files in the order of time, one chunk in memory at a time."""

from __future__ import annotations

import itertools
import math
import os
from collections import OrderedDict
from collections.abc import Collection, Iterable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from faustwire.errors import RecordingError
from faustwire.header import read_header
from faustwire.recording.channels import IN, MARK, TOPICS, Channel, RecordedWorker, recorded_worker
from faustwire.recording.damage import Damage, Damages
from faustwire.recording.index import Chunk, Index
from faustwire.recording.part import Part

# Indexes that are kept in memory: of the files around the place that is read.
_INDEXES = 4


class Item(NamedTuple):
    """One message of a recording.

    Attributes:
        at_ns: when it was recorded, Unix time in ns.
        topic: ``in``, ``out``, ``event`` or ``core``.
        metadata: of its channel: ``peer``, ``worker``, …; the same object for the same channel.
        data: its bytes, as they were.
    """

    at_ns: int
    topic: str
    metadata: Mapping[str, str]
    data: bytes


class Recording:
    """A recording, in one or several files.

    A damaged chunk is left out and noted in ``damage``, and reading goes on with the next. What is
    read is what was written: each chunk has a CRC, and the messages of a file are numbered. One
    chunk is in memory at a time, unpacked at most 32 MiB (half a MiB as our writer makes them), and
    the index of its file.

    Attributes:
        metadata: what the first file says about the recording; ``docs/recording.md`` has the names.
    """

    def __init__(self, paths: str | Path | Iterable[str | Path]) -> None:
        """Open files, in any order, or folders of them.

        Args:
            paths: of the files or folders.

        Raises:
            RecordingError: none of them is a faustwire recording; or it is of a later format.
            OSError: one can't be read.
        """
        self._damages = Damages()
        given = [paths] if isinstance(paths, (str, Path)) else list(paths)
        parts = [(_order(part), part) for part in self._open(given)]
        self._parts = [part for _, part in sorted(parts, key=lambda pair: pair[0])]
        self._recent: OrderedDict[Path, Part] = OrderedDict()
        self.metadata: Mapping[str, str] = next(
            (part.metadata for part in self._parts if part.metadata), {}
        )

    def _open(self, given: list[str | Path]) -> list[Part]:
        parts, problems = [], []
        for path in _files(given):
            try:
                parts.append(Part(path, self._damages))
            except RecordingError as problem:  # noqa: PERF203 - one bad file of many
                problems.append(problem)
                self._damages.note(path, 0, str(problem))
        if not parts:
            raise (
                problems[0]
                if problems
                else RecordingError(f"no .mcap file in {', '.join(map(str, given))}")
            )
        return parts

    @property
    def paths(self) -> list[Path]:
        """The files, in the order of time."""
        return [part.path for part in self._parts]

    @property
    def unfinished(self) -> list[str]:
        """A line for each file that a bridge is still writing, with its process; empty: none."""
        return [
            f"{part.path.name} is still being written by the bridge with pid "
            f"{part.metadata.get('pid', '?')}: what it has recorded so far is read"
            for part in self._parts
            if part.is_written()
        ]

    @property
    def damage(self) -> list[Damage]:
        """What could not be read so far, by file and offset; empty: nothing is missing."""
        return list(self._damages)

    @property
    def start_ns(self) -> int | None:
        """When the first message was recorded, Unix time; None: there is none."""
        times = (chunk.start_ns for part in self._parts for chunk in self._index(part).chunks[:1])
        return next(times, None)

    @property
    def end_ns(self) -> int | None:
        """When the last message was recorded, Unix time; None: there is none."""
        backwards = reversed(self._parts)
        times = (chunk.end_ns for part in backwards for chunk in self._index(part).chunks[-1:])
        return next(times, None)

    def channels(self) -> Iterator[Channel]:
        """The channels of each file; a worker's comes again with every file and connection."""
        for part in self._parts:
            yield from self._index(part).channels.values()

    def __iter__(self) -> Iterator[Item]:
        return self.items()

    def items(
        self,
        start_ns: int | None = None,
        end_ns: int | None = None,
        topics: Collection[str] = TOPICS,
    ) -> Iterator[Item]:
        """The messages in the order in which they were recorded.

        Args:
            start_ns: leave out what is earlier, Unix time. What lies before is not even read.
            end_ns: stop at what is later.
            topics: leave out others.
        """
        earliest = -math.inf if start_ns is None else start_ns
        latest = math.inf if end_ns is None else end_ns
        for part, following in zip(self._parts, [*self._parts[1:], None], strict=True):
            if following is not None and _ends(part, following) < earliest:
                continue
            for item in self._items(part, start_ns):
                if item.at_ns > latest:
                    break
                if item.topic in topics and item.at_ns >= earliest:
                    yield item

    def _items(self, part: Part, start_ns: int | None) -> Iterator[Item]:
        index = self._index(part)
        first = 0 if start_ns is None else _first_chunk(index.chunks, start_ns)
        channels = index.channels
        known: dict[int, tuple[str, Mapping[str, str]]] = {}
        for number, _sequence, at_ns, data in part.read(index, first):
            if number not in known:
                channel = channels.get(number)
                if channel is None:
                    part.note_unknown(number)
                    continue
                known[number] = channel.topic, channel.metadata
            topic, metadata = known[number]
            if topic != MARK:
                yield Item(at_ns, topic, metadata, data)

    def _index(self, part: Part) -> Index:
        """The index of a part; those of parts that were read long ago are released."""
        self._recent[part.path] = part
        self._recent.move_to_end(part.path)
        while len(self._recent) > _INDEXES:
            self._recent.popitem(last=False)[1].forget()
        return part.index()

    def find(self, call: int, worker: str | RecordedWorker = "") -> Item | None:
        """Find the snapshot of a call, or the next one if that was never sent or is lost.

        Long recordings are searched by bisection, because the numbers of a worker's calls rise.

        Args:
            call: number of the worker's call.
            worker: a name as people write it (see ``worker_name``), or one worker; empty: any.

        Returns:
            The snapshot; None: there is none from that call on.
        """
        found: tuple[int, Item] | None = None
        for part in self._parts:
            index = self._index(part)
            for numbers in _incarnations(index, worker):
                candidate = _Calls(part, index, numbers).first_from(call)
                if candidate is not None and (found is None or candidate[0] < found[0]):
                    found = candidate
        return found[1] if found else None


def _files(given: Iterable[str | Path]) -> list[Path]:
    """The files, each once, even where one is named as well as its folder."""
    found: dict[Path, Path] = {}
    for path in map(Path, given):
        paths = [path]
        if path.is_dir():
            paths = [inside for inside in sorted(path.glob("*.mcap")) if inside.is_file()]
        found |= {Path(os.path.realpath(one)): one for one in paths}
    return list(found.values())


def _order(part: Part) -> tuple[int, str, int, str]:
    """The sort key of a file: when its recording began, which recording it is, and its number."""
    said = part.metadata
    if not said:
        chunks = part.index().chunks
        return (chunks[0].start_ns if chunks else 0), "", 0, part.path.name
    started_ns, number = _number(said.get("started_ns")), _number(said.get("part"))
    return started_ns, said.get("recording", ""), number, part.path.name


def _ends(part: Part, following: Part) -> float:
    """A time by which a file had ended: when the next one of its recording was begun, ns."""
    if part.metadata.get("recording") != following.metadata.get("recording"):
        return math.inf
    return _number(following.metadata.get("opened_ns")) or math.inf


def _number(text: str | None) -> int:
    return int(text) if text and len(text) < 20 and text.isdecimal() else 0


def _first_chunk(chunks: list[Chunk], start_ns: int) -> int:
    """The number of the first chunk that can hold a message from that time on.

    The times at the head of a chunk have no CRC, so those of the next chunk are used as well.
    """
    for number, (chunk, following) in enumerate(itertools.pairwise(chunks)):
        if chunk.end_ns >= start_ns or following.start_ns >= start_ns:
            return number
    return max(0, len(chunks) - 1)


def _incarnations(index: Index, worker: str | RecordedWorker) -> Iterator[set[int]]:
    """The numbers of the channels of each wanted incarnation, one for each of its connections."""
    numbers: dict[str, set[int]] = {}
    for number, channel in index.channels.items():
        found = recorded_worker(channel.metadata) if channel.topic == IN else None
        if found is not None and _is_wanted(found, worker):
            numbers.setdefault(found.hello.incarnation, set()).add(number)
    yield from numbers.values()


def _is_wanted(found: RecordedWorker, worker: str | RecordedWorker) -> bool:
    if isinstance(worker, RecordedWorker):
        return found.hello.incarnation == worker.hello.incarnation
    return not worker or found.is_called(worker)


class _Calls:
    """The snapshots of one incarnation in one file, over all its connections."""

    def __init__(self, part: Part, index: Index, numbers: set[int]) -> None:
        self._part, self._index, self._numbers = part, index, numbers
        self._chunks = [c for c in index.chunks if not numbers.isdisjoint(c.channels)]

    def first_from(self, call: int) -> tuple[int, Item] | None:
        """The first snapshot whose call is not lower, and the number of its call."""
        # Chunks before `low` begin with a lower call, those from `high` on with a higher one.
        low, high = 0, len(self._chunks)
        while low < high:
            middle = (low + high) // 2
            at, first = middle, None
            while at < high and first is None:  # A chunk may hold no snapshot at all.
                first = next(self._of(self._chunks[at]), None)
                at += 1
            if first is not None and first[0] <= call:
                low = at
            else:
                high = middle
        for chunk in self._chunks[max(0, low - 1) :]:
            for number, item in self._of(chunk):
                if number >= call:
                    return number, item
        return None

    def _of(self, chunk: Chunk) -> Iterator[tuple[int, Item]]:
        for number, _sequence, at_ns, data in self._part.messages(chunk, self._index):
            if number in self._numbers:
                seen = read_header(data)
                if seen is not None and seen.type == "snapshot" and seen.call is not None:
                    yield seen.call, Item(at_ns, IN, self._index.channels[number].metadata, data)
