"""Invalid and nearly valid messages from a seed: mutations of valid ones, and hostile ones.

The n-th message of a seed is always the same, so that a failure can be reproduced.
"""

from __future__ import annotations

import math
import random
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeAlias

import msgpack
import numpy as np

from faustwire import codec
from faustwire.messages import Snapshot
from random_graphs import thrown_graph

_FIXTURES = Path(__file__).parents[1] / "tests" / "wire" / "messages-v1"
# Snapshots beside the fixtures: every kind of node.
_SNAPSHOTS = 48
# Stands in a map where bytes are to be that msgpack would not write.
_RAW = "\0raw\0"
_PACKED_RAW: bytes = msgpack.packb(_RAW)
# Depths and lengths around the limits, and far beyond them.
_DEPTHS = (1, 5, 62, 63, 64, 65, 130, 500, 1000, 1022, 1023, 1024, 1025, 3000)
_LENGTHS = (0, 1, 255, 65_535, 2**17 - 1, 2**17, 2**17 + 1, 2**24 - 1, 2**31 - 1, 2**32 - 1)
_LEAF = msgpack.packb({"type": "gain", "matrix": [[1.0]]})
_SERIES = b"\x82\xa4type\xa6series\xa5nodes\x91"
_RECURSION = b"\x83\xa4type\xa9recursion\xa8feedback" + _LEAF + b"\xa7forward"
_NAMES = (
    *("type", "seq", "call", "fs", "graph", "name", "force", "controls", "metrics", "nodes"),
    *("matrix", "gains", "samples", "taps", "sections", "vector", "join", "forward", "feedback"),
    *("shape", "f4", "f8", "worker", "incarnation", "every", "min_interval", "code", "detail"),
    *("follow", "kind", "faustwire", "due", "reason", "workers", "events", "", "x", "\0", "é"),
)
_TYPES = (
    *("snapshot", "source", "hello", "ping", "bye", "follow", "verdict", "state", "event"),
    *("gain", "diagonal_gain", "householder", "delay", "fir", "sos", "series", "parallel"),
    *("recursion", "sum", "concatenate", "rt60", "dry_wet", "latest", "worker", "best"),
)
_NUMBERS: tuple[Any, ...] = (
    *(0, 1, -1, 2, 127, 128, 2**31, 2**53 + 1, 2**63 - 1, 2**63, 2**64 - 1, -(2**63)),
    *(0.0, -0.0, 0.5, 1e-320, 1e300, -1e300, float("nan"), float("inf"), float("-inf")),
)
_SCALARS: tuple[Any, ...] = (
    *(None, True, False, "", b"", "x" * 65, "x" * 257, "x" * 5000, b"\0" * 300),
    *("\u202e", "*/", "process", [], {}, [[]], [None], {"": None}),
)
# Text that is no UTF-8, extensions, a reserved byte, doubled keys, bytes as a key.
_ODDITIES = (
    *(b"\xa2\xff\xfe", b"\xa3\xed\xa0\x80", b"\xd4\x05\x00", b"\xd6\xff\0\0\0\0", b"\xc1"),
    *(b"\xc7\xff\x01" + b"x" * 255, b"\x82\xa4type\xa4gain\xa4type\xa5delay", b"\x81\xc4\x01x\x01"),
    *(b"\x81\xc0\x01", b"\x81\x01\x01", b"\x81\x90\x01", b"\xca\x7f\xc0\0\0", b"\xcb\xff" * 4),
)

_Dice: TypeAlias = random.Random


class Mutations:
    """The messages of one seed."""

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self.valid = [path.read_bytes() for path in sorted(_FIXTURES.glob("*.msgpack"))]
        rng = np.random.default_rng(seed)
        for number in range(1, _SNAPSHOTS + 1):
            graph = thrown_graph(rng, depth=number % 4)
            self.valid.append(codec.encode(Snapshot(number, number, 48000.0, graph)))

    def message(self, number: int) -> bytes:
        """The message of a number."""
        dice = random.Random((self._seed << 40) + number)  # noqa: S311 - dice
        return dice.choice(_WAYS)(self, dice)

    def _valid(self, dice: _Dice) -> bytes:
        """One of the fixtures as often as one of the snapshots."""
        return dice.choice(dice.choice((self.valid[:-_SNAPSHOTS], self.valid[-_SNAPSHOTS:])))

    # -- bytes ---------------------------------------------------------------------------------

    def _flipped(self, dice: _Dice) -> bytes:
        data = bytearray(self._valid(dice))
        for _ in range(dice.choice((1, 1, 2, 4, 8))):
            place = dice.randrange(len(data))
            data[place] = (
                data[place] ^ (1 << dice.randrange(8))
                if dice.random() < 0.5
                else (dice.choice((0, 0x7F, 0x80, 0x90, 0xC0, 0xC1, 0xDC, 0xDD, 0xDF, 0xFF)))
            )
        return bytes(data)

    def _spliced(self, dice: _Dice) -> bytes:
        one, other = self._valid(dice), self._valid(dice)
        first, last = dice.randrange(len(one)), dice.randrange(len(other))
        return one[:first] + other[last:]

    def _cut(self, dice: _Dice) -> bytes:
        data = self._valid(dice)
        here, there = sorted((dice.randrange(len(data)), dice.randrange(len(data) + 1)))
        return dice.choice((data[:here], data[there:], data[:here] + data[there:], data + data))

    def _random(self, dice: _Dice) -> bytes:
        return dice.randbytes(dice.choice((0, 1, 2, 5, 20, 60, 300)))

    def _headed(self, dice: _Dice) -> bytes:
        """Put a hostile length into a valid message, or at its head."""
        data = self._valid(dice)
        place = dice.choice((0, dice.randrange(len(data))))
        return data[:place] + _header(dice) + data[place + dice.choice((0, 1, 5)) :]

    # -- the map -------------------------------------------------------------------------------

    def _changed(self, dice: _Dice) -> bytes:
        """Move parts of a message, or replace them by hostile values."""
        body = msgpack.unpackb(self._valid(dice))
        raw: list[bytes] = []
        for _ in range(dice.choice((1, 1, 1, 2, 3))):
            places = list(_places(body))
            if not places:
                break
            holder, key = dice.choice(places)
            match dice.randrange(8):
                case 0:
                    del holder[key]
                case 1 if isinstance(holder, dict):
                    holder[dice.choice(_NAMES)] = holder.pop(key)
                case 2:
                    other, there = dice.choice(places)
                    holder[key] = _copied(other[there])
                case 3 if isinstance(holder, dict):
                    holder[dice.choice(_NAMES)] = _hostile(dice, raw)
                case 4:
                    holder[key] = dice.choice(dice.choice((_TYPES, _NUMBERS, _NAMES)))
                case 5:
                    holder[key] = _array(dice)
                case _:
                    holder[key] = _hostile(dice, raw)
        return _packed(body, raw)


