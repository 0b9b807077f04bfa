"""Hostile peers for the soak test, one kind a process.

    python soak_hostile.py KIND tcp://127.0.0.1:5555 SEED

Each does its worst in bursts, with pauses between them, until it is killed. None of them sends
anything that could be published, so that all that is published is an honest training's.
"""

from __future__ import annotations

import itertools
import random
import secrets
import socket
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

import msgpack
import numpy as np
import zmq

from faustwire import codec
from faustwire.errors import MessageError
from faustwire.graph import SOS, Delay, Gain, Node, Parallel, Recursion, Series
from faustwire.messages import Hello, OwnProgram, Ping, Snapshot, Watch
from mutations import Mutations

# libfaust fills its table for minutes.
_SLOW_TEXT = "process = rdtable(4000000, (1 : +~_ : seq(i, 200, sin)), 0) <: _,_;"
# These abort it, ask for more memory than it may have, or make no sense.
_BAD_TEXTS = (
    "process = rwtable(400000000, 0.0, 0, _, 0) <: _,_;",
    "process = seq(i, 300000, +(i)) <: _,_;",
    "process = int(_) % 0, _;",
    'import("/etc/passwd"); process = _,_;',
    "process = ",
)
_BURST_SECONDS, _PAUSE_SECONDS = 2.0, (0.5, 4.0)


class Peer:
    """A DEALER that never waits long for anything."""

    def __init__(self, endpoint: str, *, heartbeats: bool = False) -> None:
        self._context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        self._socket = self._context.socket(zmq.DEALER)
        self._socket.setsockopt(zmq.LINGER, 0)
        self._socket.setsockopt(zmq.SNDTIMEO, 100)
        if heartbeats:
            self._socket.setsockopt(zmq.HEARTBEAT_IVL, 20)
        self._socket.connect(endpoint)

    def send(self, data: bytes) -> None:
        with suppress(zmq.Again):
            self._socket.send(data)

    def hello(self, **more: object) -> None:
        """Say Hello under a new name, as a worker that no interval lets publish."""
        name = f"hostile {secrets.token_hex(8)}"
        fields = {"min_interval": 3600.0, **more}
        self.send(codec.encode(Hello(name, name, **fields)))  # type: ignore[arg-type]

    def read(self, seconds: float) -> None:
        """Throw away what comes."""
        end = time.monotonic() + seconds
        while self._socket.poll(max(0, int(1000 * (end - time.monotonic())))):
            self._socket.recv()

    def close(self) -> None:
        self._socket.close()
        self._context.term()


@contextmanager
def _peer(endpoint: str, *, heartbeats: bool = False) -> Iterator[Peer]:
    made = Peer(endpoint, heartbeats=heartbeats)
    try:
        yield made
    finally:
        made.close()


def _burst() -> Iterator[int]:
    end = time.monotonic() + _BURST_SECONDS
    for number in itertools.count(1):
        if time.monotonic() >= end:
            return
        yield number


def pings(endpoint: str, _dice: random.Random) -> None:
    """As many pings as fit, ours and ZMTP's, unread; then it hangs up."""
    with _peer(endpoint, heartbeats=True) as peer:
        peer.hello()
        for _ in _burst():
            peer.send(codec.encode(Ping()))


def incarnations(endpoint: str, dice: random.Random) -> None:
    """Ever new names on one connection, with metrics of ever new names."""
    packed = msgpack.unpackb(codec.encode(Snapshot(1, 2, 48000.0, Gain("g", np.ones((1, 1))))))
    with _peer(endpoint) as peer:
        for number in _burst():
            peer.hello(every=2)
            stem = f"{dice.random()} " + "x" * 200
            names = {f"{stem} {number}": 0.5 for number in range(64)}
            peer.send(msgpack.packb({**packed, "seq": number, "metrics": names}))
            peer.read(0.0)


