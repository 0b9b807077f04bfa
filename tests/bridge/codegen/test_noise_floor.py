"""Programs fall silent without numbers so small that processors compute slowly with them."""

from __future__ import annotations

import numpy as np
import pytest

from faustwire.graph import FIR, SOS, Array, Delay, Gain, Node, Recursion, Series
from faustwire_bridge.children.libfaust import compile_program
from faustwire_bridge.codegen import generate

FS = 48_000
# The smallest number of single precision with all its digits.
NORMAL = np.finfo(np.float32).tiny
HIGHPASS = [0.25, -0.5, 0.25, 1.0, -0.3, 0.3]
BANDPASS = [0.25, 0.0, -0.25, 1.0, -0.3, 0.3]


def equaliser(channels: int = 1) -> SOS:
    """Octave bands, each raised by 6 dB."""
    angle = 2 * np.pi * 31.25 * 2.0 ** np.arange(10) / FS
    gain, width = 10 ** (6 / 40), np.sin(angle) / 2.8
    middle = -2 * np.cos(angle)
    high, low = width * gain, width / gain
    rows = np.stack([1 + high, middle, 1 - high, 1 + low, middle, 1 - low], axis=1)
    return SOS("bands", np.repeat((rows / rows[:, 3:4])[:, :, None], channels, axis=2))


def cascade(*sections: list[float]) -> SOS:
    return SOS("cascade", np.array(sections)[:, :, None])


def network(size: int) -> Node:
    mixing = 0.6 * np.linalg.qr(np.random.default_rng(size).normal(size=(size, size)))[0]
    lines = Delay("lines", np.array([100.0 + 17 * line for line in range(size)]))
    loop = Recursion("loop", lines, Gain("mix", mixing))
    return Series("", (Gain("in", np.ones((size, 1))), loop, Gain("out", np.ones((1, size)))))


MODELS: dict[str, Node] = {
    "equaliser": equaliser(),
    "a highpass before an equaliser": Series("", (cascade(HIGHPASS), equaliser())),
    "highpasses": cascade(*[HIGHPASS] * 3),
    "bandpasses": cascade(*[BANDPASS] * 3),
    "a difference before an equaliser": Series(
        "", (FIR("difference", np.array([1.0, -1.0])[:, None, None]), equaliser())
    ),
    "mid and side": Series("", (Gain("ms", np.array([[1.0, 1.0], [1.0, -1.0]])), equaliser(2))),
    "network": network(4),
}


def then_silent(graph: Node) -> Array:
    """[n_out, samples]: what is left two seconds after noise has ended, as the plugin plays it."""
    program = compile_program(generate(graph, fs=FS, channels=None).text)
    signal = np.random.default_rng(0).normal(size=(program.n_in, 2 * FS))
    signal[:, FS // 10 :] = 0.0
    return program.render(signal, FS)[:, -1000:]


@pytest.mark.parametrize("name", MODELS)
def test_what_is_left_in_silence_is_nothing_to_hear_and_nothing_to_compute_slowly(
    name: str,
) -> None:
    left = abs(then_silent(MODELS[name]))
    assert left.max() < 1e-20
    assert not ((left > 0) & (left < NORMAL)).any()
    assert (left > 0).any()


def test_only_programs_with_loop_variables_have_a_floor() -> None:
    assert "tiny" in generate(network(4), fs=FS).text
    assert "tiny" not in generate(Gain("g", np.eye(2)), fs=FS).text


def test_the_floor_is_noise_only_where_a_filter_takes_constants_away() -> None:
    plain, noisy = (generate(MODELS[name], fs=FS).text for name in ("equaliser", "highpasses"))
    assert "1103515245" not in plain
    assert "1103515245" in noisy