def _places(value: Any) -> Any:
    """Every place in a message, as (map or list, key or index)."""
    items = value.items() if isinstance(value, dict) else enumerate(value)
    for key, inner in list(items):
        yield value, key
        if isinstance(inner, (dict, list)) and inner:
            yield from _places(inner)


def _copied(value: Any) -> Any:
    return msgpack.unpackb(msgpack.packb(value))


def _packed(body: dict[str, Any], raw: list[bytes]) -> bytes:
    data: bytes = msgpack.packb(body)
    for piece in raw:
        data = data.replace(_PACKED_RAW, piece, 1)
    return data


def _hostile(dice: _Dice, raw: list[bytes]) -> Any:
    kind = dice.randrange(10)
    if kind < 3:
        return dice.choice(_NUMBERS)
    if kind < 6:
        return _copied(dice.choice(_SCALARS))
    raw.append(dice.choice(_RAW_KINDS)(dice))
    return _RAW


def _array(dice: _Dice) -> dict[str, Any]:
    """An encoded array with random, possibly inconsistent fields."""
    sizes = (0, 1, 1, 2, 2, 3, 4, 256, 257, -1, 2**31, 2**63, True, 1.0, None, "1")
    honest = dice.random() < 0.5
    shape: list[Any] = [
        dice.choice(sizes[1:7] if honest else sizes) for _ in range(dice.randrange(5))
    ]
    kind = dice.choice(("f4", "f8"))
    count = math.prod(map(int, shape)) if honest else dice.randrange(9)
    values = [dice.choice((0.0, 1.0, -1.0, 0.5, 1e38, float("nan"), -0.0)) for _ in range(count)]
    return {"shape": shape, kind: struct.pack(f"<{count}{'f' if kind == 'f4' else 'd'}", *values)}


def _header(dice: _Dice) -> bytes:
    """The header of a list, map, text or bytes that announces a great length."""
    return dice.choice((b"\xdd", b"\xdf", b"\xdb", b"\xc6", b"\xc9")) + struct.pack(
        ">I", dice.choice(_LENGTHS)
    )


def _oddity(dice: _Dice) -> bytes:
    return dice.choice(_ODDITIES)


def _nested(dice: _Dice) -> bytes:
    depth = dice.choice(_DEPTHS)
    inner = dice.choice((_LEAF, b"\xc0", b""))
    return dice.choice((b"\x91", b"\x81\xa1x", _SERIES, _RECURSION)) * depth + inner


def _bomb(dice: _Dice) -> bytes:
    """A message of many elements; rarely very many, since unpacking those takes a while."""
    count = dice.choice((100, 100, 1000, 1000, 1000, 5000)) if dice.random() < 0.99 else 140_000
    element = dice.choice((b"\x80", b"\x90", b"\xc0", b"\x91\x01", _LEAF, b"\xcb" + bytes(8)))
    if dice.random() < 0.3:
        pairs = b"".join(msgpack.packb(f"k{key}") + element for key in range(count // 10))
        return b"\xdf" + struct.pack(">I", count // 10) + pairs
    return b"\xdd" + struct.pack(">I", count) + element * count


_RAW_KINDS: tuple[Callable[[_Dice], bytes], ...] = (_header, _oddity, _oddity, _nested, _bomb)
_WAYS: tuple[Callable[[Mutations, _Dice], bytes], ...] = (
    *(Mutations._flipped, Mutations._flipped, Mutations._spliced, Mutations._cut),
    *(Mutations._random, Mutations._headed),
    *(Mutations._changed, Mutations._changed, Mutations._changed, Mutations._changed),
)
