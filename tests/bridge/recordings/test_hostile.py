"""Recordings whose files are whole and whose messages lie: read, decided and played unharmed.

Damaged files are the reader's, in ``tests/wire``.
"""

from __future__ import annotations

import random
from pathlib import Path

import msgpack
import pytest

from faustwire import recording
from faustwire.recording import Recording, RecordingWriter
from faustwire_bridge.recordings.offline import decide_again
from faustwire_bridge.recordings.summary import summarise
from faustwire_bridge.recordings.table import as_plain
from faustwire_publisher.replay.states import States
from seeds import seeds

FROZEN = Path(__file__).parents[2] / "recordings" / "v1" / "every-reason.mcap"
LIES = [
    {"rules": "[" * 60_000, "monotonic_offset_ns": "9" * 30, "part": "x"},
    {"rules": '{"follow": [], "limits": {}}', "monotonic_offset_ns": "-5", "kept": "published"},
    {"rules": '{"follow": {"kind": 7}, "limits": {"max_gain_db": "x"}, "cost_multiple": null}'},
    {},
]


def mutated(dice: random.Random, data: bytes) -> bytes:
    """Some bytes changed, left out, doubled, or all of them something else."""
    kind = dice.randrange(6)
    at, length = dice.randrange(len(data) + 1), dice.randrange(1, 9)
    if kind == 0:
        return data[:at] + dice.randbytes(length) + data[at + length :]
    if kind == 1:
        return data[:at] + data[at + length :]
    if kind == 2:
        return data[:at]
    if kind == 3:
        return data[:at] + data[at - length : at] * dice.randrange(2, 40) + data[at:]
    if kind == 4:
        return dice.randbytes(dice.randrange(64))
    value: object = dice.choice(
        [None, True, -1, 2**63, 1e308, float("nan"), "x" * 999, [[]] * 99, {}]
    )
    try:
        body = msgpack.unpackb(data)
        body[dice.choice(list(body))] = value
        return bytes(msgpack.packb(body))
    except (ValueError, TypeError, IndexError):
        return b""


@pytest.mark.parametrize("seed", seeds(2, 40))
def test_whatever_messages_say_it_is_told_and_nothing_else_happens(
    seed: int, tmp_path: Path
) -> None:
    dice = random.Random(seed)  # noqa: S311
    items = list(Recording(FROZEN))
    said = dict(Recording(FROZEN).metadata) | LIES[seed % len(LIES)]
    for name in ("recording", "started_ns", "opened_ns", "mark", "format"):
        said.pop(name, None)
    writer = RecordingWriter(tmp_path / "run", items[0].at_ns, said)
    for item in items:
        topic = dice.choice(list(recording.channels.TOPICS)) if dice.random() < 0.02 else item.topic
        metadata = dict(item.metadata)
        if metadata and dice.random() < 0.02:
            metadata[dice.choice(list(metadata))] = dice.choice(["", "x", "-1", "1e999"])
        channel = recording.Channel(topic, tuple(metadata.items()))
        if dice.random() < 0.9:
            data = mutated(dice, item.data) if dice.random() < 0.2 else item.data
            writer.write(item.at_ns, channel, data)
    writer.close()
    found = Recording(tmp_path / "run")
    as_plain(summarise(found))
    for published in (False, True):
        states = States(found, published=published)
        assert sum(1 for _ in states.since(0)) <= len(items)
        states.before(found.end_ns or 0)
    outcome = decide_again([tmp_path / "run"], tmp_path / "again")
    assert outcome.notes or outcome.differences
