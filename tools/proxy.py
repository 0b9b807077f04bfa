"""A proxy between a worker and its bridge that delays, throttles, drops and cuts."""

from __future__ import annotations

import asyncio
import math
import socket
import struct
import threading
import time
from collections.abc import Coroutine
from contextlib import suppress
from types import TracebackType
from typing import Any, Literal

from typing_extensions import Self

# "held": nothing comes through until it passes again; the ends notice nothing, as with a cable
# that is pulled out for a while. "lost": read and thrown away, as what was on its way when a
# connection broke.
Flow = Literal["passes", "held", "lost"]

_CHUNK_BYTES = 4096
_CHUNKS_ON_THE_WAY = 64
# How often a flow that is held looks whether it passes again.
_LOOK_SECONDS = 0.005


class Proxy:
    """Forwards each connection to the bridge; a context manager.

    Attributes:
        endpoint: address for workers to connect to.
        connects: time of each incoming connection, monotonic seconds.
        answers: False: connections are cut at once, as by a tunnel whose other end is down.
        delay_seconds: latency, each way.
        bytes_per_second: throughput, each way.
        largest_bytes: a connection stalls after a larger chunk, as in a network that drops large
            packets and does not report its limit.
        up, down: what happens to data for the bridge, and for the worker.
    """

    def __init__(self, target: str) -> None:
        """Choose a free port; connections are accepted once the context is entered.

        Args:
            target: the bridge's endpoint, tcp://host:port; the bridge need not run yet.
        """
        host, _, port = target.removeprefix("tcp://").rpartition(":")
        self.connects: list[float] = []
        self.answers = True
        self.delay_seconds = 0.0
        self.bytes_per_second = math.inf
        self.largest_bytes = math.inf
        self.up: Flow = "passes"
        self.down: Flow = "passes"
        self._target = (host, int(port))
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.endpoint = f"tcp://127.0.0.1:{self._listener.getsockname()[1]}"
        self._lines: set[asyncio.Task[None]] = set()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="proxy", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        self._do(self._listen())
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._do(self._end())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def cut(self) -> None:
        """Reset every connection; new ones are accepted."""
        self._do(self._cut())

    def renew(self) -> None:
        """Reset every connection; later ones pass everything."""
        self._do(self._renew())

    def part(self) -> None:
        """Stall both directions without closing connections."""
        self.up = self.down = "held"

    def heal(self) -> None:
        """Pass everything in both directions."""
        self.up = self.down = "passes"

    # -- on the thread from here ---------------------------------------------------------------

    def _do(self, what: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(what, self._loop).result(10.0)

    async def _listen(self) -> None:
        self._server = await asyncio.start_server(self._connect, sock=self._listener)

    async def _end(self) -> None:
        # Nobody new, and whoever was being accepted just now becomes a line first: asyncio leaves
        # such a connection open when its server closes meanwhile.
        self._loop.remove_reader(self._listener)
        while others := asyncio.all_tasks() - {asyncio.current_task()}:
            for line in self._lines:
                line.cancel()
            await asyncio.wait(others)
        self._server.close()

    async def _renew(self) -> None:
        self.heal()
        await self._cut()

    async def _cut(self) -> None:
        lines = list(self._lines)
        for line in lines:
            line.cancel()
        await asyncio.gather(*lines, return_exceptions=True)

    def _connect(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connects.append(time.monotonic())
        line = asyncio.ensure_future(self._line(reader, writer))
        self._lines.add(line)
        line.add_done_callback(self._lines.discard)
        # A line that is cut before its first step runs no "finally" of its own.
        line.add_done_callback(lambda _: _reset(writer))

    async def _line(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        far_writer: asyncio.StreamWriter | None = None
        pumps: list[asyncio.Future[None]] = []
        try:
            if not self.answers:
                return
            far_reader, far_writer = await asyncio.open_connection(*self._target)
            for source, sink, way in ((reader, far_writer, "up"), (far_reader, writer, "down")):
                chunks: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue(_CHUNKS_ON_THE_WAY)
                pumps.append(asyncio.ensure_future(self._take_in(source, chunks)))
                pumps.append(asyncio.ensure_future(self._let_out(chunks, sink, way)))
            await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
        except OSError:
            pass  # No bridge there: the caller is cut off.
        finally:
            for pump in pumps:
                pump.cancel()
            # First, since what follows may be cut short: a line is cut while it ends by itself.
            if far_writer is not None:
                _reset(far_writer)
            await asyncio.gather(*pumps, return_exceptions=True)

    async def _take_in(
        self, source: asyncio.StreamReader, chunks: asyncio.Queue[tuple[float, bytes]]
    ) -> None:
        while data := await source.read(_CHUNK_BYTES):
            await chunks.put((self._loop.time() + self.delay_seconds, data))
        await chunks.join()

    async def _let_out(
        self, chunks: asyncio.Queue[tuple[float, bytes]], sink: asyncio.StreamWriter, way: str
    ) -> None:
        while True:
            due, data = await chunks.get()
            await asyncio.sleep(due - self._loop.time())
            while getattr(self, way) == "held" or len(data) > self.largest_bytes:
                await asyncio.sleep(_LOOK_SECONDS)
            if getattr(self, way) == "passes":
                sink.write(data)
                await sink.drain()
                await asyncio.sleep(len(data) / self.bytes_per_second)
            chunks.task_done()


def _reset(end: asyncio.StreamWriter) -> None:
    """Close with a reset (RST), which the other side sees at once."""
    connection = end.get_extra_info("socket")
    with suppress(OSError):
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    end.transport.abort()
