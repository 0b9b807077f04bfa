"""A bridge under load: hostile messages, many workers, and what is killed and cut meanwhile."""

from __future__ import annotations

import resource
from pathlib import Path

import pytest
import zmq

import live_fuzz
from bridges import Plugin, eventually, served
from faustwire_publisher import HotReload
from models import Knob
from soak import soak


def test_a_bridge_lives_through_hostile_messages_and_serves_others_meanwhile() -> None:
    """`make fuzz` sends a hundred times as many."""
    report = live_fuzz.fuzz(count=1000, seed=7)
    assert report.problems() == []
    assert report.answers["rejection"] > 500


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="counts what /proc shows")
@pytest.mark.parametrize("seconds", [3.0, pytest.param(60.0, marks=pytest.mark.slow)])
def test_nothing_is_lost_doubled_torn_or_left_behind_when_workers_and_bridge_are_killed(
    seconds: float,
) -> None:
    """`make soak` does it for ten minutes."""
    soaked = soak(seconds, seed=7, pause=0.01 if seconds < 30 else 0.0)
    assert soaked.counts.problems() == []
    assert sum(soaked.counts.deeds.values())
    if seconds > 30:  # In a few seconds there may be no turn for each.
        for deed in ("kill a worker", "kill the bridge", "cut", "part or heal"):
            assert soaked.counts.deeds[deed], deed


@pytest.mark.slow
def test_hostile_peers_of_each_kind_cost_the_others_nothing_but_time() -> None:
    """`make soak` has them for ten minutes."""
    soaked = soak(60.0, seed=7, hostile=True)
    assert soaked.counts.problems() == []
    assert soaked.counts.waits


@pytest.mark.skipif(not hasattr(resource, "prlimit"), reason="limits another process, as Linux can")
def test_connections_leave_the_bridge_enough_descriptors_to_write_with(plugin: Plugin) -> None:
    """Workers that behave come back, others may have the rest."""
    knob = Knob()
    with (
        served(plugin) as bridge,
        HotReload(48000, endpoint=bridge.endpoint, min_interval=0, timeout=5.0) as live,
    ):
        assert live.update(knob.model)
        resource.prlimit(bridge.process.pid, resource.RLIMIT_NOFILE, (200, 200))
        context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        crowd = [context.socket(zmq.DEALER) for _ in range(300)]
        for one in crowd:
            one.connect(bridge.endpoint)
        eventually(lambda: "connections are cut" in bridge.log(), "the bridge cuts them")
        for one in crowd:
            one.close(linger=0)
        context.term()

        def published() -> bool:
            knob.step()
            return live.update(knob.model)

        eventually(published, "the worker is served again")
