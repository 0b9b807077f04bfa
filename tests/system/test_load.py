"""A bridge under load: hostile messages, many workers, and what is killed and cut meanwhile."""

from __future__ import annotations

from pathlib import Path

import pytest

import live_fuzz
from soak import soak


def test_a_bridge_lives_through_hostile_messages_and_serves_others_meanwhile() -> None:
    """`make fuzz` sends a hundred times as many."""
    report = live_fuzz.fuzz(count=1000, seed=7)
    assert report.problems() == []
    assert report.answers["rejection"] > 500


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="counts what /proc shows")
def test_nothing_is_lost_doubled_torn_or_left_behind_when_workers_and_bridge_are_killed() -> None:
    """`make soak` does it for ten minutes."""
    soaked = soak(seconds=12.0, seed=7)
    assert soaked.counts.problems() == []
    for deed in ("kill a worker", "kill the bridge", "cut", "part or heal"):
        assert soaked.counts.deeds[deed], deed
    assert soaked.counts.unseen_events == 0
