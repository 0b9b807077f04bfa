"""Workers without a training: real connections, each as fast as it is answered.

    python load.py PLAN      (a Plan as JSON)

prints "ready" when every worker is welcome, begins when its standard input has a line, ends when
that ends or the plan's time is up, and prints a Tally as JSON. Each snapshot is a program that
never was: one gain in it differs.
"""

from __future__ import annotations

import json
import os
import select
import struct
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import msgpack
import zmq

from faustwire import codec, graph_codec
from faustwire.messages import Bye, Hello, Snapshot

# Long ones, so that any number has room in their place; each stands for what differs.
_SEQ, _CALL, _GAIN = 2**62 + 11, 2**62 + 13, 0.12345678901234567
# After the last snapshot was sent, how long its verdict may take.
_PATIENCE_SECONDS = 20.0


@dataclass(frozen=True)
class Plan:
    """What a process of workers does.

    Attributes:
        endpoint: of the bridge.
        snapshot: a file with an encoded Snapshot.
        workers, first: how many, and the number of the first.
        seconds: how long they send at most.
        min_interval: as in Hello.
        credit: how many snapshots of a worker may be on their way.
        pace: seconds between two calls of a worker at least.
    """

    endpoint: str
    snapshot: str
    workers: int = 1
    first: int = 0
    seconds: float = 5.0
    min_interval: float = 0.0
    credit: int = 1
    pace: float = 0.0


@dataclass
class Tally:
    """What came of a plan.

    Attributes:
        answered: verdicts in time, a number for each worker.
        reasons: how often calls ended with each, late ones included.
        latencies: seconds from a snapshot to its verdict.
        newest: how the newest snapshot of each worker ended.
        lost: snapshots without a verdict in the end.
        twice: verdicts that answer nothing that waits.
        cpu_seconds: that this process took.
    """

    answered: list[int] = field(default_factory=list)
    reasons: dict[str, int] = field(default_factory=dict)
    latencies: list[float] = field(default_factory=list)
    newest: list[str] = field(default_factory=list)
    lost: int = 0
    twice: int = 0
    cpu_seconds: float = 0.0


class Template:
    """An encoded snapshot in which number, call and one gain can be changed in a microsecond."""

    def __init__(self, data: bytes) -> None:
        message = codec.decode(data)
        assert isinstance(message, Snapshot)
        body = graph_codec.to_dicts(message.graph)
        gain = next(_gains(body))
        matrix = gain["matrix"].copy()
        matrix[0, 0] = _GAIN
        gain["matrix"] = matrix
        graph = graph_codec.from_dicts(body)
        rest = codec.encode(replace(message, seq=_SEQ, call=_CALL, graph=graph))
        self._pieces = []
        for mark in (struct.pack(">Q", _SEQ), struct.pack(">Q", _CALL), struct.pack("<d", _GAIN)):
            before, _, rest = rest.partition(mark)
            self._pieces.append(before)
        self._pieces.append(rest)

    def message(self, seq: int, gain: float) -> bytes:
        """The snapshot as call number ``seq``."""
        one, two, three, four = self._pieces
        number = struct.pack(">Q", seq)
        return b"".join((one, number, two, number, three, struct.pack("<d", gain), four))


def _gains(node: dict[str, Any]) -> Iterator[dict[str, Any]]:
    if node["type"] == "gain":
        yield node
    for child in (*node.get("nodes", ()), node.get("forward"), node.get("feedback")):
        if child is not None:
            yield from _gains(child)


class _Worker:
    def __init__(self, context: zmq.Context[zmq.Socket[bytes]], number: int, plan: Plan) -> None:
        self.number, self.plan = number, plan
        self.socket = context.socket(zmq.DEALER)
        self.socket.connect(plan.endpoint)
        hello = Hello(f"w{number}", f"{os.getpid()}-{number}", min_interval=plan.min_interval)
        self.socket.send(codec.encode(hello))
        self.seq, self.answered, self.next_at = 0, 0, 0.0
        self.sent: dict[int, float] = {}
        self.newest = ""

    def send(self, template: Template, now: float) -> None:
        while len(self.sent) < self.plan.credit and now >= self.next_at:
            self.seq += 1
            gain = 0.5 + self.number * 1e-3 + self.seq * 1e-9
            self.socket.send(template.message(self.seq, gain))
            self.sent[self.seq] = now
            self.next_at = now + self.plan.pace


