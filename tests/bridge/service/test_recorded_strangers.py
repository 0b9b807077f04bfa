"""Who may only watch can't fill the disk with what it sends."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import msgpack
import zmq

from bridges import Plugin, eventually, served
from faustwire import codec
from faustwire.curve import secure
from faustwire.key_ring import KeyRing
from faustwire.messages import Event, Hello, Listen, Rejection, Watch, Welcome

KIB = 2**10
MIB = 2**20


@contextmanager
def connected(endpoint: str, ring: KeyRing) -> Iterator[zmq.Socket[bytes]]:
    with zmq.Context() as context, closing(context.socket(zmq.DEALER)) as client:
        client.setsockopt(zmq.LINGER, 0)
        secure(client, endpoint, ring)
        client.connect(endpoint)
        yield client


def answer(client: zmq.Socket[bytes], data: bytes) -> object:
    client.send(data)
    assert client.poll(10_000), "no answer"
    return codec.decode(client.recv())


def bulky(kind: str) -> bytes:
    """A message with a mebibyte that can't be compressed."""
    fields = {
        "faustwire": 1,
        "type": kind,
        "seq": 1,
        "call": 1,
        "incarnation": secrets.token_hex(8),
    }
    data: bytes = msgpack.packb({**fields, "unknown": secrets.token_bytes(MIB)})
    return data


def junk() -> bytes:
    return secrets.token_bytes(MIB)


def size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.glob("*.mcap"))


def test_what_a_key_may_not_send_is_not_recorded(plugin: Plugin, tmp_path: Path) -> None:
    """The control: what who may publish sends is."""
    studio, anna, eve = (KeyRing(tmp_path / name) for name in ("studio", "anna", "eve"))
    studio.enrol("anna", anna.pair()[0], frozenset({"publish"}))
    studio.enrol("eve", eve.pair()[0], frozenset({"watch", "text"}))
    folder = tmp_path / "recordings"
    options = ["--keys", str(studio.folder), "--record", str(folder)]
    with served(plugin, *options) as bridge:
        for ring in (anna, eve):
            ring.trust(bridge.endpoint, studio.pair()[0])
        with connected(bridge.endpoint, anna) as worker, connected(bridge.endpoint, eve) as watcher:
            for _ in range(3):
                for kind in ("ping", "hello", "snapshot", "source", "bye", "follow"):
                    assert isinstance(answer(watcher, bulky(kind)), Rejection)
                assert isinstance(answer(watcher, junk()), Rejection)
                watcher.send_multipart([junk(), junk()])
                assert watcher.poll(10_000)
                assert isinstance(codec.decode(watcher.recv()), Rejection)
                watcher.send(bulky("listen"))
            assert not isinstance(answer(watcher, codec.encode(Watch())), (Rejection, Event))
            watcher.send(codec.encode(Listen("a")))
            hello = codec.encode(Hello("anna", "a"))
            assert isinstance(answer(worker, hello), Welcome)
            eventually(lambda: size(folder) > 0, "it is recorded")
            assert size(folder) < 256 * KIB
            answer(worker, junk())
            eventually(lambda: size(folder) > MIB, "the control: whoever may publish is recorded")
