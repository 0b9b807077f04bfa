"""A bridge under load: hostile messages, many workers, and what is killed and cut meanwhile."""

from __future__ import annotations

import live_fuzz


def test_a_bridge_lives_through_hostile_messages_and_serves_others_meanwhile() -> None:
    """`make fuzz` sends a hundred times as many."""
    report = live_fuzz.fuzz(count=1000, seed=7)
    assert report.problems() == []
    assert report.answers["rejection"] > 500
