"""libzmq aborts a process whose next routing id somebody has taken: nobody can know which it is."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import zmq

from bridges import DEADLINE, Plugin, ServedBridge, alive, eventually, served
from faustwire import codec
from faustwire.messages import Ping
from faustwire.recording import Recording
from peers import peer


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
        for number, socket in enumerate(there, first):
            socket.setsockopt(zmq.ROUTING_ID, b"\0" + (number % 2**32).to_bytes(4, "big"))
            socket.connect(bridge.endpoint)
            socket.send(codec.encode(Ping()))
            assert socket.poll(int(1000 * DEADLINE)), "it is there"
        yield context
    finally:
        context.destroy(linger=0)


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
