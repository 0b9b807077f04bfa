"""One peer sends what it should not; everybody else gets their verdicts as ever."""

from __future__ import annotations

import signal
import time
from typing import Any

import msgpack
import pytest
import zmq

from bridges import Plugin, eventually, served
from faustwire import codec
from faustwire.errors import MessageError
from faustwire.messages import Hello, Message, Ping, Reason, Snapshot, Verdict, Watch, Welcome
from graphs import gain
from peers import peer


def snapshot(seq: int, **fields: Any) -> dict[str, Any]:
    """A snapshot's fields as they are packed."""
    data: dict[str, Any] = msgpack.unpackb(
        codec.encode(Snapshot(seq, seq, 48000.0, gain(0.5))), strict_map_key=False
    )
    return {**data, **fields}


def answer(endpoint: str, data: bytes) -> Message:
    """What a worker of its own is answered that sends some bytes."""
    with peer(endpoint, "mallory") as mallory:
        mallory.send_bytes(data)
        return mallory.receive()


def test_a_valid_snapshot_that_would_grow_beyond_the_limit_ends_with_a_verdict(
    plugin: Plugin,
) -> None:
    """Its defaults written out it has more than MAX_BYTES, and nobody writes them out."""
    empty = len(msgpack.packb(snapshot(1, controls={"rt60": {"label": "x" * 2**16}}))) - 2**16
    label = "x" * (16_775_776 - empty)
    data = msgpack.packb(snapshot(1, controls={"rt60": {"label": label}}))
    assert len(data) <= codec.MAX_BYTES
    with pytest.raises(MessageError, match="at most"):
        codec.encode(codec.decode(data))
    with served(plugin) as bridge:
        verdict = answer(bridge.endpoint, data)
        assert isinstance(verdict, Verdict)
        assert verdict.reason is Reason.REFUSED
        with peer(bridge.endpoint, "anna") as anna:
            assert anna.update(0.25).published


@pytest.mark.parametrize(
    ("graph", "detail"),
    [
        ({"type": "wire"}, "unknown type of node 'wire'"),
        ({"type": "gain", "matrix": []}, "matrix"),
        (b"\xc1\xc1", "a node is a map"),
    ],
)
def test_a_graph_that_makes_no_sense_is_refused_with_its_number(
    plugin: Plugin, graph: object, detail: str
) -> None:
    with served(plugin) as bridge:
        verdict = answer(bridge.endpoint, msgpack.packb(snapshot(3, graph=graph)))
        assert isinstance(verdict, Verdict)
        assert (verdict.seq, verdict.reason) == (3, Reason.REFUSED)
        assert detail in verdict.detail


def test_a_bomb_in_a_graph_meets_the_judges_memory_limit_and_not_the_bridge(
    plugin: Plugin,
) -> None:
    """A list that claims four thousand million elements, inside a graph."""
    data = msgpack.packb(snapshot(1, graph=0))
    data = data.replace(msgpack.packb("graph") + b"\0", msgpack.packb("graph") + b"\x81\xa1a\x90")
    header = {"faustwire": 1, "type": "snapshot", "seq": 1, "call": 1, "fs": 48000.0}
    nested = b"\x91" * 900 + b"\x90"
    packed = msgpack.packb({**header, "graph": None})[:-1] + nested
    with served(plugin) as bridge:
        for sent in (data, packed):
            verdict = answer(bridge.endpoint, sent)
            assert isinstance(verdict, Verdict)
            assert verdict.reason is Reason.REFUSED


def test_hello_and_snapshot_in_any_order_of_their_fields_are_understood(plugin: Plugin) -> None:
    fields = dict(reversed(snapshot(1).items()))
    hello = dict(reversed(msgpack.unpackb(codec.encode(Hello("late", "1"))).items()))
    with served(plugin) as bridge, peer(bridge.endpoint, "anna") as anna:
        anna.send_bytes(msgpack.packb(hello))
        assert isinstance(anna.receive(), Welcome)
        anna.send_bytes(msgpack.packb(fields))
        verdict = anna.receive()
        assert isinstance(verdict, Verdict)
        assert verdict.published


def test_peers_that_send_too_much_with_zmtps_pings_and_hang_up_do_not_end_a_bridge(
    plugin: Plugin,
) -> None:
    """With a receive mark libzmq 4.3.5 aborts when such a peer has reached it and goes."""
    context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
    with served(plugin) as bridge:
        try:
            for number in range(5):
                rogue = context.socket(zmq.DEALER)
                rogue.setsockopt(zmq.HEARTBEAT_IVL, 50)
                rogue.setsockopt(zmq.LINGER, 0)
                rogue.connect(bridge.endpoint)
                rogue.send(codec.encode(Hello("rogue", f"{number}")))
                assert rogue.poll(5000), "it is welcome"
                bridge.process.send_signal(signal.SIGSTOP)
                # Its pings must stand between its messages.
                for _ in range(12):
                    for _ in range(4):
                        rogue.send(codec.encode(Ping()))
                    time.sleep(0.05)
                rogue.close()
                time.sleep(0.2)
                bridge.process.send_signal(signal.SIGCONT)
            with peer(bridge.endpoint, "anna") as anna:
                assert anna.update(0.25).published
        finally:
            context.destroy(linger=0)
        assert bridge.process.poll() is None


def test_a_flood_of_watches_lets_others_have_their_turn(plugin: Plugin) -> None:
    """A hundred thousand of them, all at once, while an honest worker publishes."""
    context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
    with served(plugin) as bridge, peer(bridge.endpoint, "anna") as anna:
        assert anna.update(0.125).published
        try:
            watcher = context.socket(zmq.DEALER)
            watcher.setsockopt(zmq.LINGER, 0)
            watcher.setsockopt(zmq.SNDHWM, 0)
            watcher.connect(bridge.endpoint)
            data = codec.encode(Watch())
            for _ in range(100_000):
                watcher.send(data)
            begun = time.monotonic()
            assert anna.update(0.25).published
            assert time.monotonic() - begun < 5.0
        finally:
            context.destroy(linger=0)


@pytest.mark.parametrize(
    ("module", "broken"),
    [
        ("service.observers", "Observers.hear"),
        ("core.watchers", "Watchers.pop_due"),
        ("service.hearers", "Hearers.tell"),
    ],
)
def test_a_bug_of_ours_does_not_end_the_bridge_for_everybody_else(
    plugin: Plugin, module: str, broken: str
) -> None:
    """Whatever is not foreseen, and wherever: here for those who watch and those who listen."""
    program = (
        f"import sys\nimport faustwire_bridge.{module} as module\n"
        f"def fail(*_): raise RuntimeError('unforeseen')\nmodule.{broken} = fail\n"
        "from faustwire_bridge.cli import main\nsys.exit(main())"
    )
    with (
        served(plugin, "--no-compile-gate", program=("-c", program)) as bridge,
        peer(bridge.endpoint, "mallory") as mallory,
        peer(bridge.endpoint, "anna") as anna,
    ):
        mallory.send(Watch())
        for value in (0.25, 0.5):
            assert isinstance(anna.update(value), Verdict)
        eventually(lambda: "unforeseen" in bridge.log(), "it is told")
        assert bridge.process.poll() is None
