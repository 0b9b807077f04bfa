"""A run at a real bridge with every verdict reason, every kind of event and malformed messages.

``python tools/scripted_run.py FILE.mcap`` records it again, as the frozen ones were made.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import NamedTuple

import numpy as np
import zmq

from bridges import DEADLINE, Plugin, eventually
from faustwire import codec
from faustwire.controls import sliders
from faustwire.graph import Delay, Gain, Node, Recursion
from faustwire.messages import (
    Bye,
    Choice,
    Follow,
    Hello,
    Message,
    OwnProgram,
    Ping,
    Reason,
    Snapshot,
    Steered,
    Verdict,
    Welcome,
)
from graphs import fdn, gain

# In a frozen recording no machine of anybody's has a name.
_SERVE = """
import socket, sys
socket.gethostname = lambda: "studio"
from faustwire_bridge.cli import main
sys.exit(main(sys.argv[1:]))
"""


class Peer:
    """A connection that sends exactly what the script says."""

    def __init__(self, context: zmq.Context[zmq.Socket[bytes]], endpoint: str) -> None:
        self._socket = context.socket(zmq.DEALER)
        self._socket.setsockopt(zmq.LINGER, 200)
        self._socket.connect(endpoint)

    def say(self, message: Message) -> None:
        self._socket.send(codec.encode(message))

    def say_bytes(self, *frames: bytes) -> None:
        self._socket.send_multipart(frames)

    def hear(self) -> Message:
        assert self._socket.poll(int(DEADLINE * 1000)), "no answer"
        return codec.decode(self._socket.recv())

    def close(self) -> None:
        self._socket.close()


class Player(Peer):
    """A worker whose calls the script spells out."""

    def __init__(
        self, context: zmq.Context[zmq.Socket[bytes]], endpoint: str, hello: Hello
    ) -> None:
        super().__init__(context, endpoint)
        self.seq = self.call = 0
        self.say(hello)
        assert isinstance(self.hear(), Welcome)

    def snapshot(self, graph: Node, *, force: bool = False, label: str = "RT60") -> Snapshot:
        self.seq += 1
        self.call += 1
        knobs = sliders({"rt60": {"label": label}, "dry_wet": True})
        metrics = {"loss": 1 / self.call}
        return Snapshot(
            self.seq, self.call, 48000.0, graph, "run", force=force, controls=knobs, metrics=metrics
        )

    def update(self, graph: Node, *, force: bool = False, label: str = "RT60") -> Reason:
        return self.verdict(self.snapshot(graph, force=force, label=label))

    def publish(self, code: str) -> Reason:
        self.seq += 1
        return self.verdict(OwnProgram(self.seq, code))

    def verdict(self, message: Snapshot | OwnProgram) -> Reason:
        self.say(message)
        answer = self.hear()
        while not isinstance(answer, Verdict):  # pongs
            answer = self.hear()
        assert answer.seq == message.seq
        return answer.reason


@contextmanager
def recorded(plugin: Plugin, target: Path, *options: str) -> Iterator[str]:
    """Run a bridge that records; yields its endpoint."""
    command = [
        sys.executable,
        "-c",
        _SERVE,
        "serve",
        "--no-restart",
        "--record",
        str(target),
        *options,
    ]
    command += ["--dsp-path", str(plugin.dsp_path), "--config-path", str(plugin.config_path)]
    process = subprocess.Popen([*command, "--log-level", "error"])
    try:
        eventually(plugin.place.socket_path.exists, "the bridge is there")
        yield plugin.place.endpoint
    finally:
        process.terminate()
        process.wait(DEADLINE)


def perform(plugin: Plugin, endpoint: str, *, patient: bool = False) -> list[Reason]:
    """Play the run.

    Args:
        plugin: the plugin's files.
        endpoint: of the bridge.
        patient: wait until a silent worker counts as gone.

    Returns:
        The reasons of all verdicts, in order.
    """
    with zmq.Context() as context, ExitStack() as peers:

        def player(hello: Hello) -> Player:
            return peers.enter_context(closing(Player(context, endpoint, hello)))

        cast = _Cast(
            plugin,
            player(ANN),
            player(Hello("bob", "bob-1", "gpu-2", 12, every=2, min_interval=0.2)),
            player(Hello("cleo", "cleo-1", "gpu-3", 13, min_interval=0.3, settle=True)),
            player(Hello("hasty", "hasty-1", min_interval=0.001)),
            peers.enter_context(closing(Peer(context, endpoint))),
        )
        return list(_play(cast, player, patient=patient))


class _Cast(NamedTuple):
    plugin: Plugin
    ann: Player
    bob: Player
    cleo: Player
    hasty: Player
    steerer: Peer


ANN = Hello("ann", "ann-1", "gpu-1", 11, min_interval=0.2)


def _play(cast: _Cast, player: Callable[[Hello], Player], *, patient: bool) -> Iterator[Reason]:
    yield from _throttled(cast)
    yield from _settled(cast)
    yield from _held_back(cast.ann)
    yield from _disturbed(cast)
    yield from _followed(cast)
    yield from _meanwhile(cast.ann)
    last = cast.ann.snapshot(gain(0.75), force=True)
    yield cast.ann.verdict(last)
    # Her connection is lost, and the message sent again.
    cast.ann.close()
    ann = player(ANN)
    ann.seq, ann.call = cast.ann.seq, cast.ann.call
    yield ann.verdict(last)
    _noise(cast, ann)
    cast.cleo.say(Bye())
    for _ in range(7 if patient else 0):  # Bob and hasty are silent.
        time.sleep(0.8)
        ann.say(Ping())
        ann.hear()
    ann.seq += 1
    yield ann.update(Gain("wide", np.eye(2)), force=True)
    ann.say(Bye())
    # Until it has arrived.
    cast.steerer.say(Ping())
    cast.steerer.hear()


def _throttled(cast: _Cast) -> Iterator[Reason]:
    yield cast.ann.update(fdn(4, seed=1))
    yield cast.ann.update(fdn(4, seed=2))  # min-interval
    time.sleep(0.2)
    yield cast.ann.update(fdn(4, seed=1))  # unchanged, or reload-cost
    yield cast.bob.update(fdn(8, seed=3), force=True)
    yield cast.bob.update(fdn(8, seed=4))  # every
    yield cast.hasty.update(fdn(8, seed=5))  # reload-cost


def _settled(cast: _Cast) -> Iterator[Reason]:
    yield cast.cleo.update(fdn(4, seed=6))
    yield cast.cleo.update(fdn(4, seed=7))
    written = cast.plugin.program()
    eventually(lambda: cast.plugin.program() != written, "the newest snapshot settles")


def _held_back(ann: Player) -> Iterator[Reason]:
    yield ann.update(gain(1e4), force=True)  # too-loud
    growing = Recursion("loop", Delay("delay", np.array([100.0])), gain(1.2))
    yield ann.update(growing, force=True)  # unstable
    yield ann.update(gain(0.5), force=True, label="dry/wet")  # refused: two knobs of one name
    yield ann.publish("")  # refused
    yield ann.publish("process = _ : nothing_of_the_kind;")  # does-not-compile
    yield ann.publish("process = _;")  # misfit
    yield ann.publish("process = par(channel, 2, seq(i, 1200, sin));")  # too-heavy
    yield ann.publish("process = _,_;")
    yield ann.publish("process = _,_;")  # unchanged
    yield ann.update(gain(0.7), force=True)
    time.sleep(0.3)
    yield ann.update(gain(0.7 + 1e-6))  # inaudible


def _disturbed(cast: _Cast) -> Iterator[Reason]:
    # A folder where the file should be: not even root can write there.
    cast.plugin.dsp_path.unlink()
    cast.plugin.dsp_path.mkdir()
    yield cast.ann.update(gain(0.125), force=True)
    cast.plugin.dsp_path.rmdir()
    cast.plugin.dsp_path.write_text("process = 0,0;")
    yield cast.ann.update(gain(0.25), force=True)


def _followed(cast: _Cast) -> Iterator[Reason]:
    for choice in (Choice("worker", "bob"), Choice("best", "loss"), Choice("first"), Choice()):
        cast.steerer.say(Follow(choice))
        assert isinstance(cast.steerer.hear(), Steered)
        for number, player in enumerate((cast.ann, cast.bob, cast.cleo)):
            yield player.update(fdn(4, seed=20 + number), force=True)


def _meanwhile(ann: Player) -> Iterator[Reason]:
    """Send three snapshots without waiting for verdicts."""
    for seed in (30, 31, 32):
        ann.say(ann.snapshot(fdn(12 + seed % 3, seed=seed), force=True))
    for _ in range(3):
        answer = ann.hear()
        assert isinstance(answer, Verdict)
        yield answer.reason


def _noise(cast: _Cast, ann: Player) -> None:
    cast.steerer.say_bytes(b"noise")
    cast.steerer.hear()
    cast.steerer.say_bytes(b"two", b"frames")
    cast.steerer.hear()
    ann.say_bytes(codec.encode(Snapshot(ann.seq + 1, 1, 48000.0, gain(1)))[:-3])
    ann.hear()
    ann.say(Ping())
    ann.hear()


def main() -> None:
    """Record the run to the file given on the command line."""
    with tempfile.TemporaryDirectory() as folder:
        # The verdicts name the file.
        plugin = Plugin(Path("/tmp/frozen"))
        plugin.folder.mkdir()
        target = Path(folder) / "run.mcap"
        with recorded(plugin, target, *sys.argv[2:]) as endpoint:
            print([str(reason) for reason in perform(plugin, endpoint, patient=True)])
        Path(sys.argv[1]).write_bytes(target.read_bytes())
        for path in plugin.folder.iterdir():
            path.unlink()
        plugin.folder.rmdir()


if __name__ == "__main__":
    main()
