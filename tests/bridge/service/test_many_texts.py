"""Hundreds of connections whose texts can all be written at once: others have answers meanwhile."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path

import pytest
import zmq

from bridges import Plugin, eventually, served
from faustwire import codec
from faustwire.curve import secure
from faustwire.key_ring import KeyRing
from faustwire.messages import Hello, OwnProgram, Ping, Pong, Reason, ToBridge, Verdict
from hostile_programs import HANGS

# libfaust knows both, so nothing has to be asked; each is another text than the plugin has.
TEXTS = ("process = _,_;", "process = _*0.5,_;")


def asked(client: zmq.Socket[bytes], message: ToBridge) -> object:
    client.send(codec.encode(message))
    assert client.poll(10_000), "no answer"
    return codec.decode(client.recv())


@contextmanager
def connections(endpoint: str) -> Iterator[Callable[[int, KeyRing | None], zmq.Socket[bytes]]]:
    """Makes connections of workers, each under a number."""
    with zmq.Context() as context, ExitStack() as stack:
        context.setsockopt(zmq.MAX_SOCKETS, 2048)

        def connect(number: int, ring: KeyRing | None = None) -> zmq.Socket[bytes]:
            made = stack.enter_context(closing(context.socket(zmq.DEALER)))
            made.setsockopt(zmq.LINGER, 0)
            if ring is not None:
                secure(made, endpoint, ring)
            made.connect(endpoint)
            made.send(codec.encode(Hello(f"w{number}", f"{number}", min_interval=0.0)))
            return made

        yield connect


def welcomed(clients: list[zmq.Socket[bytes]]) -> None:
    for client in clients:
        assert client.poll(20_000), "no welcome"
        client.recv()


def published(client: zmq.Socket[bytes], message: ToBridge) -> bool:
    verdict = asked(client, message)
    assert isinstance(verdict, Verdict)
    return verdict.published


def verdicts(crowd: list[zmq.Socket[bytes]]) -> Iterator[Verdict]:
    """One for each; they ping meanwhile, for who is silent is thought to be gone."""
    waiting, end = list(crowd), time.monotonic() + 40.0
    while waiting:
        assert time.monotonic() < end, f"{len(waiting)} have no verdict"
        for client in waiting:
            client.send(codec.encode(Ping()))
        next_ping = time.monotonic() + 1.0
        while waiting and time.monotonic() < next_ping:
            came = [client for client in waiting if client.poll(0)]
            told = {client: codec.decode(client.recv()) for client in came}
            yield from (message for message in told.values() if isinstance(message, Verdict))
            waiting = [each for each in waiting if not isinstance(told.get(each), Verdict)]


# More than Python lets calls nest, and nearly as many as a bridge admits.
@pytest.mark.parametrize("count", [250, pytest.param(1015, marks=pytest.mark.slow)])
def test_what_waits_is_written_a_few_at_a_time(plugin: Plugin, count: int) -> None:
    """All of it was written before anybody else had an answer, each in a call within the last."""
    with served(plugin) as bridge, connections(bridge.endpoint) as connect:
        first, slow, *crowd = [connect(number, None) for number in range(count + 2)]
        welcomed([first, slow, *crowd])
        assert all(published(first, OwnProgram(seq, text)) for seq, text in enumerate(TEXTS, 1))
        slow.send(codec.encode(OwnProgram(1, HANGS)))
        for number, client in enumerate(crowd):
            client.send(codec.encode(OwnProgram(1, TEXTS[number % 2])))
        eventually(lambda: any(client.poll(0) for client in crowd), "the first ones are written")
        assert isinstance(asked(first, Ping()), Pong)
        assert not all(client.poll(0) for client in crowd), "the others are not yet"
        for verdict in verdicts(crowd):
            assert verdict.reason in (Reason.PUBLISHED, Reason.UNCHANGED)
        assert "internal error" not in bridge.log()


@pytest.mark.slow
def test_what_was_written_for_a_key_that_is_revoked_meanwhile_is_not_forgotten(
    plugin: Plugin, tmp_path: Path
) -> None:
    """The bridge knows then that it does not know what the plugin has."""
    studio, anna, bert = (KeyRing(tmp_path / name) for name in ("studio", "anna", "bert"))
    for name, ring in (("anna", anna), ("bert", bert)):
        studio.enrol(name, ring.pair()[0], frozenset({"publish", "text"}))
    with (
        served(plugin, "--keys", str(studio.folder)) as bridge,
        connections(bridge.endpoint) as connect,
    ):
        for ring in (anna, bert):
            ring.trust(bridge.endpoint, studio.pair()[0])
        slow, first, *crowd = [connect(number, anna) for number in range(250)]
        other = connect(1000, bert)
        welcomed([slow, first, other, *crowd])
        assert all(published(first, OwnProgram(seq, text)) for seq, text in enumerate(TEXTS, 1))
        # Bert's is served first, being of another sender, and holds up all of Anna's.
        other.send(codec.encode(OwnProgram(1, HANGS)))
        for number, client in enumerate(crowd):
            client.send(codec.encode(OwnProgram(1, TEXTS[number % 2])))
        eventually(lambda: any(client.poll(0) for client in crowd), "the first ones are written")
        studio.revoke("anna")
        # All connections with keys are closed then, and this one is made when they are back.
        eventually(lambda: "its key has lost a right" in bridge.log(), "it is revoked")
        again = connect(1001, bert)
        welcomed([again])
        for seq, text in enumerate((*TEXTS, *TEXTS), 1):
            asked(again, OwnProgram(seq, text))
            assert plugin.place.dsp_path.read_text() == text
        assert "internal error" not in bridge.log()
