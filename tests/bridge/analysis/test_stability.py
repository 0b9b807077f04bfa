"""Stability: every verdict and decay time against the eigenvalues of the same system."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from numpy.typing import ArrayLike

from faustwire.graph import (
    FIR,
    SOS,
    Array,
    Delay,
    DiagonalGain,
    Gain,
    Node,
    Parallel,
    Recursion,
    Series,
    channels,
)
from faustwire_bridge.analysis import decay_rate
from faustwire_bridge.analysis.stability import MARGIN_SECONDS, Stability, StabilityClass, classify
from graphs import fdn, gain
from random_loops import KINDS, System, random_system, scaled_modes
from seeds import many
from state_space import spectral_radius

FS = 48_000
LN_60_DB = np.log(1000.0)
MARGIN = LN_60_DB / (MARGIN_SECONDS * FS)
# The eigenvalues of the reference are good to about this.
REFERENCE_ERROR = 1e-12
_SYSTEMS = {"fdn": 80, "filtered": 40, "nested": 40, "wild": 8, "fractional": 20}


def array(values: ArrayLike) -> Array:
    return np.asarray(values, dtype=np.float64)


def near_the_circle(kind: str, seed: int) -> System:
    """A random system whose slowest mode is 0.2 to 3e-9 off the circle, on either side."""
    rng = np.random.default_rng([7, seed])
    rate = 10 ** rng.uniform(-8.5, -0.7) * rng.choice([-1, 1])
    return random_system(kind, seed, target=float(np.exp(-rate)))


def expected(rate: float) -> StabilityClass:
    if abs(rate) <= MARGIN:
        return StabilityClass.MARGINAL
    return StabilityClass.STABLE if rate > 0 else StabilityClass.UNSTABLE


def disagreement(system: System, judged: Stability) -> str:
    """What is wrong with a judgement; empty: nothing."""
    rate = -float(np.log(system.radius))
    if abs(abs(rate) - MARGIN) <= REFERENCE_ERROR:
        return ""
    if judged.verdict is not expected(rate):
        return f"{judged.verdict} at |z| - 1 = {system.radius - 1:.3g}"
    if judged.verdict is not StabilityClass.STABLE:
        return ""
    if judged.rt60_seconds is None:
        return "stable, without a decay time"
    ratio = judged.rt60_seconds * rate * FS / LN_60_DB
    if ratio < 0.98 or (judged.rt60_exact and ratio > 1.021):
        return f"decay time {ratio:.3f} of the slowest mode's, exact: {judged.rt60_exact}"
    return ""


def disagreements(kind: str, seeds: range, **options: Any) -> list[tuple[int, str]]:
    found = []
    for seed in seeds:
        system = near_the_circle(kind, seed)
        wrong = disagreement(system, classify(system.graph, fs=FS, **options))
        if wrong:
            found.append((seed, wrong))
    return found


@pytest.mark.parametrize("kind", KINDS)
def test_verdicts_and_decays_equal_the_eigenvalues(kind: str) -> None:
    """375 systems in all, both sides of the circle, none excepted."""
    assert disagreements(kind, range(_SYSTEMS[kind])) == []


@pytest.mark.parametrize(("kind", "seed"), [("nested", 5682), ("filtered", 6584)])
def test_neither_a_mode_far_within_nor_a_guess_is_taken_for_the_slowest(
    kind: str, seed: int
) -> None:
    """The first mode that is found of these is not the slowest."""
    assert disagreements(kind, range(seed, seed + 1)) == []


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("kind", KINDS)
def test_verdicts_and_decays_equal_the_eigenvalues_of_many_more(kind: str) -> None:
    """5,000 in all; 25,000 with FAUSTWIRE_TIMES=5."""
    assert disagreements(kind, range(1000, 1000 + many(1000))) == []


@pytest.mark.parametrize("systems", [5, pytest.param(60, marks=pytest.mark.slow)])
@pytest.mark.parametrize("kind", KINDS)
def test_an_exact_decay_is_that_of_the_slowest_mode(kind: str, systems: int) -> None:
    """Asked for, it is found, whether bounds on the gain are tight or not."""
    inexact = 0
    for seed in range(systems):
        system = near_the_circle(kind, seed)
        judged = classify(system.graph, fs=FS, exact_decay=True)
        assert disagreement(system, judged) == ""
        inexact += judged.verdict is StabilityClass.STABLE and not judged.rt60_exact
    assert inexact <= 1


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("rate", [3e-4, 3e-6, -3e-6, -3e-4])
def test_long_delays_are_short_ones_stretched(seed: int, rate: float) -> None:
    """All delays times 97: the modes are the 97th roots of those that eigenvalues gave."""
    short = random_system("fdn", seed, target=float(np.exp(-rate * 97)))
    long = stretched(short.graph, 97)
    judged = classify(long, fs=FS)
    assert disagreement(System("long", long, short.radius ** (1 / 97)), judged) == ""


def stretched(node: Node, times: int) -> Node:
    match node:
        case Delay():
            return replace(node, samples=node.samples * times)
        case Series():
            return replace(node, nodes=tuple(stretched(child, times) for child in node.nodes))
        case Recursion():
            return replace(
                node,
                forward=stretched(node.forward, times),
                feedback=stretched(node.feedback, times),
            )
        case _:
            return node


def comb(pole: float, *, delay_samples: int = 1, name: str = "comb") -> Recursion:
    """One line with a feedback of pole ** delay: all modes have the radius of the pole."""
    return Recursion(
        name,
        Delay("delay", array([delay_samples])),
        Gain("feedback", array([[pole**delay_samples]])),
    )


@pytest.mark.parametrize(
    ("rt60_seconds", "verdict"),
    [
        (0.1, StabilityClass.STABLE),
        (60.0, StabilityClass.STABLE),
        (3500.0, StabilityClass.STABLE),
        (3700.0, StabilityClass.MARGINAL),
        (np.inf, StabilityClass.MARGINAL),
        (-3700.0, StabilityClass.MARGINAL),
        (-3500.0, StabilityClass.UNSTABLE),
        (-1.0, StabilityClass.UNSTABLE),
    ],
)
@pytest.mark.parametrize("delay_samples", [1, 700, 100_000])
def test_more_than_an_hour_to_decay_or_to_grow_is_marginal(
    rt60_seconds: float, verdict: StabilityClass, delay_samples: int
) -> None:
    pole = float(np.exp(-LN_60_DB / (rt60_seconds * FS)))
    judged = classify(comb(pole, delay_samples=delay_samples), fs=FS)
    assert judged.verdict is verdict
    if verdict is StabilityClass.STABLE:
        assert judged.rt60_exact
        assert judged.rt60_seconds == pytest.approx(rt60_seconds, rel=0.01)


def orthogonal(lines: int, seed: int = 0) -> Array:
    q, _ = np.linalg.qr(np.random.default_rng(seed).normal(size=(lines, lines)))
    return np.asarray(q)


def network(lines: int, matrix: Array, *gains: float | Array) -> Recursion:
    samples = np.random.default_rng(lines).integers(200, 2000, lines)
    feedback = (*(DiagonalGain("gain", np.broadcast_to(g, lines)) for g in gains),)
    mixing = Gain("mixing", matrix)
    return Recursion("loop", Delay("delays", array(samples)), Series("back", (*feedback, mixing)))


@pytest.mark.parametrize("lines", [1, 4, 16])
def test_a_lossless_matrix_of_single_precision_is_marginal(lines: int) -> None:
    matrix = orthogonal(lines).astype(np.float32).astype(np.float64)
    judged = classify(network(lines, matrix), fs=FS)
    assert judged.verdict is StabilityClass.MARGINAL
    assert judged.detail == "loop neither decays nor grows: it rings for more than an hour"


def test_the_same_attenuation_a_sample_gives_that_decay_exactly() -> None:
    samples = np.random.default_rng(16).integers(200, 2000, 16)
    judged = classify(network(16, orthogonal(16), 10 ** (-3 * samples / (2.0 * FS))), fs=FS)
    assert judged.rt60_exact
    assert judged.rt60_seconds == pytest.approx(2.0, rel=0.005)


@pytest.mark.parametrize("lines", [4, 16])
def test_a_common_model_needs_no_walk(lines: int, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("walked")

    monkeypatch.setattr(decay_rate, "walk", refuse)
    scaling = np.random.default_rng(1).uniform(0.1, 10, lines)
    unbalanced = scaling[:, None] * orthogonal(lines) / scaling
    for graph in (
        fdn(lines),
        network(lines, 0.99 * unbalanced),
        network(lines, np.tril(np.full((lines, lines), 0.9)), 0.7),
        network(lines, orthogonal(lines), 1.001),
    ):
        assert classify(graph, fs=FS).verdict in {StabilityClass.STABLE, StabilityClass.UNSTABLE}


def test_an_outer_loop_may_catch_an_unstable_inner_one() -> None:
    """Pole 1.1 with a feedback of −0.5 a sample later: z² − 1.1z + 0.5, decaying."""
    caught = Recursion("outer", comb(1.1, name="inner"), Gain("back", array([[-0.5]])))
    assert spectral_radius(caught) == pytest.approx(0.6)
    assert classify(comb(1.1), fs=FS).verdict is StabilityClass.UNSTABLE
    assert classify(caught, fs=FS).verdict is StabilityClass.STABLE


def test_an_unstable_loop_beside_or_behind_stable_ones_is_named() -> None:
    good, bad = comb(0.5), comb(1.01, name="bad")
    for graph in (
        Series("chain", (good, bad, good)),
        Parallel("chain", (good, bad)),
        Parallel("chain", (Series("bad", (good, bad)), good), "concatenate"),
    ):
        judged = classify(graph, fs=FS)
        assert judged.verdict is StabilityClass.UNSTABLE
        assert judged.path.startswith("chain.bad")
        assert judged.path in judged.detail


def test_growth_is_told_in_db_a_second() -> None:
    growing = comb(10 ** (6 / 20 / FS), delay_samples=3)
    lowpass = SOS("lowpass", array([0.5, 0, 0, 1, -0.5, 0])[None, :, None])
    slowed = replace(growing, feedback=Series("feedback", (growing.feedback, lowpass)))
    judged = classify(slowed, fs=FS)
    assert judged.verdict is StabilityClass.UNSTABLE
    rate = -FS * 20 * float(np.log10(spectral_radius(slowed)))
    assert judged.growth_db_per_second == pytest.approx(-rate, rel=0.01)


@pytest.mark.parametrize(
    ("radius", "verdict"),
    [
        (0.999, StabilityClass.STABLE),
        (1.0, StabilityClass.MARGINAL),
        (1.001, StabilityClass.UNSTABLE),
    ],
)
def test_a_filter_outside_of_loops_is_judged_by_its_poles(
    radius: float, verdict: StabilityClass
) -> None:
    sections = np.array([1.0, 0.0, 0.0, 1.0, -2 * radius * np.cos(0.3), radius**2])
    judged = classify(Series("chain", (gain(1.0), SOS("filter", sections[None, :, None]))), fs=FS)
    assert judged.verdict is verdict
    assert judged.path == "chain.filter"


def test_a_graph_without_feedback_is_stable_and_rings_out() -> None:
    graph = Series("chain", (gain(100.0), Delay("d", array([1.5])), FIR("f", np.ones((5, 1)))))
    judged = classify(graph, fs=FS)
    assert (judged.verdict, judged.rt60_seconds, judged.margin_db) == (
        StabilityClass.STABLE,
        None,
        None,
    )


def test_a_loop_that_feeds_nothing_back_has_no_decay() -> None:
    judged = classify(
        Recursion("loop", Delay("d", array([3, 5])), Gain("g", array([[0, 1], [0, 0]]))), fs=FS
    )
    assert (judged.verdict, judged.rt60_seconds) == (StabilityClass.STABLE, None)


def test_the_margin_can_be_used_up_whatever_the_delays() -> None:
    """Delays drawn anew and the gain raised by all but 0.01 dB of the margin: still stable."""
    used = [used_up(seed) for seed in range(40)]
    radii = [spectral_radius(loop) for loop in used if loop is not None]
    assert len(radii) > 20
    assert max(radii) < 1


def used_up(seed: int) -> Recursion | None:
    """A random loop, louder by its margin and with other delays; None: there is no margin."""
    rng = np.random.default_rng(seed)
    loop = outermost_loop(random_system("filtered", seed, target=0.9).graph)
    margin_db = classify(loop, fs=FS).margin_db
    if margin_db is None or margin_db < 0.01:
        return None
    lines = channels(loop)[0]
    louder = DiagonalGain("louder", np.full(lines, 10 ** ((margin_db - 0.01) / 20)))
    again = Delay("more", array(rng.integers(0, 9, lines)))
    return replace(loop, feedback=Series("feedback", (loop.feedback, louder, again)))


def outermost_loop(graph: Node) -> Recursion:
    nodes = graph.nodes if isinstance(graph, Series) else (graph,)
    (loop,) = (node for node in nodes if isinstance(node, Recursion))
    return loop


@pytest.mark.parametrize("value", [0.0, 1e-300, 1e200, 1e308])
def test_no_finite_gain_is_too_odd_to_judge(value: float) -> None:
    """Overflow ends in a verdict, and none that lets it through."""
    loop = Recursion("loop", Delay("d", array([100, 3])), Gain("g", np.full((2, 2), value)))
    allowed = (
        {StabilityClass.STABLE}
        if value < 1
        else {StabilityClass.UNSTABLE, StabilityClass.UNDECIDED}
    )
    assert classify(loop, fs=FS).verdict in allowed
    half = DiagonalGain("half", np.full(2, 0.5))
    nested = Recursion("outer", loop, Series("feedback", (loop, half)))
    assert classify(nested, fs=FS).verdict in allowed


def lines_of_ten_seconds(radius: float) -> Recursion:
    """Eight equal lines, whose modes lie at the roots of a matrix's eigenvalues."""
    matrix = np.random.default_rng(3).normal(size=(8, 8))
    matrix *= radius / abs(np.linalg.eigvals(matrix)).max()
    return Recursion("loop", Delay("d", np.full(8, 480_000.0)), Gain("g", matrix))


