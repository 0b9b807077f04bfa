"""Recordings made by hand, for tests."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import msgpack
import numpy as np

from faustwire import recording
from faustwire.header import read_header
from faustwire.messages import Hello

START_NS = 1_795_000_000 * 10**9


@dataclass(frozen=True)
class Written:
    """A recording, and the messages written into it: time, channel and bytes."""

    folder: Path
    items: list[tuple[int, recording.Channel, bytes]]

    @property
    def paths(self) -> list[Path]:
        return sorted(self.folder.glob("*.mcap"))


def worker(name: str, topic: str = "in", incarnation: str = "") -> recording.Channel:
    """A worker's channel."""
    hello = Hello(name, incarnation or f"{name}-1")
    return recording.of_worker(topic, name.encode(), hello, None, ())


def snapshot(number: int, *, call: int = 0, size: int = 40) -> tuple[recording.Channel, bytes]:
    """Bytes that resemble a snapshot of one of two workers, with their channel."""
    body = {
        "faustwire": 1,
        "type": "snapshot",
        "seq": number + 1,
        "call": call or number + 1,
        "graph": np.random.default_rng(number).bytes(size),
    }
    return worker("ab"[number % 2]), msgpack.packb(body)


def call_of(data: bytes) -> int | None:
    """The call number of a snapshot."""
    seen = read_header(data)
    return seen.call if seen else None


def record(
    folder: Path,
    items: Iterable[tuple[recording.Channel, bytes]],
    *,
    seconds: float = 0.01,
    rotation: recording.Rotation | None = None,
    close: bool = True,
) -> Written:
    """Write a recording with a fixed number of seconds between messages.

    Without ``close`` it ends like the recording of a bridge that was killed after one more tick.
    """
    metadata = {"libfaust": "2.81", "monotonic_offset_ns": "0"}
    writer = recording.RecordingWriter(folder, START_NS, metadata, rotation=rotation)
    written = []
    at_ns = START_NS
    for number, (channel, data) in enumerate(items):
        at_ns = START_NS + round(number * seconds * 1e9)
        writer.write(at_ns, channel, data)
        written.append((at_ns, channel, data))
    if close:
        writer.close()
    else:
        writer.tick(at_ns + 10**9)
    assert writer.problem is None
    return Written(folder, written)
