"""A peer that speaks ZeroMQ's protocol by hand, and reads only what it is told to."""

from __future__ import annotations

import socket


def greeted(endpoint: str) -> socket.socket:
    """A connection without encryption that has shaken hands as a DEALER would, by hand."""
    host, _, port = endpoint.removeprefix("tcp://").rpartition(":")
    raw = socket.create_connection((host, int(port)))
    raw.sendall(b"\xff" + bytes(8) + b"\x7f\3\0" + b"NULL".ljust(20, b"\0") + bytes(32))
    ready = b"\5READY\x0bSocket-Type\0\0\0\6DEALER"
    raw.sendall(bytes([4, len(ready)]) + ready)
    return raw
