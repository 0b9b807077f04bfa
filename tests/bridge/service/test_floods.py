"""Somebody who may only watch floods the bridge's one port; everybody else is served as ever."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
import zmq

import flood
from bridges import DEADLINE, Plugin, ServedBridge, eventually, served
from faustwire import codec
from faustwire.curve import secure
from faustwire.key_ring import KeyRing
from faustwire.messages import Hello, Message, Ping, Pong, State, ToBridge, Watch, Welcome
from processes import cpu_seconds, rss_mib

# Half of what all peers together may make a bridge hold.
BOUND_MIB = 512.0
# An answer that takes longer is none; a state comes once a second if nothing has changed.
SOON_SECONDS = 5.0
FLOOD_SECONDS = 1.5


@dataclass(frozen=True)
class Scene:
    """A bridge with keys, a training that behaves, and somebody who may only watch."""

    bridge: ServedBridge
    anna: KeyRing
    eve: KeyRing


@pytest.fixture
def scene(plugin: Plugin, tmp_path: Path) -> Iterator[Scene]:
    studio, anna, eve = (KeyRing(tmp_path / name) for name in ("studio", "anna", "eve"))
    studio.enrol("anna", anna.pair()[0], frozenset({"publish", "watch"}))
    studio.enrol("eve", eve.pair()[0], frozenset({"watch"}))
    with served(plugin, "--keys", str(studio.folder)) as bridge:
        for ring in (anna, eve):
            ring.trust(bridge.endpoint, studio.pair()[0])
        yield Scene(bridge, anna, eve)


@contextmanager
def flooding(scene: Scene, kind: str, peers: int = 2) -> Iterator[None]:
    """Peers with Eve's key that flood while the block runs."""
    with ExitStack() as stack:
        for _ in range(peers):
            command = [sys.executable, flood.__file__, scene.bridge.endpoint]
            process = subprocess.Popen(
                [*command, str(scene.eve.folder), kind], stdout=subprocess.PIPE, text=True
            )
            stack.callback(process.wait)
            stack.callback(process.kill)
            assert process.stdout is not None
            stack.enter_context(process.stdout)
            assert process.stdout.readline() == "floods\n"
        yield


@contextmanager
def connected(scene: Scene) -> Iterator[zmq.Socket[bytes]]:
    """A connection with Anna's key."""
    with zmq.Context() as context, closing(context.socket(zmq.DEALER)) as client:
        client.setsockopt(zmq.LINGER, 0)
        secure(client, scene.bridge.endpoint, scene.anna)
        client.connect(scene.bridge.endpoint)
        yield client


def asked(client: zmq.Socket[bytes], question: ToBridge) -> Message:
    """The answer, which comes soon."""
    client.send(codec.encode(question))
    assert client.poll(int(1000 * SOON_SECONDS)), "no answer"
    return codec.decode(client.recv())


@pytest.mark.parametrize("kind", ["watch", pytest.param("ping", marks=pytest.mark.slow)])
def test_who_behaves_is_answered_and_memory_is_bounded(scene: Scene, kind: str) -> None:
    pid = scene.bridge.process.pid
    with connected(scene) as worker, connected(scene) as watcher:
        assert isinstance(asked(worker, Hello("anna", "a")), Welcome)
        with flooding(scene, kind):
            end = time.monotonic() + FLOOD_SECONDS
            while time.monotonic() < end:
                assert isinstance(asked(worker, Ping()), Pong)
                assert isinstance(asked(watcher, Watch()), State)
                assert rss_mib(pid) < BOUND_MIB
    assert "internal error" not in scene.bridge.log()


@pytest.mark.parametrize("kind", ["watch", pytest.param("ping", marks=pytest.mark.slow)])
def test_sigterm_ends_a_bridge_that_is_flooded(scene: Scene, kind: str) -> None:
    with flooding(scene, kind):
        scene.bridge.process.terminate()
        assert scene.bridge.process.wait(DEADLINE) == 0


def test_the_flood_would_keep_a_bridge_busy_that_answered_each(scene: Scene) -> None:
    """The control: thousands of messages a second come through."""
    with flooding(scene, "ping", peers=1), connected(scene) as client:
        assert isinstance(asked(client, Watch()), State)
        before = cpu_seconds(scene.bridge.process.pid)
        eventually(
            lambda: cpu_seconds(scene.bridge.process.pid) > before + 0.3, "it has much to read"
        )
