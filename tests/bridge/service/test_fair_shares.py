"""What one sender's slow programs and models cost another: half a second, once each."""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Callable

import pytest

from bridges import Plugin, served
from busy_machine import as_idle
from faustwire.messages import Hello, OwnProgram, Reason, Snapshot, ToBridge, Verdict
from faustwire_bridge.core.shares import SLICE_SECONDS
from hostile_programs import HANGS
from peers import Peer, peer
from soak_hostile import slow_graph

# Of a compile or a judgement, in these tests.
TIMEOUT = 2.0
# A bridge that judges no longer than that, and in which publications make room after so long.
SHORT = f"""
import sys
from faustwire_bridge.children.judge import JudgeProcess
from faustwire_bridge.core import turns
JudgeProcess.__init__.__kwdefaults__["timeout"] = {TIMEOUT}
turns.SLICE_SECONDS = float(sys.argv[1])
sys.argv = sys.argv[4:]
from faustwire_bridge.cli import main
sys.exit(main())
"""


def slow_program(seq: int) -> OwnProgram:
    return OwnProgram(seq, f"// {seq}\n{HANGS}")


def slow_model(seq: int) -> Snapshot:
    return Snapshot(seq, seq, 48000.0, slow_graph(seq))


def update_seconds(worker: Peer) -> float:
    """How long a worker waits for the verdict on a new model; it is published."""
    begun = time.monotonic()
    verdict = worker.update(0.25 + worker.call % 64 / 128)
    assert verdict.published, verdict
    return time.monotonic() - begun


def longest_beside(
    anna: Peer, mallory: Peer, hostile: Callable[[int], ToBridge], seq: int
) -> float:
    """The longest wait of a worker that publishes all the time, from a hostile message on."""
    mallory.send(hostile(seq))
    begun, waits = time.monotonic(), [0.0]
    while time.monotonic() - begun < 0.8:
        waits.append(update_seconds(anna))
    verdict = mallory.receive()
    assert isinstance(verdict, Verdict)
    assert not verdict.published
    return max(waits)


SLOW_MODEL = pytest.param(slow_model, marks=pytest.mark.slow)


def rounds(
    plugin: Plugin,
    hostile: Callable[[int], ToBridge],
    number: int,
    slice_seconds: float = SLICE_SECONDS,
    *,
    until_fair: bool = True,
) -> list[float]:
    """How much longer than alone a worker waits beside another one; the first fair round may do."""
    within = (sys.executable, "-c", SHORT, f"{slice_seconds}")
    with (
        served(plugin, "--compile-timeout", f"{TIMEOUT}", within=within) as bridge,
        peer(bridge.endpoint, "mallory") as mallory,
        peer(bridge.endpoint, "anna") as anna,
    ):
        alone = statistics.median(update_seconds(anna) for _ in range(7))
        longer: list[float] = []
        while len(longer) < number and not (until_fair and min(longer, default=2.0) < 1.0):
            longer.append(longest_beside(anna, mallory, hostile, len(longer) + 1) - alone)
        return longer


@pytest.mark.parametrize("hostile", [slow_program, SLOW_MODEL])
def test_an_honest_verdict_comes_within_a_second_of_what_it_takes_alone(
    plugin: Plugin, hostile: Callable[[int], ToBridge]
) -> None:
    """Several tries, since a loaded machine may be late by itself."""
    assert as_idle(min(rounds(plugin, hostile, 4))) < 1.0


@pytest.mark.parametrize("hostile", [slow_program, SLOW_MODEL])
def test_without_shares_it_waits_for_as_long_as_the_other_takes(
    plugin: Plugin, hostile: Callable[[int], ToBridge]
) -> None:
    """The control: the same two workers, and a bridge in which nothing makes room."""
    assert min(rounds(plugin, hostile, 1, slice_seconds=1e9)) > 0.8 * TIMEOUT


@pytest.mark.slow
@pytest.mark.parametrize("hostile", [slow_program, slow_model])
def test_the_median_round_is_fair(plugin: Plugin, hostile: Callable[[int], ToBridge]) -> None:
    assert as_idle(statistics.median(rounds(plugin, hostile, 7, until_fair=False))) < 1.0


@pytest.mark.slow
def test_fifty_names_on_one_connection_cost_no_more_than_one(plugin: Plugin) -> None:
    with (
        served(plugin, "--compile-timeout", "12") as bridge,
        peer(bridge.endpoint, "mallory") as mallory,
        peer(bridge.endpoint, "anna") as anna,
    ):
        alone = update_seconds(anna)
        waits: list[float] = []
        for number in range(50):
            mallory.ask(Hello("mallory", f"{number}", min_interval=0.0))
            mallory.send(slow_program(1))
        while len(waits) < 5:
            waits.append(update_seconds(anna))
        assert statistics.median(waits) - alone < 1.0


@pytest.mark.slow
def test_a_slow_one_has_its_verdict_though_others_never_stop(plugin: Plugin) -> None:
    """More than a second of libfaust, beside a worker that publishes all the time."""
    program = "process = rdtable(900000, (1 : +~_ : seq(i, 200, sin)), 0) <: _,_;"
    with (
        served(plugin) as bridge,
        peer(bridge.endpoint, "slow") as slow,
        peer(bridge.endpoint, "anna") as anna,
    ):
        slow.send(OwnProgram(1, program))
        begun = time.monotonic()
        while not slow.waits() and time.monotonic() - begun < 20.0:
            update_seconds(anna)
        assert slow.waits()
        verdict = slow.receive()
        assert isinstance(verdict, Verdict)
        # Within its time, unless the machine is loaded.
        assert verdict.reason in (Reason.PUBLISHED, Reason.DOES_NOT_COMPILE)
