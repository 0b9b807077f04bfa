"""The models that tests train can be trained for as long as it takes."""

from __future__ import annotations

from faustwire_bridge.core.sound_limits import MAX_JUMP_DB
from models import Knob


def test_a_knob_that_is_turned_for_minutes_stays_below_the_limit_and_never_stands_still() -> None:
    """A test that waits for a publish turns it two hundred times a second."""
    knob, last = Knob(1), 1.0
    for _ in range(10_000):
        knob.step()
        value = float(knob.model.param.detach())
        assert value != last
        assert value < 10 ** (MAX_JUMP_DB / 20)
        last = value
