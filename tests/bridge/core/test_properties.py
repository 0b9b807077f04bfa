"""Whatever comes in whatever order: no verdict is lost or doubled, no interval is cut short.

Random workers, connections, choices, outcomes and times: ``core_world``.
"""

from __future__ import annotations

from collections import Counter

import pytest

from core_by_hand import WELCOME
from core_world import BEGUN_NS, play
from faustwire import codec
from faustwire.bridge_state import PUBLISHED_LATER
from faustwire.messages import OwnProgram, Reason
from faustwire.packed_snapshot import PackedSnapshot
from faustwire_bridge.core import events, instructions, state_machine
from seeds import seeds


@pytest.mark.parametrize("seed", seeds(30, 300))
def test_no_call_is_answered_twice_and_none_that_stayed_connected_is_forgotten(seed: int) -> None:
    world = play(seed)
    assert max(world.verdicts.values(), default=1) == 1
    asked = [
        (event.peer, event.message.seq)
        for _, event in world.log
        if isinstance(event, events.Arrived)
        and isinstance(event.message, PackedSnapshot | OwnProgram)
    ]
    last = dict(asked)
    stayed = {session.peer for session in world.core.sessions.connected()}
    for peer, seq in last.items():
        session = world.core.sessions.at(peer)
        if peer in stayed and session is not None:
            assert session.answered is not None
            assert session.answered.seq >= seq, (peer, seq)


@pytest.mark.parametrize("seed", seeds(30, 300))
def test_what_was_published_is_what_was_written(seed: int) -> None:
    """Each write is a verdict's or an event's, and nothing is written twice in a row."""
    world = play(seed)
    written = sum(isinstance(event, events.Written) for _, event in world.log)
    happened = [told.event for told in world.told if isinstance(told, instructions.Happened)]
    assert written == sum(event.kind in ("published", "settled") for event in happened)
    assert written == world.core.pipeline.reloads
    counts = Counter(reason for session in world.core.sessions for reason in session.counts)
    assert set(counts) <= {*map(str, Reason), *PUBLISHED_LATER}
    assert [event.number for event in happened] == list(range(1, len(happened) + 1))


@pytest.mark.parametrize("seed", seeds(30, 300))
def test_the_same_events_give_the_same_instructions_again(seed: int) -> None:
    world = play(seed)
    again = state_machine.Core(WELCOME, BEGUN_NS * 1e-9, world.rules)
    told = [one for now, event in world.log for one in again.handle(event, now)]
    # Outcomes of writes are logged while the instructions before them are followed.
    assert Counter(map(_shown, told)) == Counter(map(_shown, world.told))


def _shown(instruction: instructions.Instruction) -> bytes | str:
    if isinstance(instruction, instructions.Send):
        return instruction.peer + codec.encode(instruction.message)
    if isinstance(instruction, instructions.Judge):
        return instruction.data
    return repr(instruction)


@pytest.mark.parametrize("seed", range(20))
def test_a_state_can_be_sent_at_any_moment(seed: int) -> None:
    world = play(seed)
    state = world.core.state(world.now)
    assert codec.decode(codec.encode(state)) == state