class Load:
    """The workers of a plan, in this process."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._template = Template(Path(plan.snapshot).read_bytes())
        self._context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        self._context.setsockopt(zmq.LINGER, 200)
        numbers = range(plan.first, plan.first + plan.workers)
        self._workers = [_Worker(self._context, number, plan) for number in numbers]
        self._poller = zmq.Poller()
        for worker in self._workers:
            welcome = codec.decode(worker.socket.recv())
            assert type(welcome).__name__ == "Welcome", welcome
            self._poller.register(worker.socket, zmq.POLLIN)
        self._by_socket = {worker.socket: worker for worker in self._workers}
        self._tally = Tally()
        self._reasons: Counter[str] = Counter()

    def run(self) -> Tally:
        """Send for as long as planned, and wait for what is still on its way."""
        cpu, end = time.process_time(), time.monotonic() + self._plan.seconds
        while (now := time.monotonic()) < end and not select.select([0], [], [], 0)[0]:
            for worker in self._workers:
                worker.send(self._template, now)
            self._receive(self._patience_ms(now), in_time=True)
        patience = time.monotonic() + _PATIENCE_SECONDS
        while any(worker.sent for worker in self._workers) and time.monotonic() < patience:
            self._receive(100, in_time=False)
        tally = self._tally
        tally.cpu_seconds = time.process_time() - cpu
        tally.answered = [worker.answered for worker in self._workers]
        tally.newest = [worker.newest for worker in self._workers]
        tally.lost = sum(len(worker.sent) for worker in self._workers)
        tally.reasons = dict(self._reasons)
        self._close()
        return tally

    def _patience_ms(self, now: float) -> int:
        if not self._plan.pace:
            return 100
        free = [w.next_at for w in self._workers if len(w.sent) < self._plan.credit]
        return max(0, min(100, int((min(free, default=now + 1) - now) * 1000) + 1))

    def _receive(self, patience_ms: int, *, in_time: bool) -> None:
        for socket, _ in self._poller.poll(patience_ms):
            worker = self._by_socket[socket]
            while True:
                try:
                    body = msgpack.unpackb(socket.recv(zmq.DONTWAIT))
                except zmq.Again:
                    break
                self._take(worker, body, in_time=in_time)

    def _take(self, worker: _Worker, body: dict[str, Any], *, in_time: bool) -> None:
        if body["type"] != "verdict":
            self._reasons[body["type"]] += 1
            return
        sent = worker.sent.pop(body["seq"], None)
        if sent is None:
            self._tally.twice += 1
            return
        self._reasons[body["reason"]] += 1
        self._tally.latencies.append(time.monotonic() - sent)
        worker.answered += in_time
        if body["seq"] == worker.seq:
            worker.newest = body["reason"]

    def _close(self) -> None:
        for worker in self._workers:
            worker.socket.send(codec.encode(Bye()))
            worker.socket.close()
        self._context.term()


def spread(plan: Plan, workers: int, count: int) -> list[Plan]:
    """So many workers of a plan over some processes."""
    count = min(count, workers)
    edges = [workers * k // count for k in range(count + 1)]
    return [replace(plan, first=first, workers=last - first) for first, last in pairwise(edges)]


@contextmanager
def processes(plans: Sequence[Plan]) -> Iterator[list[subprocess.Popen[str]]]:
    """A process for each plan, all welcome and not begun yet."""
    command = [sys.executable, __file__]
    running = [
        subprocess.Popen(
            [*command, json.dumps(asdict(plan))],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for plan in plans
    ]
    try:
        for process in running:
            assert process.stdout is not None
            ready = process.stdout.readline()
            assert ready == "ready\n", f"no worker is welcome: {ready!r}"
        yield running
    finally:
        for process in running:
            process.kill()
            process.wait()
            for pipe in (process.stdin, process.stdout):
                if pipe is not None:
                    pipe.close()


def begin(running: Sequence[subprocess.Popen[str]]) -> None:
    """Have them send."""
    for process in running:
        assert process.stdin is not None
        process.stdin.write("\n")
        process.stdin.flush()


def end(running: Sequence[subprocess.Popen[str]]) -> None:
    """Have them stop before their time is up."""
    for process in running:
        assert process.stdin is not None
        process.stdin.close()


def tallies(running: Sequence[subprocess.Popen[str]]) -> list[Tally]:
    """Wait until they are through."""
    found = []
    for process in running:
        assert process.stdout is not None
        found.append(Tally(**json.loads(process.stdout.readline())))
    return found


def main() -> None:
    """Carry a plan out."""
    load = Load(Plan(**json.loads(sys.argv[1])))
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    sys.stdin.readline()
    sys.stdout.write(json.dumps(asdict(load.run())) + "\n")


if __name__ == "__main__":
    main()
