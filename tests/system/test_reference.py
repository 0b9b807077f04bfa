"""The same script, run against adac.HotReload and ours, returns the same booleans."""

from __future__ import annotations

import multiprocessing
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest import mock

import adac
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bridges import Plugin, eventually
from core_by_hand import Bridge
from faustwire import codec
from faustwire.messages import Hello, OwnProgram, Snapshot, Verdict
from faustwire.packed_snapshot import read
from faustwire_bridge.core import events
from faustwire_bridge.service.server import serve
from faustwire_bridge.service.settings import Settings
from faustwire_publisher import HotReload
from faustwire_publisher.lowering import lower
from models import Knob

# What a script is made of. Few values, so that a model also changes back to what it was.
VALUES = st.sampled_from([0.25, 0.5, 0.75])
CODES = st.sampled_from(["process = _,_;", "process = !,!,0,0;"])
UPDATES = st.tuples(st.just("update"), VALUES, st.booleans())
PUBLISHES = st.tuples(st.just("publish"), CODES)
WAITS = st.tuples(st.just("wait"), st.sampled_from([0.1, 0.25, 0.5, 3.0]))
INTERVALS = st.sampled_from([0.0, 0.25, 0.5, 1.0])
# An hour, or none, leaves no question of timing.
GENEROUS = st.sampled_from([0.0, 3600.0])
Script = list[tuple[Any, ...]]


def run(script: Script, knob: Knob, live: Any, wait: Callable[[float], None]) -> list[bool]:
    """The booleans that a script gets."""
    results = []
    for step in script:
        match step:
            case ("update", value, force):
                knob.set(value)
                results.append(live.update(knob.model, force=force))
            case ("publish", code):
                results.append(live.publish(code))
            case ("wait", seconds):
                wait(seconds)
    return results


class Clock:
    """A clock that only a test moves."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now

    def wait(self, seconds: float) -> None:
        self.now += seconds


class ByHand:
    """HotReload's part with the socket taken out: every message goes as bytes into a core."""

    def __init__(self, clock: Clock, every: int, min_interval: float) -> None:
        self.clock = clock
        self.bridge = Bridge()
        self.seq = self.call = 0
        self.send(Hello("anna", "1", every=every, min_interval=min_interval))

    def send(self, message: Hello | Snapshot | OwnProgram) -> Any:
        arrived = events.Arrived(b"anna", read(codec.encode(message)))
        self.bridge.now = self.clock.now
        [send] = self.bridge.take(arrived)
        return codec.decode(codec.encode(send.message))

    def published(self, message: Snapshot | OwnProgram) -> bool:
        verdict = self.send(message)
        assert isinstance(verdict, Verdict)
        return verdict.published

    def update(self, model: Any, *, force: bool = False) -> bool:
        self.seq, self.call = self.seq + 1, self.call + 1
        return self.published(Snapshot(self.seq, self.call, 48000.0, lower(model), force=force))

    def publish(self, code: str) -> bool:
        self.seq += 1
        return self.published(OwnProgram(self.seq, code))


@settings(max_examples=200, deadline=None)
@given(
    script=st.lists(UPDATES | PUBLISHES | WAITS, min_size=1, max_size=25),
    every=st.integers(1, 4),
    min_interval=INTERVALS,
)
def test_the_rules_agree_with_adacs_on_a_clock_moved_by_hand(
    script: Script, every: int, min_interval: float
) -> None:
    knob, clock = Knob(), Clock()
    with tempfile.TemporaryDirectory() as folder, mock.patch.object(time, "monotonic", clock):
        theirs = adac.HotReload(
            48000,
            dsp_path=f"{folder}/adac.dsp",
            config_path=f"{folder}/adac.txt",
            every=every,
            min_interval=min_interval,
        )
        expected = run(script, knob, theirs, clock.wait)
        clock.now = 1000.0
        ours = ByHand(clock, every, min_interval)
        assert run(script, knob, ours, clock.wait) == expected


SPAWN = multiprocessing.get_context("forkserver")
# A bridge of its own for each of 200 scripts, without importing numpy 200 times.
SPAWN.set_forkserver_preload(["faustwire_bridge.service.server", "faustwire_bridge.codegen"])


@contextmanager
def bridge(plugin: Plugin) -> Iterator[None]:
    process = SPAWN.Process(
        target=serve, args=(Settings(plugin.place, str(plugin.config_path)),), daemon=True
    )
    process.start()
    try:
        eventually(plugin.place.socket_path.exists, "the bridge is there")
        yield
    finally:
        process.terminate()
        process.join()


@pytest.mark.parametrize("scripts", [5, pytest.param(200, marks=pytest.mark.slow)])
def test_the_whole_path_agrees_with_adac_on_a_generous_clock(tmp_path: Path, scripts: int) -> None:
    """Real sockets, processes and files."""

    @settings(max_examples=scripts, deadline=None)
    @given(
        script=st.lists(UPDATES | PUBLISHES, min_size=1, max_size=15),
        every=st.integers(1, 4),
        min_interval=GENEROUS,
    )
    def agree(script: Script, every: int, min_interval: float) -> None:
        knob = Knob()
        with tempfile.TemporaryDirectory(dir=tmp_path) as folder:
            plugin = Plugin(Path(folder))
            options: dict[str, Any] = {"every": every, "min_interval": min_interval}
            theirs = adac.HotReload(
                48000, dsp_path=f"{folder}/adac.dsp", config_path=f"{folder}/adac.txt", **options
            )
            expected = run(script, knob, theirs, time.sleep)
            with bridge(plugin), HotReload(48000, **plugin.paths, **options) as ours:
                assert run(script, knob, ours, time.sleep) == expected

    agree()
