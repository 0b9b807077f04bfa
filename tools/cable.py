"""A cable between two network interfaces, with adjustable loss and delay.

    python cable.py LEFT RIGHT

carries Ethernet frames both ways and reads one JSON object a line from its standard input:
``loss`` (part of the frames, 0 to 1) and ``delay_seconds``. It ends with its standard input.
"""

from __future__ import annotations

import heapq
import json
import os
import random
import select
import socket
import sys
import time
from contextlib import suppress
from typing import TypeAlias

# From <linux/if_ether.h> and <linux/if_packet.h>.
_ETH_P_ALL = 3
_SOL_PACKET = 263
_PACKET_VNET_HDR = 15
# Segments that were not cut to size yet, and what stands before them.
_FRAME_BYTES = 2**16 + 256

# When it is due, its number, its bytes, and where it goes.
Frame: TypeAlias = tuple[float, int, bytes, socket.socket]


def plug_in(interface: str) -> socket.socket:
    """Open a socket for the frames of an interface.

    Frames keep the header that lists what the sender left to its network card, above all checksums:
    there is no card, and a frame without its checksum would be dropped.
    """
    end = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(_ETH_P_ALL))
    end.setsockopt(_SOL_PACKET, _PACKET_VNET_HDR, 1)
    end.bind((interface, 0))
    return end


def deliver(on_the_way: list[Frame]) -> None:
    """Send the frames that are due."""
    while on_the_way and on_the_way[0][0] <= time.monotonic():
        _, _, frame, end = heapq.heappop(on_the_way)
        # Where the interface is down the frame is lost.
        with suppress(OSError):
            end.send(frame)


def main(left: str, right: str) -> None:
    """Forward frames until standard input ends."""
    ends = [plug_in(left), plug_in(right)]
    dice = random.Random(1)  # noqa: S311 - which frames to lose
    quality = {"loss": 0.0, "delay_seconds": 0.0}
    on_the_way: list[Frame] = []
    number = 0
    while True:
        wait = max(0.0, on_the_way[0][0] - time.monotonic()) if on_the_way else None
        ready, _, _ = select.select([sys.stdin, *ends], [], [], wait)
        if sys.stdin in ready:
            line = os.read(sys.stdin.fileno(), 4096)
            if not line:
                return
            quality.update(json.loads(line))
        for end, other in (ends, reversed(ends)):
            if end not in ready:
                continue
            frame, address = end.recvfrom(_FRAME_BYTES)
            if address[2] == socket.PACKET_OUTGOING or dice.random() < quality["loss"]:
                continue
            number += 1
            due = time.monotonic() + quality["delay_seconds"]
            heapq.heappush(on_the_way, (due, number, frame, other))
        deliver(on_the_way)


if __name__ == "__main__":
    main(*sys.argv[1:])
