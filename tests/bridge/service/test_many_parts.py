"""Messages of very many parts: two bytes each cost a peer, and whoever reads them a microsecond."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager

import zmq

from bridges import Plugin, eventually
from faustwire_bridge.service.listener import Received
from faustwire_bridge.service.listeners import Listeners
from raw_peer import greeted

# With the flag that more parts follow, and the last one.
PART, LAST = b"\1\0", b"\0\0"
SECONDS = 20.0


@contextmanager
def opened(plugin: Plugin) -> Iterator[tuple[Listeners, socket.socket]]:
    """Listeners, and a peer that has shaken hands by hand."""
    plugin.place.prepare()
    with (
        closing(Listeners(plugin.place, ["tcp://127.0.0.1:0"])) as listeners,
        greeted(listeners.endpoints[0]) as raw,
    ):
        raw.settimeout(SECONDS)
        said = b""
        while b"ROUTER" not in said:
            said += raw.recv(256)
        yield listeners, raw


def test_a_message_of_a_million_parts_keeps_nobody_waiting_for_a_second(plugin: Plugin) -> None:
    """It was read in one go, before anything else."""
    with opened(plugin) as (listeners, raw):
        raw.sendall(PART * 1_000_000 + LAST + b"\0\1?")
        longest, heard = 0.0, list[Received]()

        def hears() -> int:
            nonlocal longest
            begun = time.thread_time()
            came = listeners.receive()
            longest = max(longest, time.thread_time() - begun)
            heard.extend([] if came is None else [came])
            return len(heard) == 2

        eventually(hears, "both messages have come", SECONDS)
        assert [came.frames for came in heard] == [[b"", b""], [b"?"]]
        assert longest < 0.3


def test_a_message_of_more_parts_has_all_connections_cut(plugin: Plugin) -> None:
    """Others are back in a moment; they would have waited for as long as it takes to read."""
    with opened(plugin) as (listeners, raw), zmq.Context() as context:
        raw.sendall(PART * 1_200_000 + LAST)
        with closing(context.socket(zmq.DEALER)) as talker:
            talker.setsockopt(zmq.LINGER, 0)
            talker.setsockopt(zmq.RECONNECT_IVL, 20)
            talker.connect(listeners.endpoints[0])

            def is_cut() -> bool:
                listeners.receive()
                return not listeners.sockets

            eventually(is_cut, "all are cut", SECONDS)

            def is_heard() -> bool:
                talker.send(b"after")
                came = listeners.receive()
                return came is not None and came.frames == [b"after"]

            eventually(is_heard, "another one is back", SECONDS)