def test_too_large_to_count_is_undecided_not_guessed() -> None:
    judged = classify(lines_of_ten_seconds(0.97), fs=FS)
    assert judged.verdict is StabilityClass.UNDECIDED
    assert "points" in judged.detail


@pytest.mark.parametrize("radius", [1.05, 1.5])
def test_what_grows_is_found_though_its_modes_are_too_many_to_count(radius: float) -> None:
    judged = classify(lines_of_ten_seconds(radius), fs=FS)
    assert judged.verdict is StabilityClass.UNSTABLE
    # As fast as the matrix grows, every ten seconds.
    assert judged.growth_db_per_second == pytest.approx(2 * np.log10(radius), rel=1e-3)


@pytest.mark.parametrize(("kind", "lowest"), [("matrix", 1000), ("filters", 30_000)])
def test_growth_of_unequal_lines_is_found_without_counting(kind: str, lowest: int) -> None:
    for seed in range(6):
        rng = np.random.default_rng(seed)
        matrix = rng.normal(size=(6, 6))
        back: Node = Gain("g", 1.05 * matrix / abs(np.linalg.eigvals(matrix)).max())
        if kind == "filters":  # only what is low grows
            lowpass = np.tile([[0.1], [0.0], [0.0], [1.0], [-0.9], [0.0]], (1, 1, 6))
            back = Series("back", (back, SOS("lowpass", lowpass)))
        lines = Delay("d", rng.integers(lowest, 3 * lowest, 6).astype(float))
        judged = classify(Recursion("loop", lines, back), fs=FS, max_points=1000)
        assert judged.verdict is StabilityClass.UNSTABLE
        assert judged.proof == "a mode outside the unit circle was found"


def test_scaled_modes_move_as_the_helper_says() -> None:
    """The control: the targets of the random systems are met."""
    for kind in KINDS:
        system = random_system(kind, 1, target=0.97)
        assert system.radius == pytest.approx(0.97, rel=1e-6)
        if kind != "fractional":
            assert spectral_radius(scaled_modes(system.graph, 1.01)) == pytest.approx(0.9797)
