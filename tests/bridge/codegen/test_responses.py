"""Programs play exactly what their graphs say, measured through libfaust."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from faustwire.graph import FIR, SOS, Array, Delay, Gain, Householder, Node, Recursion, Series
from faustwire.validation import check
from faustwire_bridge.children.libfaust import compile_program
from faustwire_bridge.codegen import generate
from graph_response import Spectrum, frequency_response, impulse_response, relative_db
from random_graphs import graphs

FS = 48_000
SAMPLES = 600


def played(graph: Node, *, double: bool = True, samples: int = SAMPLES) -> Array:
    check(graph)
    program = generate(graph, fs=FS, channels=None)
    return compile_program(program.text, double=double).impulse_response(samples, FS)


@pytest.mark.parametrize("examples", [20, pytest.param(500, marks=pytest.mark.slow)])
def test_any_graph_sounds_in_libfaust_as_numpy_says(examples: int) -> None:
    @settings(
        max_examples=examples,
        deadline=None,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
    )
    @given(graphs())
    def sounds(graph: Node) -> None:
        assert relative_db(played(graph), impulse_response(graph, SAMPLES)) < -180

    sounds()


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(graphs(depth=2))
def test_single_precision_costs_rounding_only(graph: Node) -> None:
    response = played(graph, double=False)
    assert relative_db(response, impulse_response(graph, SAMPLES)) < -100


def fdn(size: int, mixing: Node, sections: Array | None = None) -> Node:
    rng = np.random.default_rng(size)
    delays = Delay("delays", rng.integers(20, 90, size).astype(float))
    path = Series("path", (delays, SOS("absorb", sections))) if sections is not None else delays
    return Series(
        "fdn",
        (
            Gain("in", rng.normal(size=(size, 2))),
            Recursion("loop", path, Series("back", (mixing, Gain("fade", 0.9 * np.eye(size))))),
            Gain("out", rng.normal(size=(2, size))),
        ),
    )


def orthogonal(size: int) -> Array:
    matrix: Array = np.linalg.qr(np.random.default_rng(size).normal(size=(size, size)))[0]
    return matrix


def hadamard(size: int) -> Array:
    matrix: Array = np.ones((1, 1)) / np.sqrt(size)
    while len(matrix) < size:
        matrix = np.block([[matrix, matrix], [matrix, -matrix]])
    return matrix


@pytest.mark.parametrize("size", [4, 8, 16])
@pytest.mark.parametrize("kind", ["dense", "householder", "hadamard", "float32 hadamard"])
def test_networks_are_exact_whatever_their_matrix(size: int, kind: str) -> None:
    mixings: dict[str, Node] = {
        "dense": Gain("mix", orthogonal(size)),
        "householder": Householder("mix", orthogonal(size)[0]),
        "hadamard": Gain("mix", hadamard(size)),
        "float32 hadamard": Gain("mix", hadamard(size).astype(np.float32)),
    }
    graph = fdn(size, mixings[kind])
    assert relative_db(played(graph), impulse_response(graph, SAMPLES)) < -250
    assert relative_db(played(graph, double=False), impulse_response(graph, SAMPLES)) < -125


def test_a_loop_whose_delays_are_spread_over_its_channels_can_be_computed() -> None:
    # A Householder matrix in its cheap form would close a loop without delay here.
    graph = Recursion(
        "loop",
        Delay("early", np.array([3.0, 0.0, 4.0])),
        Series(
            "back",
            (
                Gain("swap", 0.5 * np.array([[0, 1, 0], [1, 0, 1], [0, 1, 0]])),
                Delay("late", np.array([0.0, 2.0, 0.0])),
            ),
        ),
    )
    assert relative_db(played(graph), impulse_response(graph, SAMPLES)) < -250


def test_a_delay_hidden_in_the_first_tap_of_a_filter_closes_a_loop() -> None:
    taps = np.zeros((5, 2, 2))
    taps[2:] = 0.2
    graph = Recursion("loop", FIR("late", taps), Gain("back", 0.5 * np.eye(2)))
    assert relative_db(played(graph), impulse_response(graph, SAMPLES)) < -250


def long_taps(*shape: int, every: int = 1, first: int = 0) -> Array:
    """Noise at every so many taps from the first on, else zero."""
    taps = np.zeros(shape)
    noise = np.random.default_rng(len(shape)).normal(size=shape)
    taps[first::every] = noise[first::every]
    scaled: Array = taps / np.abs(taps).sum()
    return scaled


@pytest.mark.parametrize(
    "taps",
    [
        long_taps(500, 2),
        long_taps(500, 2, 2),
        long_taps(129, 2),
        long_taps(599, 2, every=4),
        long_taps(500, 2, first=9),
    ],
    ids=["a channel each", "an entry each", "one more than a sum", "sparse", "late"],
)
def test_long_responses_are_exact(taps: Array) -> None:
    graph = FIR("long", taps)
    assert relative_db(played(graph), impulse_response(graph, SAMPLES)) < -250
    assert relative_db(played(graph, double=False), impulse_response(graph, SAMPLES)) < -120


def test_a_long_response_in_a_loop_may_be_its_only_delay() -> None:
    graph = Recursion("loop", FIR("late", long_taps(400, 2, 2, first=3)), Gain("back", np.eye(2)))
    assert relative_db(played(graph), impulse_response(graph, SAMPLES)) < -250


def test_a_section_without_b0_closes_a_loop() -> None:
    section = np.array([0.0, 0.3, 0.1, 1.0, -1.2, 0.5]).reshape(1, 6, 1)
    graph = Recursion("loop", SOS("late", section), Gain("back", np.array([[0.4]])))
    assert relative_db(played(graph), impulse_response(graph, SAMPLES)) < -250


def peaking(frequency: float, q: float, gain_db: float) -> Array:
    """An equaliser's band, [6], after R. Bristow-Johnson's cookbook."""
    omega, amplitude = 2 * np.pi * frequency / FS, 10 ** (gain_db / 40)
    alpha, cosine = np.sin(omega) / 2 / q, np.cos(omega)
    b = np.array([1 + alpha * amplitude, -2 * cosine, 1 - alpha * amplitude])
    a = np.array([1 + alpha / amplitude, -2 * cosine, 1 - alpha / amplitude])
    coefficients: Array = np.concatenate([b, a]) / a[0]
    return coefficients


def test_a_ten_band_equaliser_survives_single_precision() -> None:
    bands = [peaking(31.25 * 2**k, 1.4, 6.0 * (-1) ** k) for k in range(10)]
    graph = SOS("eq", np.stack(bands)[:, :, None])
    reference = impulse_response(graph, 8000)
    assert relative_db(played(graph, samples=8000), reference) < -200
    assert relative_db(played(graph, double=False, samples=8000), reference) < -120


def test_a_section_at_12_hz_survives_single_precision() -> None:
    graph = SOS("low", peaking(12.0, 0.7, 12.0)[None, :, None])
    reference = impulse_response(graph, 20_000)
    assert relative_db(played(graph, samples=20_000), reference) < -200
    assert relative_db(played(graph, double=False, samples=20_000), reference) < -120


@settings(max_examples=25, deadline=None)
@given(st.floats(0, 1), st.integers(12, 500))
def test_a_fractional_delay_is_exact_to_110_db_below_a_quarter_of_the_rate(
    fraction: float, steps: int
) -> None:
    graph = Delay("delay", np.array([steps + fraction]))
    error = spectrum(played(graph)[0, 0]) - frequency_response(graph, FREQUENCIES, FS)[:, 0, 0]
    assert np.abs(error).max() < 10 ** (-110 / 20)


@pytest.mark.parametrize(
    ("samples", "error_db"),
    [
        (0.3, -55),
        (0.5, -55),
        (0.95, -80),
        (1.3, -80),
        (1.5, -80),
        (2.5, -85),
        (3.5, -90),
        (6.2, -90),
    ],
)
def test_short_fractional_delays_are_as_good_as_documented(samples: float, error_db: float) -> None:
    graph = Delay("delay", np.array([samples]))
    error = spectrum(played(graph)[0, 0]) - frequency_response(graph, FREQUENCIES, FS)[:, 0, 0]
    assert np.abs(error).max() < 10 ** (error_db / 20)


@settings(max_examples=25, deadline=None)
@given(st.floats(9, 60), st.floats(0, 1))
def test_a_fractional_delay_in_a_loop_has_unit_gain_and_the_right_phase(
    samples: float, fraction: float
) -> None:
    graph = Recursion(
        "loop", Delay("delay", np.array([samples + fraction])), Gain("open", np.zeros((1, 1)))
    )
    response = played(graph, samples=2048)[0, 0]
    everywhere = np.abs(np.fft.rfft(response))
    assert np.abs(everywhere - 1).max() < 1e-9
    error = spectrum(response) - frequency_response(graph, FREQUENCIES, FS)[:, 0, 0]
    assert np.abs(error).max() < 10 ** (-115 / 20)


@pytest.mark.slow
@settings(max_examples=25, deadline=None)
@given(st.floats(17, 600), st.floats(0, 1))
def test_longer_fractional_delays_in_a_loop_are_right_up_to_3_8_of_the_rate(
    samples: float, fraction: float
) -> None:
    graph = Recursion(
        "loop", Delay("delay", np.array([samples + fraction])), Gain("open", np.zeros((1, 1)))
    )
    wide = np.linspace(0, 3 / 8 * FS, 801)
    error = spectrum(played(graph, samples=2048)[0, 0], wide)
    error -= frequency_response(graph, wide, FS)[:, 0, 0]
    assert np.abs(error).max() < 10 ** (-100 / 20)


@pytest.mark.parametrize("samples", [0.4, 1.05, 1.3, 2.5, 3.3, 4.75, 5.5, 7.2])
def test_short_fractional_delays_in_a_loop_are_stable_and_have_unit_gain(samples: float) -> None:
    graph = Recursion("loop", Delay("delay", np.array([samples])), Gain("open", np.zeros((1, 1))))
    check(graph)
    assert np.abs(np.abs(np.fft.rfft(played(graph, samples=8192)[0, 0])) - 1).max() < 1e-9


@pytest.mark.parametrize("samples", [592.9999995, 593.0000009])
def test_a_delay_within_a_millionth_of_a_whole_number_is_whole(samples: float) -> None:
    response = played(Delay("delay", np.array([samples])), samples=700)[0, 0]
    assert response.tolist() == [float(n == 593) for n in range(700)]


FREQUENCIES = np.linspace(0, FS / 4, 801)


def spectrum(response: Array, frequencies: Array = FREQUENCIES) -> Spectrum:
    turns = np.outer(frequencies / FS, np.arange(len(response)))
    values: Spectrum = np.exp(-2j * np.pi * turns) @ response
    return values
