"""A worker without a training: one real connection that a test drives by hand."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import zmq

from faustwire import codec
from faustwire.messages import Bye, Hello, Message, Snapshot, ToBridge, Verdict, Welcome
from graphs import gain

_DEADLINE_MS = 10_000


class Peer:
    """A DEALER that has said hello."""

    def __init__(self, socket: zmq.Socket[bytes], hello: Hello) -> None:
        self._socket = socket
        self.call = 0
        welcome = self.ask(hello)
        assert isinstance(welcome, Welcome)
        self.welcome = welcome

    def send(self, message: ToBridge) -> None:
        self._socket.send(codec.encode(message))

    def send_bytes(self, data: bytes) -> None:
        """Send one frame as it is."""
        self._socket.send(data)

    def receive(self) -> Message:
        """The next message of the bridge."""
        assert self._socket.poll(_DEADLINE_MS), "no answer"
        return codec.decode(self._socket.recv())

    def waits(self) -> bool:
        """Whether a message of the bridge can be received."""
        return bool(self._socket.poll(0))

    def ask(self, message: ToBridge) -> Message:
        self.send(message)
        return self.receive()

    def update(self, value: float, metrics: Mapping[str, float] | None = None) -> Verdict:
        """Send a gain as the next call of ``update``."""
        self.call += 1
        answer = self.ask(
            Snapshot(self.call, self.call, 48000.0, gain(value), metrics=metrics or {})
        )
        assert isinstance(answer, Verdict), answer
        return answer


@contextmanager
def peer(endpoint: str, name: str, *, incarnation: str = "") -> Iterator[Peer]:
    """Connect a worker to the bridge at an endpoint; it leaves when the block ends."""
    context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
    context.setsockopt(zmq.LINGER, 200)
    socket = context.socket(zmq.DEALER)
    try:
        socket.connect(endpoint)
        hello = Hello(name, incarnation or f"{name[:50]}-1", "gpu-3", 7, min_interval=0.0)
        worker = Peer(socket, hello)
        yield worker
        worker.send(Bye())
    finally:
        socket.close()
        context.term()