def garbage(endpoint: str, dice: random.Random) -> None:
    """Random bytes, and mutations of valid messages that are valid no more."""
    mutations = Mutations(dice.randrange(2**31))
    with _peer(endpoint) as peer:
        peer.hello(every=2)
        for number in _burst():
            size = dice.choice((1, 100, 10_000, 1_000_000))
            data = dice.randbytes(size) if number % 2 else mutations.message(number)
            if not _is_valid(data):
                peer.send(data)
            peer.read(0.0)


def _is_valid(data: bytes) -> bool:
    try:
        codec.decode(data)
    except MessageError:
        return False
    return True


def texts(endpoint: str, dice: random.Random) -> None:
    """Programs that keep libfaust busy until its deadline, or break it."""
    with _peer(endpoint) as peer:
        peer.hello(min_interval=0.0)
        for seq in range(1, 4):
            text = dice.choice((_SLOW_TEXT, *_BAD_TEXTS))
            peer.send(codec.encode(OwnProgram(seq, f"// {dice.random()}\n{text}")))
            peer.read(6.0)


def models(endpoint: str, dice: random.Random) -> None:
    """Models that keep the judge busy until its deadline."""
    with _peer(endpoint) as peer:
        peer.hello(min_interval=0.0)
        graph = slow_graph(dice.randrange(2**31))
        peer.send(codec.encode(Snapshot(1, 1, 48000.0, graph)))
        peer.read(12.0)


def watchers(endpoint: str, _dice: random.Random) -> None:
    """A hundred that ask for states as fast as they can, and don't read them."""
    peers = [Peer(endpoint) for _ in range(100)]
    for _ in _burst():
        for peer in peers:
            peer.send(codec.encode(Watch()))
    for peer in peers:
        peer.close()


def hang_ups(endpoint: str, _dice: random.Random) -> None:
    """Connections that say Hello, send and go, without a Bye."""
    for number in _burst():
        with _peer(endpoint) as peer:
            peer.hello()
            peer.send(bytes(100_000))
            peer.read(0.01 * (number % 3))


def strangers(endpoint: str, dice: random.Random) -> None:
    """Connections that do not speak ZMTP, or announce more than they send."""
    host, port = endpoint.removeprefix("tcp://").split(":")
    for _ in _burst():
        with suppress(OSError), socket.create_connection((host, int(port)), 1.0) as made:
            made.sendall(dice.randbytes(dice.choice((1, 64, 5000))))
            made.settimeout(0.05)
            made.recv(100)


def slow_graph(seed: int) -> Node:
    """Loops of which some lines amplify, so that their modes are counted: ten seconds of that."""
    random_numbers = np.random.default_rng(seed)
    sections = np.tile(np.array([0.45, 0.4, 0.0, 1.0, -0.1, 0.0])[None, :, None], (1, 1, 32))
    sections[:, :3] *= np.where(np.arange(32) % 2, 1.12, 0.8)
    loops = []
    for number in range(12):
        matrix, _ = np.linalg.qr(random_numbers.standard_normal((32, 32)))
        delays = random_numbers.choice(np.arange(200, 2000), 32, replace=False).astype(float)
        feedback = Series("feedback", (SOS("filter", sections), Gain("matrix", 0.95 * matrix)))
        loop = Recursion("loop", Delay("delays", delays), feedback)
        ends = 1e3 * np.ones((32, 1))  # too loud, should the judge be done in time
        loops.append(Series(f"fdn {number}", (Gain("in", ends), loop, Gain("out", ends.T))))
    return Parallel("loops", tuple(loops))


KINDS: dict[str, Callable[[str, random.Random], None]] = {
    worst.__name__: worst
    for worst in (
        *(pings, incarnations, garbage, texts),
        *(models, watchers, hang_ups, strangers),
    )
}


def main() -> None:
    """Do one kind's worst again and again."""
    kind, endpoint, seed = sys.argv[1:]
    dice = random.Random(f"{kind} {seed}")  # noqa: S311 - dice
    while True:
        KINDS[kind](endpoint, dice)
        time.sleep(dice.uniform(*_PAUSE_SECONDS))


if __name__ == "__main__":
    main()
