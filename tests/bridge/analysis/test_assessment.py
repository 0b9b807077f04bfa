"""What the plugin makes of a model: single precision, and its knobs at every position."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from faustwire.controls import Slider, placed, sliders
from faustwire.graph import FIR, SOS, Delay, Gain, Node, Parallel, Recursion, Series
from faustwire.messages import Reason
from faustwire_bridge.analysis.assessment import assess
from faustwire_bridge.analysis.knob_positions import attenuated, attenuates_evenly, rt60_positions
from faustwire_bridge.analysis.stability import StabilityClass, classify, contracts
from faustwire_bridge.children.libfaust import compile_program
from faustwire_bridge.codegen import generate
from faustwire_bridge.core.sound_limits import Assessment, Limits
from graphs import gain
from random_loops import random_system
from state_space import spectral_radius

FS = 48_000
KNOB = sliders({"rt60": True})
TAPS = FIR("fir", np.array([[1.0], [0.5]]))


def assessed(graph: Node, controls: dict[str, Slider] | None = None) -> Assessment:
    text = generate(graph, fs=FS, controls=controls).text
    return assess(graph, fs=FS, limits=Limits(), playing_db=None, program=text, controls=controls)


def refused(graph: Node, controls: dict[str, Slider] | None = None) -> str:
    refusal = assessed(graph, controls).refusal
    assert refusal is not None
    assert refusal.reason is Reason.UNSTABLE
    return refusal.detail


def loudest(graph: Node) -> float:
    """The largest sample that its program makes of a second of noise."""
    program = compile_program(generate(graph, fs=FS).text)
    noise = np.random.default_rng(1).uniform(-1, 1, (program.n_in, FS))
    return float(abs(program.render(noise, FS)).max())


def is_finite(graph: Node) -> bool:
    return bool(np.isfinite(loudest(graph)))


def between(first: float, last: float) -> Node:
    return Series("all", (gain(first), TAPS, gain(last)))


def test_what_single_precision_cannot_hold_is_refused_though_it_is_undone_behind() -> None:
    assert not is_finite(between(1e200, 1e-200)), "the control: it does harm"
    assert "beyond single precision" in refused(between(1e200, 1e-200))
    assert assessed(between(1e9, 1e-9)).refusal is None
    assert is_finite(between(1e9, 1e-9))


def test_stages_that_are_too_large_only_together_are_refused() -> None:
    def stages(value: float) -> Node:
        values = (value, value, value, 1 / value, 1 / value, 1 / value)
        return Series("all", tuple(between(one, 1.0) for one in values))

    assert not is_finite(stages(1e15)), "the control: it does harm"
    assert "dB on the way" in refused(stages(1e15))
    assert assessed(stages(1e3)).refusal is None


def undone(way_back: float) -> Node:
    """A path of −1.5 beside one of 2; the former first gets very small, and large again behind."""
    mix = np.array([[1.0, 2.0], [3.0, -4.0]])
    down = Gain("down", mix / way_back)
    up = Gain("up", way_back * np.linalg.inv(mix))
    there_and_back = Series("small", (down, down, up, Gain("last", -1.5 * up.matrix)))
    return Parallel("paths", (Gain("two", 2.0 * np.eye(2)), there_and_back))


def test_what_vanishes_on_its_way_in_single_precision_is_refused() -> None:
    """A loop in which it was to cancel something grows, and beside a loud path that one is left."""
    line = Delay("line", np.array([100.0, 100.0]))
    assert loudest(Recursion("loop", line, undone(1e30))) > 1e9, "the control: it does harm"
    for graph in (Recursion("loop", line, undone(1e30)), undone(1e30)):
        assert "of what was attenuated before" in refused(graph)
    assert assessed(Recursion("loop", line, undone(1e5))).refusal is None
    assert loudest(Recursion("loop", line, undone(1e5))) < 10


def cancelling(size: float) -> Node:
    """A loop whose gain is a half, as the sum of two that cancel and one that stays."""
    paths = (gain(size), gain(-size), gain(0.5))
    branches = tuple(
        Series("path", (value, FIR("tap", np.array([[1.0], [1e-3]])))) for value in paths
    )
    return Recursion("loop", Delay("line", np.array([1.0])), Parallel("sum", branches))


def test_what_cancels_in_a_loop_only_in_double_precision_is_refused() -> None:
    assert "that cancel in a loop" in refused(cancelling(1e9))
    assert assessed(cancelling(10.0)).refusal is None


def kept_down_by_a_delay(gain_: float) -> Node:
    """A path through an FIR filter that grows by itself, and a delay that takes that much away.

    The knob attenuates delays only.
    """
    paths = (
        FIR("grows", np.array([[0.0], [gain_]])),
        Delay("takes away", np.array([200.0]), np.array([-0.0026])),
    )
    return Series("all", (Recursion("loop", Parallel("paths", paths), gain(1.0)), gain(0.01)))


def test_a_knob_that_makes_a_stable_loop_grow_is_refused() -> None:
    growing = kept_down_by_a_delay(1.002)
    assert assessed(growing).refusal is None, "without a knob it decays"
    assert "with the rt60 knob at 0.1 s" in refused(growing, KNOB)
    assert assessed(kept_down_by_a_delay(0.99), KNOB).refusal is None


def test_such_a_loop_does_grow_when_its_program_is_played_there() -> None:
    program = compile_program(generate(kept_down_by_a_delay(1.002), fs=FS, controls=KNOB).text)
    impulse = np.zeros((1, 8 * FS))
    impulse[0, 0] = 1.0
    assert abs(program.render(impulse, FS, sliders={"rt60": 0.1})[0, -FS:]).max() > 0.1
    assert abs(program.render(impulse, FS)[0, -FS:]).max() < 1e-3


def kept_silent_by_a_loop(value: float) -> Node:
    """Two paths that cancel; the rt60 knob attenuates only that which is called a loop."""
    line = Delay("line", np.array([4800.0]))
    minus = Series("minus", (line, gain(-1.0)))
    silent = Parallel("paths", (Recursion("loop", line, gain(0.0)), minus))
    return Series("all", (silent, gain(value)))


def test_a_knob_that_makes_a_silent_model_loud_is_refused() -> None:
    knob = placed(KNOB, decays=True)
    program = compile_program(generate(kept_silent_by_a_loop(1e5), fs=FS, controls=knob).text)
    assert abs(program.impulse_response(FS, FS, sliders={"rt60": 0.1})).max() > 1e4
    assert abs(program.impulse_response(FS, FS)).max() == 0
    refusal = assessed(kept_silent_by_a_loop(1e5), knob).refusal
    assert refusal is not None
    assert refusal.reason is Reason.TOO_LOUD
    assert "with the rt60 knob at" in refusal.detail
    assert assessed(kept_silent_by_a_loop(1e5)).refusal is None, "without a knob it is silent"
    assert assessed(kept_silent_by_a_loop(10.0), knob).refusal is None


def loud_only_between(value: float) -> Node:
    """Silent as it is, and y⁸·(1 − y)⁸ of its gain where the knob leaves y of 1445 samples."""
    line = Delay("line", np.array([1445.0]))
    left = Recursion("loop", line, gain(0.0))
    taken = Parallel("paths", (left, Series("minus", (line, gain(-1.0)))))
    return Series("all", (gain(2.0**16 * value), *[taken] * 8, *[left] * 8))


def test_a_knob_that_makes_a_model_loud_only_between_its_ends_is_refused() -> None:
    knob = placed(KNOB, decays=True)
    program = compile_program(generate(loud_only_between(2000.0), fs=FS, controls=knob).text)
    for seconds, loud in ((0.1, False), (0.3, True), (1.0, False), (10.0, False)):
        heard = program.impulse_response(FS, FS, sliders={"rt60": seconds})
        assert bool(abs(heard).max() > 1e3) is loud
    refusal = assessed(loud_only_between(2000.0), knob).refusal
    assert refusal is not None
    assert refusal.reason is Reason.TOO_LOUD
    assert "with the rt60 knob at 0.422 s" in refusal.detail
    assert assessed(loud_only_between(500.0), knob).refusal is None


def resonating(lines: int, *, apart: bool, gain_: float = 0.01) -> Node:
    """A reverberator with a quiet mode that rings for two minutes: 74 dB in a few hertz/1000."""
    rng = np.random.default_rng(5)
    cosine, sine = (1 - 1e-6) * np.cos(1.3), (1 - 1e-6) * np.sin(1.3)
    matrix = np.zeros((lines + 2, lines + 2))
    matrix[:lines, :lines] = 0.99 * np.linalg.qr(rng.normal(size=(lines, lines)))[0]
    matrix[lines:, lines:] = [[cosine, sine], [-sine, cosine]]
    samples = np.concatenate([rng.integers(500, 2000, lines), [1, 1]]).astype(float)
    ends = np.array([1 / np.sqrt(lines)] * lines + [1.0, 0.0])
    into = ends * ([1.0] * lines + [gain_] * 2)

    def part(name: str, of: slice) -> Node:
        loop = Recursion(name, Delay("d", samples[of]), Gain("mix", matrix[of, of]))
        return Series(name, (Gain("in", into[of, None]), loop, Gain("out", ends[None, of])))

    if not apart:
        return part("all", slice(None))
    return Parallel("both", (part("fdn", slice(lines)), part("mode", slice(lines, None))))


@pytest.mark.parametrize("apart", [False, True])
def test_a_lone_mode_among_thousands_is_as_loud_as_it_is(apart: bool) -> None:
    refusal = assessed(resonating(8, apart=apart)).refusal
    assert refusal is not None
    assert refusal.reason is Reason.TOO_LOUD
    assert float(refusal.detail.split()[3]) == pytest.approx(74, abs=1.5)
    assert assessed(resonating(8, apart=apart, gain_=0.001)).refusal is None


def test_what_counts_as_a_jump_is_how_a_knob_stands_at_first() -> None:
    turned = sliders({"rt60": {"init": 0.1}})
    refusal = assessed(kept_silent_by_a_loop(400.0), turned).refusal
    assert refusal is not None
    assert "dB louder than unity gain" in refusal.detail
    assert assessed(kept_silent_by_a_loop(400.0), placed(KNOB, decays=True)).refusal is None


def test_the_attenuated_graph_is_what_the_program_plays_with_its_knob_there() -> None:
    graph = Recursion(
        "loop", Delay("lines", np.array([101.0, 250.0])), Gain("mix", np.full((2, 2), 0.49))
    )
    knob = {"rt60": Slider("rt60", "s", 0.2, 0.1, 10.0, 0.01)}
    turned = compile_program(generate(graph, fs=FS, controls=knob).text)
    stated = compile_program(generate(attenuated(graph, fs=FS, rt60_seconds=0.2), fs=FS).text)
    assert np.allclose(
        turned.impulse_response(4000, FS), stated.impulse_response(4000, FS), atol=1e-6
    )


@pytest.mark.parametrize("seconds", [0.1, 2.0, 10.0])
def test_a_knob_leaves_a_loop_without_cancellation_alone(seconds: float) -> None:
    knob = {"rt60": Slider("rt60", "s", seconds, 0.1, 10.0, 0.01)}
    graph = Recursion("loop", Delay("d", np.array([500.0])), gain(0.9))
    assert assessed(graph, knob).refusal is None


def growing_between(second: float, scale: float = 1.0) -> Node:
    """A slow loop of three paths that grows where two have almost gone and the third has not yet.

    Found by search: at DC its gain is 0.14 + 2.98·a − 5.26·b, with a and b what the knob leaves of
    delays of 922 and 3129 samples: above one around 0.18 s only.
    """
    delayed = Parallel(
        "paths",
        (
            gain(0.14),
            Delay("adds", np.array([round(922.0 * scale)]), np.array([second])),
            Delay("takes away", np.array([round(3129.0 * scale)]), np.array([-5.26])),
        ),
    )
    slow = SOS("slow", np.array([[3e-5, 0.0, 0.0, 1.0, -0.99997, 0.0]]).T[None])
    back = Series("back", (slow, delayed))
    return Series("all", (Recursion("loop", Delay("d", np.ones(1)), back), gain(0.01)))


def test_a_loop_that_grows_only_between_a_few_positions_of_its_knob_is_refused() -> None:
    """At a tenth of a second, a third, one, three and ten it decays."""
    graph = growing_between(2.98)
    for seconds in (0.1, 10**-0.5, 1.0, 2.0, 10**0.5, 10.0):
        turned = attenuated(graph, fs=FS, rt60_seconds=seconds)
        assert classify(turned, fs=FS).verdict is StabilityClass.STABLE
    assert "with the rt60 knob at 0.237 s" in refused(graph, KNOB)
    assert assessed(growing_between(2.0), KNOB).refusal is None


def test_a_loop_that_grows_only_between_all_those_positions_is_refused() -> None:
    """Positions a third apart miss it; the decay that gets slower between two of them tells."""
    graph = growing_between(2.7, 1.22)
    for seconds in rt60_positions(placed(KNOB, decays=True)["rt60"]):
        turned = attenuated(graph, fs=FS, rt60_seconds=seconds)
        assert classify(turned, fs=FS).verdict is StabilityClass.STABLE, seconds
    assert "with the rt60 knob at 0.2" in refused(graph, KNOB)
    assert assessed(growing_between(2.65, 1.22), KNOB).refusal is None


def test_positions_of_a_wide_knob_are_as_close_as_those_of_the_usual_one() -> None:
    for low, high in ((0.1, 10.0), (1e-3, 1e4), (2.0, 2.001)):
        positions = rt60_positions(Slider("rt60", "s", high, low, high, 0.01, neutral_end=True))
        assert positions[0] == high
        assert positions[-1] == low
        steps = np.array(positions[:-1]) / np.array(positions[1:])
        assert steps.max() < 1.34


def test_what_a_bound_proves_at_one_position_holds_below_it() -> None:
    """Of random loops with filters: none grows at a position below one at which it contracts."""
    proven = 0
    for seed in range(12):
        graph = random_system("filtered", seed, target=0.99).graph
        for seconds in (10.0, 1.0):
            if not contracts(attenuated(graph, fs=1000.0, rt60_seconds=seconds)):
                continue
            proven += 1
            for part in (0.7, 0.3, 0.1):
                turned = attenuated(graph, fs=1000.0, rt60_seconds=part * seconds)
                assert spectral_radius(turned) <= 1
                assert contracts(turned)
    assert proven


@pytest.mark.parametrize("seed", range(4))
def test_a_loop_of_whole_delays_is_moved_evenly_by_its_knob(seed: int) -> None:
    """So it needs no assessment at any position; with a filter inside it does."""
    graph = random_system("fdn", seed, target=0.999).graph
    assert attenuates_evenly(graph)
    for seconds in (10.0, 0.5, 0.1):
        assert spectral_radius(attenuated(graph, fs=FS, rt60_seconds=seconds)) < 0.999
    loop = Recursion("loop", Delay("d", np.array([20.0])), TAPS)
    assert not attenuates_evenly(loop)
    assert attenuates_evenly(TAPS)
    assert not attenuates_evenly(replace(loop, forward=Delay("d", np.array([20.5]))))
