"""What watchers are told of a bridge that is as full as it may be."""

from __future__ import annotations

import time

import pytest

from core_by_hand import WELCOME
from faustwire import codec
from faustwire.messages import Choice, Follow, Hello, Snapshot, State
from faustwire_bridge.core import events, state_machine
from faustwire_bridge.core.sessions import MAX_WORKERS
from graphs import gain

# Four bytes each.
LONG = "\N{GRINNING FACE}"


def full_bridge() -> state_machine.Core:
    """As many workers as there may be, each with as much text as it may send."""
    full = state_machine.Core(WELCOME, 0.0)
    metrics = {f"{number}{LONG * 4000}": 1.0 for number in range(codec.MAX_METRICS)}
    for number in range(MAX_WORKERS):
        peer = str(number).encode()
        hello = Hello(LONG * 256, f"{number:064}", host=LONG * 4096)
        snapshot = Snapshot(1, 1, 48000.0, gain(0.5), metrics=metrics)
        for message in (hello, snapshot):
            full.handle(events.Arrived(peer, message), 1.0)
    return full


@pytest.mark.parametrize("follow", [Choice(), Choice("best", "loss"), Choice("first")])
def test_as_much_as_all_workers_may_say_is_told_in_one_message(follow: Choice) -> None:
    """A bridge that can't tell its state would end; one that takes a second for it stands still."""
    full = full_bridge()
    full.handle(events.Arrived(b"hand", Follow(follow)), 1.0)
    begun = time.process_time()
    state = codec.decode(codec.encode(full.state(2.0)))
    assert time.process_time() - begun < 0.5
    assert isinstance(state, State)
    assert len(state.workers) == MAX_WORKERS
