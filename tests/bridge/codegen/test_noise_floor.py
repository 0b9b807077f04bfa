"""Programs fall silent without numbers so small that processors compute slowly with them."""

from __future__ import annotations

import numpy as np
import pytest

from faustwire.graph import Array, Delay, Gain, Node, Recursion, Series
from faustwire_bridge.children.libfaust import compile_program
from faustwire_bridge.codegen import generate
from graphs import cascade, difference, equaliser, mid_and_side

FS = 48_000
# The smallest number of single precision with all its digits.
NORMAL = np.finfo(np.float32).tiny
HIGHPASS = [0.25, -0.5, 0.25, 1.0, -0.3, 0.3]
BANDPASS = [0.25, 0.0, -0.25, 1.0, -0.3, 0.3]


def network(size: int) -> Node:
    mixing = 0.6 * np.linalg.qr(np.random.default_rng(size).normal(size=(size, size)))[0]
    lines = Delay("lines", np.array([100.0 + 17 * line for line in range(size)]))
    loop = Recursion("loop", lines, Gain("mix", mixing))
    return Series("", (Gain("in", np.ones((size, 1))), loop, Gain("out", np.ones((1, size)))))


MODELS: dict[str, Node] = {
    "equaliser": equaliser(),
    "a highpass before an equaliser": Series("", (cascade(HIGHPASS, sections=1), equaliser())),
    "highpasses": cascade(HIGHPASS),
    "bandpasses": cascade(BANDPASS),
    "a difference before an equaliser": Series("", (difference(), equaliser())),
    "mid and side": Series("", (mid_and_side(), equaliser(2))),
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
