"""What is loud in the plugin counts as loud: through its channels, late, at any stated rate."""

from __future__ import annotations

import numpy as np
import pytest

from faustwire.graph import FIR, Delay, DiagonalGain, Gain, Node, Parallel, Recursion, Series
from faustwire_bridge.analysis.assessment import assess
from faustwire_bridge.analysis.peak_gain import late_level_db, level_db
from faustwire_bridge.analysis.played_graph import through_plugin
from faustwire_bridge.children.libfaust import compile_program
from faustwire_bridge.codegen import generate
from faustwire_bridge.core.sound_limits import Assessment, Limits
from graphs import gain

FS = 48_000
LOUD = 500.0  # 54 dB: below the largest gain, but no level to begin with


def assessed(graph: Node, fs: float = FS) -> Assessment:
    text = generate(graph, fs=fs).text
    return assess(graph, fs=fs, limits=Limits(), playing_db=None, program=text)


def loudest(graph: Node, fs: float = FS) -> float:
    """The largest sample that its program makes of a second and a half of noise."""
    program = compile_program(generate(graph, fs=fs).text)
    noise = np.random.default_rng(1).uniform(-1, 1, (program.n_in, FS * 3 // 2))
    return float(abs(program.render(noise, FS)).max())


def late(samples: float, *nodes: Node) -> Node:
    return Series("late", (Delay("wait", np.array([samples])), *nodes))


LATE: dict[str, tuple[Node, Node]] = {
    "behind a delay": (late(24_000.0, gain(LOUD)), late(24_000.0, gain(2.0))),
    "an echo beside the direct sound": (
        Parallel("both", (gain(1.0), late(24_000.0, gain(LOUD)))),
        Parallel("both", (gain(1.0), late(24_000.0, gain(2.0)))),
    ),
    "the last tap of a filter": (
        FIR("taps", np.array([[1.0]] + 20_000 * [[0.0]] + [[LOUD]])),
        FIR("taps", np.array([[1.0]] + 20_000 * [[0.0]] + [[2.0]])),
    ),
    "a loop that is long": (
        Series("all", (Recursion("loop", Delay("d", np.array([24e3])), gain(0.3)), gain(LOUD))),
        Series("all", (Recursion("loop", Delay("d", np.array([24e3])), gain(0.3)), gain(2.0))),
    ),
    "the longest line of a loop": (
        Series(
            "all",
            (
                Gain("in", np.ones((2, 1))),
                Recursion("loop", Delay("d", np.array([100.0, 24e3])), Gain("b", 0.3 * np.eye(2))),
                DiagonalGain("out", np.array([1.0, LOUD])),
            ),
        ),
        Series(
            "all",
            (
                Gain("in", np.ones((2, 1))),
                Recursion("loop", Delay("d", np.array([100.0, 24e3])), Gain("b", 0.3 * np.eye(2))),
                DiagonalGain("out", np.array([1.0, 2.0])),
            ),
        ),
    ),
}


@pytest.mark.parametrize("name", LATE)
def test_what_is_loud_only_late_is_loud(name: str) -> None:
    harmful, harmless = LATE[name]
    assert loudest(harmful) > LOUD / 2, "the control: it does harm"
    refusal = assessed(harmful).refusal
    assert refusal is not None
    assert "louder than unity gain" in refusal.detail
    assert assessed(harmless).refusal is None


def test_many_channels_are_as_loud_as_the_plugin_makes_them() -> None:
    """Inputs that are fed alike add up, and so do the outputs."""
    harmful, harmless = (Gain("mix", np.full((64, 64), value)) for value in (2.5, 0.05))
    assert loudest(harmful) > 800, "the control: it does harm"
    refusal = assessed(harmful).refusal
    assert refusal is not None
    assert "dB louder than unity gain" in refusal.detail
    assert assessed(harmless).refusal is None


@pytest.mark.parametrize(("n_in", "n_out"), [(1, 1), (2, 2), (1, 5), (5, 1), (3, 4)])
def test_the_plugins_channels_are_those_of_the_program(n_in: int, n_out: int) -> None:
    matrix = np.random.default_rng(1).normal(size=(n_out, n_in))
    graph = Gain("mix", matrix)
    heard = compile_program(generate(graph, fs=FS).text).impulse_response(1, FS)[:, :, 0]
    said = through_plugin(graph)
    if isinstance(said, Series):
        product = np.eye(heard.shape[1])
        for node in said.nodes:
            assert isinstance(node, Gain)
            product = node.matrix @ product
        assert np.allclose(product, heard, rtol=1e-6)
    else:
        assert said is graph
        assert max(n_in, n_out) <= 2


# Second differences: 54 dB at the highest frequencies, next to nothing at the lowest.
HISS = FIR("hiss", LOUD / 4 * np.array([[1.0], [-2.0], [1.0]]))
# And a running mean of a quarter of a second at 8 kHz: 54 dB at the lowest.
BOOM = Series("boom", (FIR("mean", np.full((1500, 1), LOUD / 1500)),))


@pytest.mark.parametrize(("graph", "fs"), [(HISS, 192_000.0), (HISS, 768_000.0), (BOOM, 8_000.0)])
def test_no_stated_rate_moves_what_is_loud_out_of_sight(graph: Node, fs: float) -> None:
    """The plugin plays at the rate of the DAW, whatever the worker states."""
    stated = level_db(graph, fs=fs)
    assert stated == pytest.approx(level_db(graph, fs=48_000.0), abs=6.0)
    assert stated > 35
    assert assessed(graph, fs).refusal is not None


def test_what_rings_on_is_as_loud_as_it_was() -> None:
    loop = Recursion("loop", Delay("d", np.array([100.0])), gain(0.999))
    assert assessed(loop).refusal is None


def behind_a_pass(samples: float, *, into: float = 1.0, around: float = 1.0) -> Node:
    """A line that is heard at once, and again what a second one, which is not, sends into it."""
    loop = Recursion(
        "loop",
        Delay("lines", np.array([100.0, samples])),
        Gain("mix", np.array([[0.0, around], [0.0, 0.0]])),
    )
    ends = Gain("in", np.array([[1.0], [into]])), Gain("out", np.array([[1.0, 0.0]]))
    return Series("all", (ends[0], loop, ends[1]))


@pytest.mark.parametrize("seconds", [0.5, 1.0])
@pytest.mark.parametrize("gains", [{"around": 800.0}, {"into": 800.0, "around": 0.99}])
def test_what_a_loop_sends_out_loud_only_after_a_pass_is_loud(
    seconds: float, gains: dict[str, float]
) -> None:
    loud = behind_a_pass(seconds * FS, **gains)
    refused = assessed(loud).refusal
    assert refused is not None
    assert "dB louder than unity gain" in refused.detail
    quiet = behind_a_pass(seconds * FS, **{**gains, max(gains, key=gains.__getitem__): 20})
    assert assessed(quiet).refusal is None


@pytest.mark.parametrize("feedback", [1.0, 0.99, 0.5])
def test_reverberators_with_long_lines_get_no_louder_later(feedback: float) -> None:
    for seed in range(12):
        rng = np.random.default_rng(seed)
        lines = int(rng.choice([2, 8, 16]))
        mixing = Gain("mix", feedback * np.linalg.qr(rng.normal(size=(lines, lines)))[0])
        loop = Recursion("loop", Delay("d", rng.integers(500, 20_000, lines).astype(float)), mixing)
        ends = Gain("in", rng.normal(size=(lines, 1))), Gain("out", rng.normal(size=(1, lines)))
        graph = Series("all", (ends[0], loop, ends[1]))
        assert late_level_db(graph, fs=FS) < level_db(graph, fs=FS)
