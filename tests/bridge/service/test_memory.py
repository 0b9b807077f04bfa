"""A real bridge's memory while one worker does its worst, field by field."""

from __future__ import annotations

import secrets
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import msgpack
import pytest
import zmq

from bridges import Plugin, ServedBridge, served
from faustwire import codec
from faustwire.messages import Hello, OwnProgram, Ping, Snapshot
from graphs import gain
from processes import rss_mib

pytestmark = pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="needs /proc")

# What the bridge may keep of all that one worker sends. It sends several times as much.
LIMIT_MIB = 40.0
# A bridge that keeps the extremes of every metric.
UNBOUNDED = """
import sys
from faustwire_bridge.core import session
session.MAX_METRICS = 10**9
sys.argv = sys.argv[3:]
from faustwire_bridge.cli import main
sys.exit(main())
"""


class Hostile:
    """A connection that sends packed messages, and hears what it is told."""

    def __init__(self, socket: zmq.Socket[bytes]) -> None:
        self._socket = socket
        self._sent = self._heard = 0
        self._snapshot = msgpack.unpackb(codec.encode(Snapshot(1, 1, 48000.0, gain(0.5))))

    def send(self, data: bytes) -> None:
        """Send one, not too far ahead of the answers."""
        self._socket.send(data)
        self._sent += 1
        self.hear(self._sent - 32)

    def hear(self, number: int) -> None:
        """Take answers until at most that many of what was sent are missing."""
        end = time.monotonic() + 30.0
        while self._heard < number and time.monotonic() < end:
            if self._socket.poll(100):
                self._socket.recv()
                self._heard += 1
        assert self._heard >= number, "no answer"

    def finish(self) -> None:
        """Wait until everything was answered."""
        self.hear(self._sent)

    def hello(self, incarnation: str, name: str = "m", **more: object) -> None:
        fields = {"min_interval": 3600.0, **more}
        self.send(codec.encode(Hello(name, incarnation, **fields)))  # type: ignore[arg-type]

    def snapshot(self, seq: int, **fields: object) -> None:
        self.send(msgpack.packb({**self._snapshot, "seq": seq, "call": seq, **fields}))


def text(size: int) -> str:
    """That many characters which nobody has sent before."""
    return (secrets.token_hex(16) * (size // 32 + 1))[:size]


def metrics(hostile: Hostile) -> None:
    hostile.hello("1")
    for seq in range(1, 2500):
        stem = text(240)
        hostile.snapshot(seq, metrics={f"{stem} {number}": 0.5 for number in range(64)})


def incarnations(hostile: Hostile) -> None:
    for _ in range(2500):
        hostile.hello(text(60), text(60), host=text(250))
        stem = text(240)
        hostile.snapshot(1, metrics={f"{stem} {number}": 0.5 for number in range(64)})


def graphs(hostile: Hostile) -> None:
    for _ in range(200):
        hostile.hello(text(60))
        hostile.snapshot(1, graph={"type": "gain", "name": text(2**20)})


def controls(hostile: Hostile) -> None:
    hostile.hello("1")
    for seq in range(1, 200):
        hostile.snapshot(seq, controls={"rt60": {"label": text(2**20)}})


def programs(hostile: Hostile) -> None:
    """Of a megabyte each, that don't compile, and whose error quotes them."""
    hostile.hello("1")
    for seq in range(1, 100):
        hostile.send(codec.encode(OwnProgram(seq, f"process = {text(2**20)};")))


def sliders(hostile: Hostile) -> None:
    """Programs with hundreds of sliders, each with a long label."""
    hostile.hello("1")
    for seq in range(1, 60):
        ui = ",".join(f'hslider("{text(500)}", 0, 0, 1, 0.1)' for _ in range(100))
        hostile.send(codec.encode(OwnProgram(seq, f"process = {ui} :> _,_;")))


def noise(hostile: Hostile) -> None:
    hostile.hello("1")
    for _ in range(200):
        hostile.send(secrets.token_bytes(2**19))


def pings(hostile: Hostile) -> None:
    hostile.hello("1")
    for _ in range(5000):
        hostile.send(codec.encode(Ping()))


QUICK = (metrics, pings)
SLOW = (incarnations, graphs, controls, programs, sliders, noise)


@contextmanager
def hostile_peer(bridge: ServedBridge) -> Iterator[Hostile]:
    context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
    socket = context.socket(zmq.DEALER)
    socket.connect(bridge.endpoint)
    try:
        yield Hostile(socket)
    finally:
        context.destroy(linger=0)


def kept_mib(bridge: ServedBridge, worst: Callable[[Hostile], None]) -> float:
    """By how much a bridge has grown when it has answered the last message."""
    with hostile_peer(bridge) as warming:
        warming.hello("warm")
        for seq in range(1, 20):
            warming.snapshot(seq, metrics={"loss": 1.0})
        warming.finish()
    before = rss_mib(bridge.process.pid)
    with hostile_peer(bridge) as hostile:
        worst(hostile)
        hostile.finish()
        return rss_mib(bridge.process.pid) - before


@pytest.mark.parametrize(
    "worst", [*QUICK, *(pytest.param(each, marks=pytest.mark.slow) for each in SLOW)]
)
def test_a_bridge_keeps_little_of_what_one_worker_sends(
    plugin: Plugin, worst: Callable[[Hostile], None]
) -> None:
    with served(plugin) as bridge:
        assert kept_mib(bridge, worst) < LIMIT_MIB
        with hostile_peer(bridge) as anna:
            anna.hello("anna")
            anna.finish()


def test_the_measure_sees_a_field_without_a_bound(plugin: Plugin) -> None:
    """The control."""
    with served(plugin, within=(sys.executable, "-c", UNBOUNDED)) as bridge:
        assert kept_mib(bridge, metrics) > LIMIT_MIB
