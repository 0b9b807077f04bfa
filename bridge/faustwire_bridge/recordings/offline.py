"""A recording decided again: the core fed by hand, with the recorded clock and no sockets.

The same recording through the same version gives the same verdicts and the same programs, to the
byte. What libfaust and the disk said then is said again; how a snapshot sounds is computed again.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Iterator
from contextlib import closing
from dataclasses import replace
from itertools import groupby
from pathlib import Path

from faustwire import codec, recording
from faustwire.errors import MessageError
from faustwire.messages import Event, Hello, Listen, OwnProgram, Verdict
from faustwire.packed_snapshot import PackedSnapshot, read
from faustwire.recording import Item, Recording
from faustwire.recording.publications import Publications
from faustwire_bridge.children.judge import JudgeProcess
from faustwire_bridge.core import events, instructions
from faustwire_bridge.core.events import Judged, JudgeFailed, Unchecked, User, Written
from faustwire_bridge.core.instructions import Judge, Write
from faustwire_bridge.core.state_machine import Core
from faustwire_bridge.recordings import journal, metadata
from faustwire_bridge.recordings.comparison import Comparison
from faustwire_bridge.recordings.outcome import Outcome, Output
from faustwire_bridge.recordings.outstanding import COMPILED, OUTCOMES, Outstanding, answers
from faustwire_bridge.recordings.recorded_bridge import recorded_bridge

# Calls whose verdict is to come; a worker has one at a time, and one that waits.
_MAX_CALLS = 4096
_MAX_NOTES = 1000
# Nobody waits for a verdict here, and a slow machine must decide the same.
_JUDGE_SECONDS = 60.0


def decide_again(paths: Iterable[str | Path], folder: Path) -> Outcome:
    """Feed a recording to the core, and write what it would have a bridge write.

    Args:
        paths: files of a recording, or folders of them.
        folder: gets each program in a file of its own, by number, and ``verdicts.jsonl`` with a
            line for each verdict and each program.

    Returns:
        What came of it, and where that is not what was recorded.

    Raises:
        FolderError: there is something else in the folder.
        RecordingError: the files are not a recording.
        OSError: the disk.
    """
    outcome = Outcome()
    with closing(Output(folder, outcome)) as output:
        for found in _recordings(paths):
            with closing(_Again(found, output, outcome)) as again:
                for item in found:
                    again.take(item)
                again.end()
            outcome.notes += [f"damaged: {damage}" for damage in found.damage]
    return outcome


def _recordings(paths: Iterable[str | Path]) -> Iterator[Recording]:
    """The recording of each bridge by itself: it knew nothing of the one before."""
    files = Recording(paths).paths
    for _, parts in groupby(files, lambda path: Recording(path).metadata.get("recording")):
        yield Recording(parts)


class _Again:
    """Feeds the core what was recorded, item by item."""

    def __init__(self, found: Recording, output: Output, outcome: Outcome) -> None:
        self._output, self._outcome = output, outcome
        self._bridge = bridge = recorded_bridge(found)
        outcome.notes += bridge.notes
        self._begun = bridge.seconds(found.start_ns or 0)
        self._core = Core(bridge.welcome, self._begun, bridge.rules)
        self._judge = JudgeProcess(bridge.rules.limits, timeout=_JUDGE_SECONDS)
        self._comparison = Comparison(
            outcome, from_the_start=bridge.from_the_start, only_programs=bridge.only_published
        )
        self._outstanding = Outstanding()
        self._compiled: events.CoreEvent = Unchecked("the recording does not say")
        self._publications, self._numbers = Publications(), 0
        # Connections on which somebody has said Hello; a file has a bounded number of channels.
        self._met: set[bytes] = set()
        self._calls: OrderedDict[tuple[bytes, int], int] = OrderedDict()

    def take(self, item: Item) -> None:
        """Take one item of the recording."""
        try:
            if self._bridge.only_published:
                self._publish_again(item)
            elif item.topic == recording.IN:
                self._arrived(item)
            elif item.topic == recording.CORE:
                self._told(journal.decode(item.data), self._bridge.seconds(item.at_ns))
            elif item.topic == recording.OUT:
                self._sent(item)
            elif item.topic == recording.EVENT:
                self._happened_then(item)
        except MessageError as problem:
            self._note(f"{item.topic} at {self._at(self._bridge.seconds(item.at_ns))} s: {problem}")

    def _publish_again(self, item: Item) -> None:
        """Publish again, forced, what a recording of publications alone says was published."""
        now = self._bridge.seconds(item.at_ns)
        if item.topic == recording.CORE:
            event = journal.decode(item.data)
            outcome = event.outcome if isinstance(event, events.FinishedAside) else event
            if isinstance(outcome, COMPILED):
                self._compiled = outcome
        published = self._publications.published_by(item)
        if published is not None:
            peer, message = metadata.peer(published), read(published.data)
            self._introduce(published, None, now)
            # It was written then, though the plugin may have had it: a write had failed, say.
            self._handle(events.DspChanged(), now)
            self._numbers += 1
            if isinstance(message, PackedSnapshot):
                self._calls[peer, self._numbers] = message.call
                message = replace(message, seq=self._numbers, force=True)
            elif isinstance(message, OwnProgram):
                message = replace(message, seq=self._numbers)
            self._handle(events.Arrived(peer, message, None, len(published.data)), now)
            while self._outstanding.front is not None:
                self._help_out(now)
        if item.topic == recording.EVENT:
            self._happened_then(item)

    def close(self) -> None:
        """End the judging process."""
        self._judge.close()

    def end(self) -> None:
        """Nothing more was recorded."""
        self._comparison.end()

    # -- what comes in -----------------------------------------------------------------------

    def _arrived(self, item: Item) -> None:
        peer, now, user = metadata.peer(item), self._bridge.seconds(item.at_ns), metadata.user(item)
        event: events.CoreEvent
        try:
            message = read(item.data)
        except MessageError as problem:
            event = events.Unreadable(peer, str(problem), problem.seq)
        else:
            if isinstance(message, Listen):
                return  # Those who listen take no part in what is decided.
            event = events.Arrived(peer, message, user, len(item.data))
            if isinstance(message, PackedSnapshot):
                self._calls[peer, message.seq] = message.call
                if len(self._calls) > _MAX_CALLS:
                    self._calls.popitem(last=False)
            if isinstance(message, Hello):
                self._met.add(peer)
            else:
                self._introduce(item, user, now)
        self._handle(event, now)

    def _introduce(self, item: Item, user: User | None, now: float) -> None:
        """Somebody who had said Hello before the recording began, or in what is damaged."""
        hello = recording.hello(item.metadata)
        peer = metadata.peer(item)
        if hello is not None and peer not in self._met:
            self._met.add(peer)
            self._core.handle(events.Arrived(peer, hello, user), now)

    def _told(self, event: events.CoreEvent, now: float) -> None:
        if isinstance(event, events.FinishedAside):
            self._finish_aside(event.outcome, now)
            return
        if not isinstance(event, OUTCOMES):
            self._handle(event, now)
            return
        # What the recorded bridge had no need to ask for, or knew already.
        while self._outstanding.front is not None and not answers(event, self._outstanding.front):
            self._help_out(now)
        if self._outstanding.front is None:
            self._note(f"{type(event).__name__} at {self._at(now)} s answers nothing now")
            return
        if isinstance(event, Judged):
            event = self._judged(self._outstanding.front, now)
        self._answer(event, now)

    def _finish_aside(self, outcome: events.Outcome, now: float) -> None:
        asked = self._outstanding.aside
        if asked is None or not answers(outcome, asked):
            self._note(f"{type(outcome).__name__} at {self._at(now)} s: nothing is set aside now")
            return
        self._outstanding.aside = None
        if isinstance(outcome, Judged):
            outcome = self._judged(asked, now)
        self._handle(events.FinishedAside(outcome), now)

    def _help_out(self, now: float) -> None:
        """Answer what the core asks where the recording's answer is missing or comes later."""
        asked = self._outstanding.front
        if not self._bridge.only_published:
            self._note(f"{type(asked).__name__} at {self._at(now)} s was not asked for then")
        match asked:
            case Judge():
                self._answer(self._judged(asked, now), now)
            case Write():
                self._answer(Written(), now)
            case _:
                self._answer(self._compiled, now)

    def _judged(self, asked: instructions.Instruction, now: float) -> Judged | JudgeFailed:
        assert isinstance(asked, Judge)  # noqa: S101 - the caller has looked
        judged = self._judge.judge(asked)
        if isinstance(judged, JudgeFailed):
            self._note(f"a snapshot at {self._at(now)} s can't be judged: {judged.problem}")
        return judged

    def _answer(self, event: events.CoreEvent, now: float) -> None:
        asked, self._outstanding.front = self._outstanding.front, None
        written = asked.program if isinstance(asked, Write) else None
        self._handle(event, now, written if isinstance(event, Written) else None)

    def _happened_then(self, item: Item) -> None:
        event = codec.decode(item.data)
        if isinstance(event, Event):
            self._comparison.happened_then(event)

    def _sent(self, item: Item) -> None:
        message, peer = codec.decode(item.data), metadata.peer(item)
        if isinstance(message, Verdict):
            # A decision that takes longer now, and has nothing to come out by.
            while self._outstanding.front is not None and not self._comparison.is_decided(
                peer, message.seq
            ):
                self._help_out(self._bridge.seconds(item.at_ns))
            self._comparison.recorded(item.metadata.get("worker", ""), peer, message)

    # -- what comes out ----------------------------------------------------------------------

    def _handle(self, event: events.CoreEvent, now: float, written: str | None = None) -> None:
        """Have the core take an event; ``written``: the program that is the plugin's by it."""
        for instruction in self._decided(event, now):
            self._outstanding.follow(instruction)
            match instruction:
                case instructions.Send(peer, Verdict() as verdict, again):
                    self._comparison.decided(peer, verdict)
                    if not again:
                        self._output.verdict(verdict, **self._about(peer, verdict.seq, now))
                case instructions.Happened(happening):
                    self._comparison.happened(happening)
                    if written is not None and happening.program:
                        about = {"at": self._at(now), "worker": happening.worker}
                        self._output.program(written, **about, call=happening.call)
                case instructions.LogInternalError(error):
                    self._note(f"internal error at {self._at(now)} s: {error!r}")

    def _decided(self, event: events.CoreEvent, now: float) -> list[instructions.Instruction]:
        try:
            return self._core.handle(event, now)
        except Exception as problem:  # noqa: BLE001 - as the bridge does; the file may be anybody's
            self._note(f"{type(event).__name__} at {self._at(now)} s is dropped: {problem!r}")
            return []

    def _about(self, peer: bytes, seq: int, now: float) -> dict[str, object]:
        worker, call = self._core.worker(peer), self._calls.pop((peer, seq), None)
        return {"at": self._at(now), "worker": worker, "seq": seq, "call": call}

    def _at(self, now: float) -> float:
        return round(now - self._begun, 6)

    def _note(self, what: str) -> None:
        if len(self._outcome.notes) < _MAX_NOTES:
            self._outcome.notes.append(what)
