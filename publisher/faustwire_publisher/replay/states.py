"""What of a recording is to be sent: the states of its workers, in the order of their arrival."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, TypeAlias

from faustwire import codec, recording
from faustwire.errors import MessageError
from faustwire.header import read_fields
from faustwire.messages import Hello
from faustwire.recording import Item, RecordedWorker, Recording
from faustwire.recording.publications import Publications, recorded_workers
from faustwire_publisher.errors import ArgumentError

# How far back from an arbitrary time a state is looked for that was published after it.
_LATE_NS = 60 * 10**9
# Workers ping every second.
_SILENCE_NS = 10 * 10**9


@dataclass(frozen=True)
class RecordedState:
    """A Snapshot or OwnProgram that a worker sent.

    Attributes:
        at_ns: when it is to be sent, on the recording's clock.
        hello: whose it is.
        seq: its number in the recording.
        call: number of the worker's call; None: an OwnProgram.
        data: its bytes.
        after_silence: before it no message came for a while, not even a ping: no worker was
            connected, or it is another recording.
    """

    at_ns: int
    hello: Hello
    seq: int
    call: int | None
    data: bytes = field(repr=False)
    after_silence: bool = False


@dataclass(frozen=True)
class RecordedBye:
    """A worker said Bye."""

    at_ns: int
    incarnation: str


# What a recorded message is; None: nothing that is to be sent.
_Message: TypeAlias = RecordedState | RecordedBye | None


@dataclass(frozen=True)
class Position:
    """A place in a recording: seconds since its beginning, or a call of each worker."""

    seconds: float | None = None
    call: int | None = None


def position(value: str | float | Position | None) -> Position | None:
    """A place as people write it: 12.5, "12.5s", "call:300" or, the same, "step:300".

    Args:
        value: what was written; a Position and None are returned as they are.

    Raises:
        ArgumentError: it is not a place.
    """
    if value is None or isinstance(value, Position):
        return value
    found = re.fullmatch(r"(?:(?:call|step):(\d{1,18})|(\d*\.?\d+)s?)", str(value))
    if found is None:
        raise ArgumentError(f"{value!r} is not a place in a recording: write 12.5s, or call:300")
    call, seconds = found.groups()
    return Position(call=int(call)) if call else Position(seconds=float(seconds))


class States:
    """The states of a recording, or a selection of them.

    Attributes:
        recording: where they are.
        skipped: number of messages that can't be read as the states that they should be.
    """

    def __init__(
        self,
        recording: Recording,
        *,
        workers: Sequence[str] = (),
        start: Position | None = None,
        end: Position | None = None,
        published: bool = False,
    ) -> None:
        """Select states; nothing is read yet.

        Args:
            recording: where they are.
            workers: names of those whose states are wanted; empty: all.
            start: where the selection begins; None: with the recording.
            end: where it ends, included; None: with the recording.
            published: only what was published then, at the time at which it was.
        """
        self.recording = recording
        self.skipped = 0
        self._workers = tuple(workers)
        self._start, self._end = start or Position(), end or Position()
        self._published = published
        self._begun_ns = recording.start_ns or 0
        self._hellos: dict[int, tuple[Any, Hello | None]] = {}

    def seconds(self, at_ns: int) -> float:
        """Seconds since the beginning of the recording."""
        return (at_ns - self._begun_ns) * 1e-9

    @cached_property
    def meant(self) -> list[RecordedWorker]:
        """The workers whose states are wanted."""
        return [
            worker
            for worker in recorded_workers(self.recording)
            if not self._workers or any(map(worker.is_called, self._workers))
        ]

    @cached_property
    def first_ns(self) -> int:
        """Start of the selection, ns on the recording's clock."""
        first_ns = self._begun_ns + round((self._start.seconds or 0.0) * 1e9)
        if self._start.call is None:
            return first_ns
        # Found without reading what lies before.
        found = (self.recording.find(self._start.call, worker) for worker in self.meant)
        return min((item.at_ns for item in found if item is not None), default=self.last_ns)

    @property
    def last_ns(self) -> int:
        """End of the selection, ns on the recording's clock."""
        end_ns = self.recording.end_ns or self._begun_ns
        if self._end.seconds is None:
            return end_ns
        return min(end_ns, self._begun_ns + round(self._end.seconds * 1e9))

    def since(self, at_ns: int) -> Iterator[RecordedState | RecordedBye]:
        """The states at and after a time in ns, and the workers that leave, in order."""
        at_ns = max(at_ns, self.first_ns)
        came = self._as_published(at_ns) if self._published else self._as_they_came(at_ns)
        silent = False
        for state, after_silence in came:
            silent = silent or after_silence
            if isinstance(state, RecordedBye):
                yield state
            elif state is not None and self._is_wanted(state):
                yield replace(state, after_silence=silent)
                silent = False

    def before(self, at_ns: int) -> RecordedState | None:
        """The last state before a time in ns; None: there is none."""
        reach_ns = 10**9
        while True:
            last = None
            for state in self.since(at_ns - reach_ns):
                if state.at_ns >= at_ns:
                    break
                if isinstance(state, RecordedState):
                    last = state
            if last is not None or at_ns - reach_ns <= self.first_ns:
                return last
            reach_ns *= 4

    def will_be_answered(self, state: RecordedState) -> bool:
        """Whether a bridge can at least tell which message it is; others are counted as skipped."""
        try:
            codec.decode(state.data)
        except MessageError as problem:
            if problem.seq is None:
                self.skipped += 1
                return False
        return True

    def _is_wanted(self, state: RecordedState) -> bool:
        if state.call is None:
            return True
        first, last = self._start.call or 1, self._end.call or math.inf
        return first <= state.call <= last

    def _as_they_came(self, at_ns: int) -> Iterator[tuple[_Message, bool]]:
        """What each item is, if it is to be sent, and whether there was silence before it."""
        newest: dict[str, int] = {}
        for item, silent in self._items(at_ns, {recording.IN}):
            state = self.state(item)
            if isinstance(state, RecordedState):
                if state.seq <= newest.get(state.hello.incarnation, -1):
                    state = None  # Sent again then, over another connection.
                else:
                    newest[state.hello.incarnation] = state.seq
            yield state, silent

    def _as_published(self, at_ns: int) -> Iterator[tuple[_Message, bool]]:
        """The same, with each state when the bridge wrote it, which may be later than it came."""
        publications = Publications()
        topics = {recording.IN, recording.EVENT}
        for item, silent in self._items(at_ns - _LATE_NS, topics):
            published = publications.published_by(item)
            if item.at_ns < at_ns:
                continue
            state = self.state(published or item)
            if isinstance(state, RecordedState):
                state = None if published is None else replace(state, at_ns=item.at_ns)
            yield state, silent

    def _items(self, at_ns: int, topics: set[str]) -> Iterator[tuple[Item, bool]]:
        heard_ns = None
        for item in self.recording.items(start_ns=at_ns, end_ns=self.last_ns, topics=topics):
            if item.topic == recording.IN and "incarnation" not in item.metadata:
                continue  # Those who listen or steer are there while no worker is.
            yield item, heard_ns is not None and item.at_ns - heard_ns > _SILENCE_NS
            heard_ns = item.at_ns

    def state(self, item: Item) -> RecordedState | RecordedBye | None:
        """What a message is, if it is one of a worker that is meant."""
        hello = self._hello(item)
        if hello is None:
            return None
        try:
            seen = read_fields(item.data, "type", "seq", "call")
        except MessageError:
            self.skipped += 1
            return None
        match seen.get("type"), seen.get("seq"), seen.get("call"):
            case "snapshot", int(seq), int(call):
                return RecordedState(item.at_ns, hello, seq, call, item.data)
            case "source", int(seq), _:
                return RecordedState(item.at_ns, hello, seq, None, item.data)
            case "bye", _, _:
                return RecordedBye(item.at_ns, hello.incarnation)
        return None

    def _hello(self, item: Item) -> Hello | None:
        """Who sent it; looked up once a channel."""
        known = self._hellos.get(id(item.metadata))
        if known is None:
            worker = recording.recorded_worker(item.metadata)
            if worker is not None and self._workers:
                worker = worker if any(map(worker.is_called, self._workers)) else None
            hello = None if worker is None else worker.hello
            # The metadata are kept, so that no other's can have their place in memory.
            known = self._hellos[id(item.metadata)] = (item.metadata, hello)
        return known[1]
