"""Modes on the circle that feed each other grow in silence; all others ring on as they are."""

from __future__ import annotations

import numpy as np
import pytest

from faustwire.graph import SOS, Delay, Gain, Node, Parallel, Recursion, Series
from faustwire.messages import Reason
from faustwire_bridge.analysis.assessment import assess
from faustwire_bridge.analysis.silent_growth import growth_db
from faustwire_bridge.children.libfaust import compile_program
from faustwire_bridge.codegen import generate
from faustwire_bridge.core.sound_limits import Assessment, Limits
from graphs import gain

FS = 48_000


def assessed(graph: Node) -> Assessment:
    text = generate(graph, fs=FS).text
    return assess(graph, fs=FS, limits=Limits(), playing_db=None, program=text)


def loop(matrix: list[list[float]], *samples: float) -> Node:
    return Recursion("loop", Delay("d", np.array(samples)), Gain("b", np.array(matrix)))


def in_a_row(*nodes: Node) -> Node:
    return Series("all", (gain(0.05), *nodes))


COMB, NEXT, MIRRORED = loop([[1.0]], 480.0), loop([[1.0]], 490.0), loop([[-1.0]], 480.0)
GROWING = {
    "the same comb twice": in_a_row(COMB, COMB),
    "two combs that share a mode": in_a_row(COMB, NEXT),
    "a matrix that has no diagonal form": loop([[1.0, 0.5], [0.0, 1.0]], 480.0, 480.0),
}
LEVEL = {
    "one comb": COMB,
    "two combs beside each other": Parallel("both", (COMB, NEXT)),
    "two combs without a common mode": in_a_row(COMB, MIRRORED),
    "a triangle with other modes": loop([[1.0, 0.5], [0.0, -1.0]], 480.0, 480.0),
    "a rotation": loop([[0.6, 0.8], [-0.8, 0.6]], 480.0, 517.0),
    "a rotation on other scales": loop([[0.6, 8.0], [-0.08, 0.6]], 480.0, 517.0),
    "a loop that decays behind one": in_a_row(COMB, loop([[0.9]], 480.0)),
}


@pytest.mark.parametrize("name", GROWING)
def test_what_feeds_its_own_modes_is_refused(name: str) -> None:
    assert growth_db(GROWING[name]) > 40
    refusal = assessed(GROWING[name]).refusal
    assert refusal is not None
    assert refusal.reason is Reason.UNSTABLE
    assert "of silence" in refusal.detail


@pytest.mark.parametrize("name", LEVEL)
def test_what_rings_on_at_its_level_is_published(name: str) -> None:
    assert growth_db(LEVEL[name]) < 10
    assert assessed(LEVEL[name]).refusal is None


@pytest.mark.parametrize(
    ("graph", "grows"),
    [(GROWING["the same comb twice"], True), (LEVEL["two combs without a common mode"], False)],
)
def test_so_it_is_when_it_is_played(graph: Node, grows: bool) -> None:
    program = compile_program(generate(graph, fs=FS).text)
    impulse = np.zeros((1, 10 * FS))
    impulse[0, 0] = 1.0
    heard = abs(program.render(impulse, FS)[0])
    assert bool(heard[-FS:].max() > 8 * heard[:FS].max()) is grows


def integrator(scale: float, leak: float = 1.0, samples: float = 1.0) -> Node:
    return Series("all", (gain(scale), loop([[leak]], samples)))


def section(*coefficients: float) -> Node:
    return SOS("section", np.array(coefficients).reshape(1, 6, 1))


BLOCKER = section(1.0, -1.0, 0.0, 1.0, -0.99, 0.0)
HADAMARD = np.array([[1.0, 1.0], [1.0, -1.0]]) / np.sqrt(2)
FILLED = {
    "an integrator": integrator(0.05),
    "a quieter one": integrator(0.01),
    "a section with its pole at 0 Hz": section(0.01, 0.0, 0.0, 1.0, -1.0, 0.0),
    "an integrator behind a reverberator": Series("row", (loop([[0.5]], 480.0), integrator(0.05))),
    "one beside a lossless comb": Parallel("both", (integrator(0.05), loop([[1.0]], 1000.0))),
}
NOT_FILLED = {
    "one that leaks": integrator(0.01, 0.999),
    "one that takes a minute to reach full scale from -60 dB": integrator(0.0003),
    "one that turns its sign": integrator(0.01, -1.0),
    "a short comb, of which all harmonics ring": loop([[1.0]], 100.0),
    "a lossless reverberator": loop(HADAMARD.tolist(), 480.0, 517.0),
    "one that loses what is not 0 Hz": Recursion(
        "loop",
        Delay("d", np.array([1480.0])),
        Series("back", (section(0.4, 0.0, 0.0, 1.0, -0.6, 0.0), Gain("b", np.eye(1)))),
    ),
    "an integrator behind which nothing is constant": Series("row", (integrator(0.01), BLOCKER)),
}


@pytest.mark.parametrize("name", FILLED)
def test_what_a_slight_offset_fills_is_refused(name: str) -> None:
    refusal = assessed(FILLED[name]).refusal
    assert refusal is not None
    assert refusal.reason is Reason.TOO_LOUD
    assert "adds up a constant input" in refusal.detail


@pytest.mark.parametrize("name", NOT_FILLED)
def test_what_an_offset_does_not_fill_alone_is_published(name: str) -> None:
    assert assessed(NOT_FILLED[name]).refusal is None


def test_libfaust_hears_what_an_offset_fills() -> None:
    """A thousandth of full scale for five seconds."""
    offset = np.full((1, 5 * FS), 1e-3)
    for graph, expected in ((integrator(0.05), 12.0), (integrator(0.01, 0.999), 0.01)):
        compiled = compile_program(generate(graph, fs=FS).text)
        peak = abs(compiled.render(offset, FS)).max()
        assert peak == pytest.approx(expected, rel=0.05)
