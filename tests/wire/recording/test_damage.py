"""Cut and corrupted recordings: what is read was written, and what is missing is told."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from faustwire import recording
from faustwire.errors import RecordingError
from faustwire.recording.damage import Damages
from faustwire.recording.part import Part
from recordings import START_NS, Written, record, snapshot

Random = np.random.Generator
CUTS = 500


def cut(data: bytes, random: Random) -> bytes:
    return data[: random.integers(len(data))]


def flip(data: bytes, random: Random) -> bytes:
    """Some bits, anywhere."""
    content = bytearray(data)
    for at in random.integers(len(data), size=random.integers(1, 4)):
        content[at] ^= 1 << random.integers(8)
    return bytes(content)


def overwrite(data: bytes, random: Random) -> bytes:
    start, end = stretch(data, random)
    return data[:start] + random.bytes(end - start) + data[end:]


def blank(data: bytes, random: Random) -> bytes:
    """What a disk leaves of a block it has lost."""
    start, end = stretch(data, random)
    return data[:start] + bytes(end - start) + data[end:]


def remove(data: bytes, random: Random) -> bytes:
    start, end = stretch(data, random)
    return data[:start] + data[end:]


def repeat(data: bytes, random: Random) -> bytes:
    start, end = stretch(data, random)
    return data[:end] + data[start:end] + data[end:]


def swap(data: bytes, random: Random) -> bytes:
    first, second = sorted((stretch(data, random), stretch(data, random)))
    if first[1] > second[0]:
        return data
    between = data[first[1] : second[0]]
    return (
        data[: first[0]] + data[slice(*second)] + between + data[slice(*first)] + data[second[1] :]
    )


def stretch(data: bytes, random: Random) -> tuple[int, int]:
    start = int(random.integers(len(data)))
    return start, min(len(data), start + int(random.integers(1, 30_000)))


DAMAGES: list[Callable[[bytes, Random], bytes]] = [
    cut,
    flip,
    overwrite,
    blank,
    remove,
    repeat,
    swap,
]


@pytest.fixture(scope="module", params=[True, False], ids=["closed", "killed"])
def whole(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Written:
    """A hundred kilobytes in a dozen chunks."""
    folder = tmp_path_factory.mktemp("whole")
    items = [snapshot(n, size=900) for n in range(120)]
    return record(folder, items, seconds=0.06, close=request.param)


@pytest.mark.parametrize("damage", DAMAGES, ids=lambda damage: damage.__name__)
def test_what_is_read_of_a_damaged_recording_was_written(
    damage: Callable[[bytes, Random], bytes], whole: Written, tmp_path: Path
) -> None:
    """Byte for byte, each once, in order, with its time and its worker; and the rest is missed."""
    data = whole.paths[0].read_bytes()
    numbers = {item[2]: number for number, item in enumerate(whole.items)}
    path = tmp_path / "damaged.mcap"
    unreadable = lost = 0
    rounds = -(-CUTS // len(DAMAGES))
    for seed in range(rounds):
        path.write_bytes(damage(data, np.random.default_rng(seed)))
        try:
            read = recording.Recording(path)
        except RecordingError:
            unreadable += 1  # Its first eight bytes.
            continue
        last = -1
        for item in read:
            number = numbers[item.data]
            at_ns, channel, _ = whole.items[number]
            assert number > last
            assert (item.at_ns, item.topic, item.metadata) == (
                at_ns,
                channel.topic,
                channel.metadata,
            )
            last = number
        found = sum(1 for _ in read)
        assert found == len(numbers) or read.damage
        lost += len(numbers) - found
        read.find(60, "a")
        assert len(list(read.items(START_NS + 3 * 10**9))) <= found
    # Much the same as was damaged: one chunk is not to take others with it.
    assert lost / rounds / len(numbers) < (0.3 if damage not in (cut, swap) else 0.6)
    assert unreadable <= rounds / 10


def test_how_much_is_missing_is_told(whole: Written, tmp_path: Path) -> None:
    """One bit in the middle, and one in the length ahead of another chunk."""
    index = Part(whole.paths[0], Damages()).index()
    data = bytearray(whole.paths[0].read_bytes())
    data[index.chunks[3].offset + 400] ^= 1
    data[index.chunks[7].offset + 6] ^= 1
    path = tmp_path / "damaged.mcap"
    path.write_bytes(data)
    read = recording.Recording(path)
    found = list(read)
    told = [str(damage) for damage in read.damage]
    assert any("its CRC does not match" in line or "can't be unpacked" in line for line in told)
    missing = [damage.messages for damage in read.damage if damage.messages]
    # A mark goes with each chunk.
    marks = len(missing)
    assert sum(missing) - marks == len(whole.items) - len(found) > 0
    assert all(line.startswith("damaged.mcap, byte ") for line in told)


def test_a_chunk_that_somebody_has_smuggled_in_is_not_taken_for_one(tmp_path: Path) -> None:
    """What a snapshot holds may look like a chunk to a reader that looks for the next one."""
    other = record(tmp_path / "other", [snapshot(n, size=2000) for n in range(30)])
    written = record(tmp_path / "run", [snapshot(n, size=900) for n in range(20)], seconds=0.3)
    path, data = written.paths[0], written.paths[0].read_bytes()
    index = Part(path, Damages()).index()
    before, after = index.chunks[3].offset, index.chunks[4].offset
    smuggled = b"\xff" * 50 + other.paths[0].read_bytes() + data[before : before + 40]
    path.write_bytes(data[:before] + smuggled + data[after:-1])
    read = recording.Recording(path)
    numbers = [snapshot(n, size=900)[1] for n in range(20)]
    found = [numbers.index(item.data) for item in read]
    assert len(set(numbers) - {item.data for item in read}) == 2
    assert found == sorted(found)
    assert any(f"{len(smuggled)} bytes are damaged" in str(damage) for damage in read.damage)
