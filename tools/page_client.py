"""A page without a browser: what a page says and hears, over a real WebSocket."""

from __future__ import annotations

import json
import os
import re
import signal
import struct
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any

import numpy as np
from numpy.typing import NDArray
from websockets.sync.client import ClientConnection, connect

from bridges import DEADLINE, eventually
from faustwire.rendezvous import page_place

Message = dict[str, Any]


class PageClient:
    """Hears one server; ``heard`` are its messages, snapshots with their values among them."""

    def __init__(self, socket: ClientConnection) -> None:
        self.socket = socket
        self.heard: list[Message] = []

    def say(self, **message: Any) -> None:
        self.socket.send(json.dumps(message))

    def until(self, wanted: Callable[[Message], object], seconds: float = DEADLINE) -> Message:
        """The next message that is wanted; those before it are kept in ``heard``."""
        end = time.monotonic() + seconds
        while True:
            data = self.socket.recv(timeout=max(0.0, end - time.monotonic()))
            message = _snapshot(data) if isinstance(data, bytes) else json.loads(data)
            self.heard.append(message)
            if wanted(message):
                return message

    def until_type(self, kind: str) -> Message:
        return self.until(lambda message: message["type"] == kind)

    def fetch(self, run: str, call: int, request: int = 1) -> Message:
        """A step, or why there is none; a snapshot has been acknowledged to nobody."""
        self.say(type="fetch", run=run, call=call, request=request)
        return self.until(lambda message: message.get("request") == request)


def _snapshot(data: bytes) -> Message:
    (length,) = struct.unpack_from("<I", data)
    assert (4 + length) % 8 == 0
    header: Message = json.loads(data[4 : 4 + length])
    values: NDArray[np.float64] = np.frombuffer(data[4 + length :], "<f8")
    return {**header, "values": values}


_PROGRAM = ("-m", "faustwire_bridge")


@contextmanager
def listening(*arguments: str) -> Iterator[str]:
    """Run ``faustwire listen``; yields its link."""
    with listening_process(*arguments) as (link, _):
        yield link


@contextmanager
def listening_process(
    *arguments: str, program: Sequence[str] = _PROGRAM
) -> Iterator[tuple[str, int]]:
    """The same; yields its link and its process id. ``program``: what Python is told to run."""
    command = [sys.executable, *program, "listen", "--no-browser", "--port", "0"]
    process = subprocess.Popen([*command, *arguments], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        line = process.stdout.readline()
        found = re.search(r"http://\S+", line)
        assert found, f"no link: {line!r}"
        yield found.group(), process.pid
    finally:
        process.terminate()
        try:
            process.wait(DEADLINE)
        finally:
            process.kill()
            process.wait()
            process.stdout.close()


@contextmanager
def ending_page(endpoint: str) -> Iterator[None]:
    """End the page that a training has started within the block; it would go on for a minute."""
    place = page_place(endpoint)
    try:
        yield
    finally:
        with suppress(FileNotFoundError):
            os.kill(json.loads(place.lock_path.read_text())["pid"], signal.SIGTERM)
            eventually(lambda: not place.lock_path.exists(), "the page ends")
        place.log_path.unlink(missing_ok=True)


@contextmanager
def opened(link: str, **more: Any) -> Iterator[PageClient]:
    """Open the page's WebSocket, as its own page would; ``more`` as ``connect`` takes it."""
    origin = link.partition("/?")[0]
    target = link.replace("http://", "ws://").replace("/?", "/ws?")
    with connect(target, origin=more.pop("origin", origin), proxy=None, **more) as socket:
        assert isinstance(socket, ClientConnection)
        yield PageClient(socket)
