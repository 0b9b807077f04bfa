"""Routing ids that peers choose: the next one of libzmq, which nobody knows, and endless ones.

libzmq aborts a process whose next routing id somebody has taken.
"""

from __future__ import annotations

import signal
import socket
import struct
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import zmq

from bridges import DEADLINE, Plugin, ServedBridge, alive, eventually, served
from faustwire import codec
from faustwire.endpoint import parse
from faustwire.messages import Hello, Ping
from faustwire.recording import Recording
from peers import peer
from processes import rss_mib


@contextmanager
def recorded(plugin: Plugin, folder: Path) -> Iterator[tuple[ServedBridge, int]]:
    """A bridge, and the number of its first connection, as its recording tells."""
    with served(plugin, "--record", str(folder)) as bridge:
        with peer(bridge.endpoint, "anna") as anna:
            assert anna.update(0.5).published
        eventually(lambda: bool(peers_in(folder)), "it is recorded")
        [found] = peers_in(folder)
        # The listener's number, a null byte, and libzmq's number.
        assert found[1:2] == b"\0"
        yield bridge, int.from_bytes(found[2:], "big")


def peers_in(folder: Path) -> set[bytes]:
    found = (channel.metadata.get("peer", "") for channel in Recording(folder).channels())
    return {bytes.fromhex(each) for each in found if each}


@contextmanager
def taken(bridge: ServedBridge, first: int) -> Iterator[zmq.Context[zmq.Socket[bytes]]]:
    """Connections under eight numbers from the first one on."""
    context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
    there = [context.socket(zmq.DEALER) for _ in range(8)]
    try:
        for number, dealer in enumerate(there, first):
            dealer.setsockopt(zmq.ROUTING_ID, b"\0" + (number % 2**32).to_bytes(4, "big"))
            dealer.connect(bridge.endpoint)
            dealer.send(codec.encode(Ping()))
            assert dealer.poll(int(1000 * DEADLINE)), "it is there"
        yield context
    finally:
        context.destroy(linger=0)


def welcomed(bridge: ServedBridge, routing_id: bytes, seconds: float) -> bool:
    """Whether a Hello is answered; by hand, since no socket of libzmq's takes more than 255."""
    at = parse(bridge.endpoint)
    hello = codec.encode(Hello("mallory", "1"))
    ready = b"\x05READY" + said(b"Socket-Type", b"DEALER") + said(b"Identity", routing_id)
    with socket.create_connection((at.host, at.port), DEADLINE) as made:
        made.sendall(b"\xff" + bytes(8) + b"\x7f\3\0NULL" + bytes(48))
        assert hears(made, b"READY", DEADLINE)
        made.sendall(b"\6" + struct.pack(">Q", len(ready)) + ready)
        made.sendall(bytes([0, len(hello)]) + hello)
        return hears(made, b"welcome", seconds)


def hears(made: socket.socket, words: bytes, seconds: float) -> bool:
    heard = b""
    made.settimeout(seconds)
    with suppress(TimeoutError):
        while words not in heard and (data := made.recv(4096)):
            heard += data
    return words in heard


def said(name: bytes, value: bytes) -> bytes:
    return bytes([len(name)]) + name + struct.pack(">I", len(value)) + value


def test_an_endless_id_is_not_answered_and_not_remembered(plugin: Plugin) -> None:
    with served(plugin) as bridge:
        assert welcomed(bridge, b"x" * 255, DEADLINE), "the control"
        before = rss_mib(bridge.process.pid)
        for number in range(4):
            assert not welcomed(bridge, b"%d" % number + b"x" * 2**23, 0.5)
        eventually(lambda: rss_mib(bridge.process.pid) < before + 16, "it is let go")


def test_a_number_that_is_taken_ends_a_bridge(plugin: Plugin, tmp_path: Path) -> None:
    """The control: who reads the recording knows the numbers."""
    with recorded(plugin, tmp_path / "run") as (bridge, last), taken(bridge, last + 1) as context:
        next_one = context.socket(zmq.DEALER)
        next_one.connect(bridge.endpoint)
        assert bridge.process.wait(DEADLINE) == -signal.SIGABRT


def test_one_bridge_tells_nothing_about_the_numbers_of_the_next(
    plugin: Plugin, tmp_path: Path
) -> None:
    with recorded(plugin, tmp_path / "run") as (_, last):
        pass
    with served(plugin) as bridge, taken(bridge, last):
        for name in ("anna", "bert", "cleo"):
            with peer(bridge.endpoint, name) as worker:
                assert worker.update(0.25).seq == 1
        assert alive(bridge.process.pid)
