"""A core without sockets, on a clock that a test moves by hand."""

from __future__ import annotations

from faustwire import codec
from faustwire.messages import Event, Hello, OwnProgram, Snapshot, Verdict, Welcome
from faustwire.packed_snapshot import Incoming, PackedSnapshot, read
from faustwire_bridge.analysis.judgement import judge
from faustwire_bridge.core import events, instructions, state_machine
from faustwire_bridge.core.compile_report import Report
from faustwire_bridge.core.rules import Rules
from graphs import gain

WELCOME = Welcome(1, "studio", "/plugins/live.dsp")


def arrived(peer: bytes, message: object, user: events.User | None = None) -> events.Arrived:
    """A message as it comes over the wire: of a snapshot only the header is read."""
    came: Incoming = message  # type: ignore[assignment]
    if isinstance(message, Snapshot):
        came = read(codec.encode(message))
    return events.Arrived(peer, came, user)


def encoded(message: Incoming) -> bytes:
    """A message's bytes, as they came over the wire."""
    return message.data if isinstance(message, PackedSnapshot) else codec.encode(message)


class Bridge:
    """A core with a clock that a test moves; the disk and libfaust work unless told otherwise."""

    def __init__(self, rules: Rules | None = None) -> None:
        self.now = 100.0
        self.rules = rules or Rules()
        self.core = state_machine.Core(WELCOME, self.now, self.rules)
        self.events: list[Event] = []
        # Whether snapshots are judged at once; else the test says when.
        self.judges = True
        self.judging: list[instructions.Judge] = []
        self.writes: list[instructions.Write] = []
        self.compiles: list[instructions.Compile] = []
        # What libfaust says; None: it takes its time.
        self.compiled: events.Outcome | None = events.Compiled(Report())
        self.disk_problem: str | None = None
        self.stopped = False
        self.cancelled = 0
        # What goes on in the background.
        self.aside: instructions.Judge | None = None
        self.set_aside = 0
        self.errors: list[Exception] = []

    def take(self, event: events.CoreEvent) -> list[instructions.Send]:
        sends = []
        for instruction in self.core.handle(event, self.now):
            if isinstance(instruction, instructions.Send):
                sends.append(instruction)
            else:
                sends += self._follow(instruction)
        return sends

    def _follow(self, instruction: instructions.Instruction) -> list[instructions.Send]:
        match instruction:
            case instructions.Write():
                self.writes.append(instruction)
                problem = self.disk_problem
                return self.take(events.WriteFailed(problem) if problem else events.Written())
            case instructions.Compile():
                self.compiles.append(instruction)
                return [] if self.compiled is None else self.take(self.compiled)
            case instructions.Judge():
                self.judging.append(instruction)
                return self.take(self.judged()) if self.judges else []
            case instructions.SetAside():
                self.aside = self.judging.pop() if self.judging else None
                self.set_aside += 1
            case instructions.Cancel(aside=True):
                self.aside = None
            case instructions.Cancel():
                self.judging.clear()
                self.cancelled += 1
            case instructions.Happened(event):
                self.events.append(event)
            case instructions.LogInternalError(error):
                self.errors.append(error)
            case instructions.Stop():
                self.stopped = True
        return []

    def judged(self) -> events.Judged:
        """What comes of the snapshot that is being judged."""
        return self._judged(self.judging.pop(0))

    def judged_aside(self) -> events.FinishedAside:
        """What comes of the one that is set aside."""
        asked, self.aside = self.aside, None
        assert asked is not None
        return events.FinishedAside(self._judged(asked))

    def _judged(self, asked: instructions.Judge) -> events.Judged:
        return judge(
            asked.data,
            limits=self.rules.limits,
            playing=asked.playing,
            playing_db=asked.playing_db,
            played=asked.played,
        )

    def until(self, now: float) -> list[instructions.Send]:
        """Move the clock to a time, delivering the ticks that the core asks for on the way."""
        sends = []
        while not self.stopped:
            deadline = self.core.deadline()
            if deadline is None or deadline > now:
                break
            self.now = max(self.now, deadline)
            sends += self.take(events.Tick())
        self.now = now
        return sends

    def worker(self, name: str = "anna", *, every: int = 1, min_interval: float = 0.0) -> Worker:
        return Worker(self, name, Hello(name, f"{name}-1", every=every, min_interval=min_interval))


class Worker:
    """A worker that is connected to the bridge under test."""

    def __init__(self, bridge: Bridge, name: str, hello: Hello) -> None:
        self.bridge, self.hello, self.peer = bridge, hello, name.encode()
        self.call, self.seq = 0, 0
        assert self.take(hello) == [instructions.Send(self.peer, WELCOME)]

    def take(self, message: object) -> list[instructions.Send]:
        return self.bridge.take(arrived(self.peer, message))

    def verdict(self, message: Snapshot | OwnProgram) -> Verdict:
        [send] = self.take(message)
        assert send.peer == self.peer
        assert isinstance(send.message, Verdict)
        assert send.message.seq == message.seq
        return send.message

    def update(
        self,
        value: float,
        *,
        force: bool = False,
        skip: int = 0,
        metrics: dict[str, float] | None = None,
    ) -> Verdict:
        self.call += 1 + skip
        self.seq += 1
        numbers = self.seq, self.call, 48000.0
        return self.verdict(Snapshot(*numbers, gain(value), force=force, metrics=metrics or {}))

    def publish(self, code: str) -> Verdict:
        self.seq += 1
        return self.verdict(OwnProgram(self.seq, code))
