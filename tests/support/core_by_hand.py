"""A core without sockets, on a clock that a test moves by hand."""

from __future__ import annotations

from faustwire.messages import Hello, Snapshot, Source, Verdict, Welcome
from faustwire_bridge import core
from faustwire_bridge.gates.report import Report
from graphs import gain

WELCOME = Welcome(1, "studio", "/plugins/live.dsp")


class Bridge:
    """A core with a clock that a test moves; the disk and libfaust work unless told otherwise."""

    def __init__(self, *, leave_when_idle: bool = False) -> None:
        self.now = 100.0
        self.core = core.Core(WELCOME, self.now, leave_when_idle=leave_when_idle)
        self.writes: list[core.Write] = []
        self.compiles: list[core.Compile] = []
        # What libfaust says; None: it takes its time.
        self.compiled: core.Outcome | None = core.Compiled(Report())
        self.disk_problem: str | None = None
        self.stopped = False

    def take(self, event: core.Event) -> list[core.Send]:
        sends = []
        for instruction in self.core.handle(event, self.now):
            if isinstance(instruction, core.Write):
                self.writes.append(instruction)
                outcome = (
                    core.WriteFailed(self.disk_problem) if self.disk_problem else core.Written()
                )
                sends += self.take(outcome)
            elif isinstance(instruction, core.Compile):
                self.compiles.append(instruction)
                if self.compiled is not None:
                    sends += self.take(self.compiled)
            elif isinstance(instruction, core.Stop):
                self.stopped = True
            else:
                sends.append(instruction)
        return sends

    def worker(self, name: str = "anna", *, every: int = 1, min_interval: float = 0.0) -> Worker:
        return Worker(self, name, Hello(name, f"{name}-1", every=every, min_interval=min_interval))


class Worker:
    """A worker that is connected to the bridge under test."""

    def __init__(self, bridge: Bridge, name: str, hello: Hello) -> None:
        self.bridge, self.hello, self.peer = bridge, hello, name.encode()
        self.call, self.seq = 0, 0
        assert self.take(hello) == [core.Send(self.peer, WELCOME)]

    def take(self, message: object) -> list[core.Send]:
        return self.bridge.take(core.Arrived(self.peer, message))  # type: ignore[arg-type]

    def verdict(self, message: Snapshot | Source) -> Verdict:
        [send] = self.take(message)
        assert send.peer == self.peer
        assert isinstance(send.message, Verdict)
        assert send.message.seq == message.seq
        return send.message

    def update(self, value: float, *, force: bool = False, skip: int = 0) -> Verdict:
        self.call += 1 + skip
        self.seq += 1
        return self.verdict(Snapshot(self.seq, self.call, 48000.0, gain(value), force=force))

    def publish(self, code: str) -> Verdict:
        self.seq += 1
        return self.verdict(Source(self.seq, code))
