"""What a program is given to play, and a fast look at what it makes of that."""

from __future__ import annotations

import functools
import random
import struct
from array import array
from collections.abc import Iterator
from typing import Any

from faustwire_bridge.children.play_plan import FS, Run


def signal(run: Run, channels: int) -> Iterator[tuple[bytes, bool]]:
    """Make a run's input, block by block.

    Args:
        run: which.
        channels: of the program's input.

    Yields:
        [channels, block] in float32, and whether it belongs to the constant part.
    """
    block, full = run.block, run.sign * run.scale
    silence = bytes(4 * channels * block)
    yield silence, False
    for number in range(_blocks(run, run.seconds)):
        yield _noise(channels, block, number, full), False
    yield silence, False
    constant = array("f", [full]).tobytes() * (channels * block)
    for _ in range(_blocks(run, min(run.seconds, run.constant))):
        yield constant, True


def _blocks(run: Run, seconds: float) -> int:
    return round(seconds * run.fs / run.block)


def _noise(channels: int, block: int, number: int, full: float) -> bytes:
    """A block of noise for each channel, from one stored supply, since drawing takes time."""
    supply = _supply(full)
    parts = []
    for channel in range(channels):
        # Steps of two primes meet the same place again only after very long.
        place = (7919 * number + 30011 * channel) % (len(supply) - block)
        parts.append(supply[place : place + block].tobytes())
    return b"".join(parts)


@functools.cache
def _supply(full: float) -> array[float]:
    dice = random.Random(0)  # noqa: S311
    return array("f", (full * dice.uniform(-1.0, 1.0) for _ in range(2 * FS)))


def buffers(channels: int, block: int) -> memoryview[Any]:
    """Room for a block, as cyfaust takes it: [channels, block] in float32.

    Args:
        channels: at least one is made.
        block: in samples.
    """
    size = max(channels, 1)
    return memoryview(bytearray(4 * size * block)).cast("B").cast("f", (size, block))


# Without its sign, the first byte of a float32.
_NO_SIGN = bytes(byte & 0x7F for byte in range(256))
_UP_TO = [bytes(range(byte + 1)) for byte in range(256)]
_ONLY = [bytes(0xFF * (byte == wanted) for byte in range(256)) for wanted in range(128)]


def exceeds(samples: memoryview[Any], bound: float) -> bool:
    """Tell whether any sample exceeds a bound by 0.8 % or more, or is no number, at 1 ns a sample.

    Looking at samples one by one takes several times as long as a simple program does to run. So
    the upper halves of float32s, which order them, are compared, many at a time.

    Args:
        samples: float32, as bytes.
        bound: 0 or more, and finite.

    Returns:
        Whether it is worth a closer look.
    """
    second, first = struct.pack("<f", bound)[2:]
    data = samples.tobytes()
    firsts = data[3::4].translate(_NO_SIGN)
    if firsts.translate(None, _UP_TO[first]):
        return True
    as_large = int.from_bytes(firsts.translate(_ONLY[first]), "little")
    seconds = as_large & int.from_bytes(data[2::4], "little")
    return bool(seconds.to_bytes(len(firsts), "little").translate(None, _UP_TO[second]))
