"""The peak of |H| against a grid so fine that nothing hides between its points."""

from __future__ import annotations

import numpy as np
import pytest

from faustwire.graph import SOS, Delay, DiagonalGain, Gain, Node, Parallel, Recursion, Series
from faustwire_bridge.analysis.peak_gain import measure
from graph_response import frequency_response
from graphs import fdn, gain
from random_loops import random_system

FS = 48_000


def finest_peak_db(graph: Node, points: int = 2**14) -> float:
    response = frequency_response(graph, np.linspace(0, FS / 2, points), FS)
    return 20 * float(np.log10(np.linalg.norm(response, 2, axis=(1, 2)).max()))


@pytest.mark.parametrize("systems", [8, pytest.param(20, marks=pytest.mark.slow)])
@pytest.mark.parametrize("kind", ["fdn", "filtered", "nested", "wild"])
def test_the_peak_is_that_of_a_fine_grid(kind: str, systems: int) -> None:
    """Random systems, the slower the later: never above, seldom below."""
    below = []
    for seed in range(systems):
        graph = random_system(kind, seed, target=1 - 10 ** -(1 + seed / 15)).graph
        difference = measure(graph, fs=FS).peak_db - finest_peak_db(graph)
        assert difference < 0.05
        below.append(-difference)
    assert np.quantile(below, 0.9) < 0.05
    assert max(below) < 3


@pytest.mark.parametrize("radius", [0.9, 0.999, 0.999_999])
@pytest.mark.parametrize("angle", [0.001, 0.3, 3.0])
def test_a_sharp_resonance_of_a_filter_is_found(radius: float, angle: float) -> None:
    sections = np.array([1.0, 0.0, 0.0, 1.0, -2 * radius * np.cos(angle), radius**2])
    graph = SOS("resonance", sections[None, :, None])
    around = angle + (1 - radius) * np.linspace(-2, 2, 2001)
    response = frequency_response(graph, around * FS / (2 * np.pi), FS)
    loudness = measure(graph, fs=FS)
    assert loudness.peak_db == pytest.approx(20 * np.log10(abs(response).max()), abs=0.1)
    if radius > 0.99 and angle > 0.1:
        assert loudness.frequency_hz == pytest.approx(angle * FS / (2 * np.pi), rel=0.01)


def test_a_gain_of_two_is_six_db_more() -> None:
    graph = fdn(8)
    louder = Series("louder", (graph, gain(2.0)))
    difference = measure(louder, fs=FS).peak_db - measure(graph, fs=FS).peak_db
    assert difference == pytest.approx(20 * np.log10(2))


def test_channels_count_together() -> None:
    """Two inputs at once into one output: the largest singular value is the root of two."""
    assert measure(Gain("sum", np.ones((1, 2))), fs=FS).peak_db == pytest.approx(10 * np.log10(2))
    assert measure(DiagonalGain("two", np.array([1.0, -3.0])), fs=FS).peak_db == pytest.approx(
        9.54, abs=0.01
    )


def test_an_integrator_in_a_loop_is_as_loud_as_the_loop() -> None:
    """1/(1 − z⁻¹) with −0.1 around it and a sample of delay is a lowpass of gain 10."""
    integrator = SOS("integrator", np.array([0.0, 1, 0, 1, -1, 0])[None, :, None])
    assert measure(Recursion("loop", integrator, gain(-0.1)), fs=FS).peak_db == pytest.approx(20)


def test_silence_is_minus_infinity() -> None:
    assert measure(gain(0.0), fs=FS).peak_db == -np.inf


def test_a_loop_on_the_circle_is_infinitely_loud_or_close_to_it() -> None:
    loop = Recursion("loop", Delay("delay", np.array([3.0])), gain(1.0))
    assert measure(loop, fs=FS).peak_db > 60
    assert measure(Parallel("both", (loop, loop)), fs=FS).peak_db > 60


def test_a_long_reverb_is_within_a_few_db() -> None:
    """16 lines, 16,000 modes: what a grid of 384 finds of the peak of a million."""
    graph = fdn(16)
    fine = measure(graph, fs=FS, points=60_000).peak_db
    assert fine - 4 < measure(graph, fs=FS).peak_db <= fine + 0.1
