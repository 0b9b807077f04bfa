"""Large answers that somebody asks for again and again, and does not read."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import ExitStack, closing

import msgpack
import pytest
import zmq

from bridges import Plugin, eventually, served
from faustwire import codec
from faustwire.messages import Hello, Listen, Ping, Pong, Snapshot, ToBridge, Verdict, Welcome
from faustwire_bridge.service.listener import GoneError
from faustwire_bridge.service.listeners import Listeners
from faustwire_bridge.service.resource_limits import resident_bytes
from graphs import gain
from raw_peer import greeted

MIB = 2**20
EARS = 60


@pytest.mark.skipif(not resident_bytes(), reason="there is no /proc/self/statm")
@pytest.mark.parametrize("offers", [True, False])
def test_answers_that_nobody_reads_do_not_end_in_a_cut(plugin: Plugin, *, offers: bool) -> None:
    """The control: what is sent all the same has all connections cut."""
    plugin.place.prepare()
    with (
        closing(Listeners(plugin.place, ["tcp://127.0.0.1:0"], max_held=64 * MIB)) as listeners,
        greeted(listeners.endpoints[0]) as raw,
    ):
        raw.settimeout(10.0)
        said = b""
        while b"ROUTER" not in said:
            said += raw.recv(256)
        raw.sendall(b"\0\1?")
        came = []

        def is_there() -> bool:
            came.append(listeners.receive())
            return came[-1] is not None

        eventually(is_there, "its question has come")
        assert came[-1] is not None
        answer: Callable[[bytes, bytes], object] = listeners.offer if offers else listeners.send
        cut = False

        def is_cut() -> bool:
            nonlocal cut
            listeners.receive()
            cut = cut or not listeners.sockets
            return cut

        for _ in range(40):
            try:
                answer(came[-1].peer, bytes(4 * MIB))
            except GoneError:
                cut = True
            is_cut()
            if offers:
                assert listeners.memory.of_peers() < 48 * MIB
        eventually(lambda: is_cut() or offers, "they are looked at")
        assert cut is not offers


def asked(client: zmq.Socket[bytes], question: ToBridge | bytes) -> object:
    client.send(question if isinstance(question, bytes) else codec.encode(question))
    assert client.poll(10_000), "no answer"
    return codec.decode(client.recv())


def test_sixty_who_listen_to_something_large_keep_no_worker_waiting(plugin: Plugin) -> None:
    """All of them were answered in one go."""
    fields = msgpack.unpackb(codec.encode(Snapshot(1, 1, 48_000.0, gain(0.5))))
    large = msgpack.packb({**fields, "unknown": bytes(2 * MIB)})
    with served(plugin) as bridge, zmq.Context() as context, ExitStack() as stack:

        def connect() -> zmq.Socket[bytes]:
            made = stack.enter_context(closing(context.socket(zmq.DEALER)))
            made.setsockopt(zmq.LINGER, 0)
            made.setsockopt(zmq.RCVHWM, 1)
            made.connect(bridge.endpoint)
            return made

        worker = connect()
        assert isinstance(asked(worker, Hello("anna", "a", min_interval=0.0)), Welcome)
        assert isinstance(asked(worker, large), Verdict)
        ears = [connect() for _ in range(EARS)]
        for ear in ears:
            ear.send(codec.encode(Listen("a")))
        longest, end = 0.0, time.monotonic() + 1.0
        while time.monotonic() < end:
            begun = time.monotonic()
            assert isinstance(asked(worker, Ping()), Pong)
            longest = max(longest, time.monotonic() - begun)
        assert longest < 0.5
        eventually(lambda: all(ear.poll(0) for ear in ears), "all are answered", 20.0)
