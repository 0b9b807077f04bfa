"""Load generator: workers without a training that send as fast as they are answered.

    python load.py PLAN      (a Plan as JSON)

prints "ready" once every worker is connected, starts at a line on standard input, stops when
standard input ends or the plan's time is up, and prints a Tally as JSON. Each snapshot makes a new
program: one gain in it differs.
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
    """What one process of workers does.

    Attributes:
        endpoint: of the bridge.
        snapshot: a file with an encoded Snapshot.
        workers, first: number of workers, and the index of the first.
        seconds: longest time of sending.
        min_interval: as in Hello.
        credit: snapshots of a worker that may be unanswered.
        pace: shortest time between two calls of a worker, seconds.
        step: by how much one gain grows from call to call.
    """

    endpoint: str
    snapshot: str
    workers: int = 1
    first: int = 0
    seconds: float = 5.0
    min_interval: float = 0.0
    credit: int = 1
    pace: float = 0.0
    step: float = 1e-9


@dataclass
class Tally:
    """Results of a plan.

    Attributes:
        answered: verdicts received in time, for each worker.
        reasons: number of verdicts by reason, late ones included.
        latencies: time from each snapshot to its verdict, seconds.
        newest: reason of each worker's newest snapshot.
        lost: snapshots that got no verdict.
        twice: verdicts for calls already answered.
        cpu_seconds: processor time of this process.
    """

    answered: list[int] = field(default_factory=list)
    reasons: dict[str, int] = field(default_factory=dict)
    latencies: list[float] = field(default_factory=list)
    newest: list[str] = field(default_factory=list)
    lost: int = 0
    twice: int = 0
    cpu_seconds: float = 0.0


class Template:
    """An encoded snapshot whose number, call and one gain can be changed in about a microsecond."""

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
            gain = 0.5 + self.number * 1e-3 + self.seq * self.plan.step
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
        """Send for the planned time, then wait for outstanding verdicts."""
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
    """Distribute a number of workers over some processes."""
    count = min(count, workers)
    edges = [workers * k // count for k in range(count + 1)]
    return [replace(plan, first=first, workers=last - first) for first, last in pairwise(edges)]


@contextmanager
def processes(plans: Sequence[Plan]) -> Iterator[list[subprocess.Popen[str]]]:
    """Start a process for each plan; yields once all workers are connected."""
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
    """Start sending."""
    for process in running:
        assert process.stdin is not None
        process.stdin.write("\n")
        process.stdin.flush()


def end(running: Sequence[subprocess.Popen[str]]) -> None:
    """Stop sending before the time is up."""
    for process in running:
        assert process.stdin is not None
        process.stdin.close()


def tallies(running: Sequence[subprocess.Popen[str]]) -> list[Tally]:
    """Wait for the results."""
    found = []
    for process in running:
        assert process.stdout is not None
        found.append(Tally(**json.loads(process.stdout.readline())))
    return found


def main() -> None:
    """Carry out the plan given on the command line."""
    load = Load(Plan(**json.loads(sys.argv[1])))
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    sys.stdin.readline()
    sys.stdout.write(json.dumps(asdict(load.run())) + "\n")


if __name__ == "__main__":
    main()
