"""What a bridge with keys holds while it is flooded, over loopback: a table.

    PYTHONPATH=tools python benchmarks/listener_floods.py [--seconds 5]

Strangers have no key: they open connections, greet, and send what claims to be 16 MiB of a
handshake (or nothing at all). The enrolled ones have, and send frames of 16 MB that make no sense
as fast as they are taken. Those who may only watch send small messages as fast as they are taken,
and read no answer. Meanwhile one worker that behaves pings, and the slowest pong counts. The
network's speed decides what strangers can make it hold before they are cut off; loopback's is some
twenty times a gigabit's.
"""

from __future__ import annotations

import argparse
import resource
import selectors
import socket
import tempfile
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import zmq

from bridges import Plugin, ServedBridge, served
from faustwire import codec
from faustwire.curve import secure
from faustwire.key_ring import KeyRing
from faustwire.messages import Hello, Ping, Watch
from processes import cpu_seconds, rss_mib

_GREETING = b"\xff" + bytes(8) + b"\x7f\3\0" + b"CURVE".ljust(20, b"\0") + bytes(32)
_HEAD = b"\6" + (16 * 2**20 - 1).to_bytes(8, "big")
_CHUNK = bytes(2**18)


class Strangers:
    """Connections that get no further than the handshake, opened again when they are cut."""

    def __init__(self, port: int, count: int, *, talk: bool) -> None:
        self._port, self._count, self._talk = port, count, talk
        self._selector = selectors.DefaultSelector()
        self._unsent: dict[socket.socket, bytes] = {}

    def run(self, seconds: float) -> None:
        """Flood for this long."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            while len(self._unsent) < self._count and time.monotonic() < end:
                self._open()
            for key, _ in self._selector.select(0.05):
                self._go_on(key.data)
        for made in list(self._unsent):
            self._close(made)

    def _open(self) -> None:
        made = socket.socket()
        made.setblocking(False)
        made.connect_ex(("127.0.0.1", self._port))
        self._unsent[made] = _GREETING + _HEAD
        self._selector.register(made, selectors.EVENT_READ | selectors.EVENT_WRITE, made)

    def _go_on(self, made: socket.socket) -> None:
        try:
            unsent = self._unsent[made] or (_CHUNK if self._talk else b"")
            taken = made.send(unsent) if unsent else 0
            self._unsent[made] = self._unsent[made][taken:]
            if not unsent:
                self._selector.modify(made, selectors.EVENT_READ, made)
            if not made.recv(65536):
                self._close(made)
        except BlockingIOError:
            pass
        except OSError:
            self._close(made)

    def _close(self, made: socket.socket) -> None:
        self._selector.unregister(made)
        made.close()
        del self._unsent[made]


def enrolled(endpoint: str, keyring: KeyRing, count: int, seconds: float) -> None:
    """Peers with a good key that send nonsense as fast as it is taken."""
    with zmq.Context() as context:
        context.setsockopt(zmq.LINGER, 0)
        peers = [context.socket(zmq.DEALER) for _ in range(count)]
        for peer in peers:
            peer.setsockopt(zmq.SNDHWM, 2)
            peer.setsockopt(zmq.SNDTIMEO, 5)
            secure(peer, endpoint, keyring)
            peer.connect(endpoint)
        end, data = time.monotonic() + seconds, bytes(16_000_000)
        while time.monotonic() < end:
            for peer in peers:
                with suppress(zmq.Again):
                    peer.send(data, copy=False)
                while peer.poll(0):
                    peer.recv()
        for peer in peers:
            peer.close()


def small(endpoint: str, keyring: KeyRing, data: bytes, seconds: float) -> None:
    """Four peers that send the same message as fast as it is taken, and read nothing."""
    with zmq.Context() as context:
        context.setsockopt(zmq.LINGER, 0)
        peers = [context.socket(zmq.DEALER) for _ in range(4)]
        for peer in peers:
            peer.setsockopt(zmq.RECONNECT_IVL, 20)
            secure(peer, endpoint, keyring)
            peer.connect(endpoint)
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            for peer in peers:
                with suppress(zmq.Again):
                    for _ in range(100):
                        peer.send(data, zmq.DONTWAIT)
        for peer in peers:
            peer.close()


class Worker(threading.Thread):
    """One that behaves; remembers the longest time to a pong."""

    def __init__(self, endpoint: str, keyring: KeyRing) -> None:
        super().__init__(daemon=True)
        self.slowest = 0.0
        self.going = True
        self._context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        self._dealer = self._context.socket(zmq.DEALER)
        self._dealer.setsockopt(zmq.LINGER, 0)
        self._dealer.setsockopt(zmq.RECONNECT_IVL, 20)
        secure(self._dealer, endpoint, keyring)
        self._dealer.connect(endpoint)

    def run(self) -> None:
        """Ping, and say hello again whenever that is asked for."""
        asked = time.monotonic()
        while self.going:
            for message in (Hello("worker", "w" * 16), Ping()):
                self._dealer.send(codec.encode(message))
            if self._dealer.poll(200):
                while self._dealer.poll(0):
                    self._dealer.recv()
                self.slowest = max(self.slowest, time.monotonic() - asked)
                time.sleep(0.01)
                asked = time.monotonic()
        self._dealer.close()
        self._context.term()


def peak_mib(pid: int, *, reset: bool = False) -> float:
    """The most a process has held since the last reset."""
    if reset:
        Path(f"/proc/{pid}/clear_refs").write_text("5")
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) / 1024


@dataclass(frozen=True)
class Victim:
    """A bridge, and the key of somebody who may publish to it."""

    bridge: ServedBridge
    keyring: KeyRing

    def measure(self, name: str, flood: Callable[[], None]) -> None:
        """Print what a flood does to it."""
        pid, endpoint = self.bridge.process.pid, self.bridge.endpoint
        peak_mib(pid, reset=True)
        worker, cpu = Worker(endpoint, self.keyring), cpu_seconds(pid)
        cuts = self.bridge.log().count("are cut")
        worker.start()
        flood()
        worker.going = False
        worker.join(10)
        peak, cpu = peak_mib(pid), cpu_seconds(pid) - cpu
        time.sleep(3)
        cuts = self.bridge.log().count("are cut") - cuts
        print(
            f"{name:30} {peak:8.0f} {rss_mib(pid):10.0f} {cpu:7.1f} "
            f"{1000 * worker.slowest:16.0f} {cuts:4}",
            flush=True,
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--seconds", type=float, default=5.0)
    seconds = parser.parse_args().seconds
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with tempfile.TemporaryDirectory() as folder:
        plugin = Plugin(Path(folder) / "plugin")
        plugin.folder.mkdir()
        studio, box = KeyRing(f"{folder}/studio"), KeyRing(f"{folder}/box")
        studio.enrol("box", box.pair()[0], frozenset({"publish"}))
        eve = KeyRing(f"{folder}/eve")
        studio.enrol("eve", eve.pair()[0], frozenset({"watch"}))
        with served(plugin, "--keys", str(studio.folder)) as bridge:
            resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 8192), hard))
            for ring in (box, eve):
                ring.trust(bridge.endpoint, studio.pair()[0])
            victim = Victim(bridge, box)
            print(f"{'':30} peak MiB  after MiB   cpu s  slowest pong ms  cut")
            victim.measure("nobody", lambda: time.sleep(seconds))
            port = int(bridge.endpoint.rpartition(":")[2])
            for name, count, talk in (
                ("50 strangers talk", 50, True),
                ("200 strangers talk", 200, True),
                ("2000 strangers, silent", 2000, False),
            ):
                victim.measure(name, partial(Strangers(port, count, talk=talk).run, seconds))
            for count in (16, 64):
                flood = partial(enrolled, bridge.endpoint, box, count, seconds)
                victim.measure(f"{count} enrolled", flood)
            for message in (Watch(), Ping()):
                name = f"4 who may watch send {type(message).__name__}"
                flood = partial(small, bridge.endpoint, eve, codec.encode(message), seconds)
                victim.measure(name, flood)


if __name__ == "__main__":
    main()
