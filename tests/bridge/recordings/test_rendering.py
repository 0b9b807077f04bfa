"""Snapshots made audible."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing

import numpy as np
import pytest

from faustwire.graph import Delay, Gain, Node, Series
from faustwire.messages import Snapshot
from faustwire_bridge.recordings.rendering import (
    FADE_SECONDS,
    Renderer,
    RenderError,
    Scene,
    decay_seconds,
    program_text,
)
from graph_response import impulse_response as truth
from graphs import fdn, gain

FS = 8000.0


def snapshot(graph: Node, call: int = 1, fs: float = FS) -> Snapshot:
    return Snapshot(call, call, fs, graph)


@pytest.fixture
def renderer() -> Iterator[Renderer]:
    with closing(Renderer()) as made:
        yield made


def test_an_impulse_response_is_the_models_on_both_sides(renderer: Renderer) -> None:
    graph = fdn()
    rendered = renderer.impulse_response(snapshot(graph), 0.5)
    assert rendered.shape == (2, 4000)
    expected = truth(graph, 4000)[0, 0]
    np.testing.assert_allclose(rendered[0], expected, atol=1e-5 * abs(expected).max())
    np.testing.assert_array_equal(rendered[0], rendered[1])


def test_two_inputs_give_four_responses_the_first_inputs_first(renderer: Renderer) -> None:
    crossed = Gain("crossed", np.array([[1.0, 2.0], [3.0, 4.0]]))
    rendered = renderer.impulse_response(snapshot(crossed), 0.001)
    assert rendered[:, 0].tolist() == [1.0, 3.0, 2.0, 4.0]


def test_channels_of_the_input_are_fitted_to_the_program(renderer: Renderer) -> None:
    two = np.array([[1.0, 0.0], [0.0, 0.5]])
    assert renderer.play(snapshot(gain(2.0)), two).tolist() == [[1.0, 0.5]] * 2
    crossed = snapshot(Gain("crossed", np.array([[0.0, 1.0], [2.0, 0.0]])))
    assert renderer.play(crossed, two[:1]).tolist() == [[1.0, 0.0], [2.0, 0.0]]


def test_a_run_moves_from_program_to_program_without_a_jump(renderer: Renderer) -> None:
    scenes = [Scene(100, snapshot(gain(1.0))), Scene(2000, snapshot(gain(3.0)))]
    scenes.append(Scene(2010, snapshot(gain(5.0))))
    heard = renderer.play_run(scenes, np.ones((1, 4000)))[0]
    fade = round(FADE_SECONDS * FS)
    np.testing.assert_allclose(heard[:2000], 1.0)
    np.testing.assert_allclose(heard[2010 + fade :], 5.0)
    assert (np.diff(heard) >= 0).all()
    assert np.diff(heard).max() < 4 * np.pi / fade


def test_a_program_has_run_up_when_it_fades_in(renderer: Renderer) -> None:
    late = Series("late", (Delay("delay", np.array([500.0])), gain(1.0)))
    scenes = [Scene(0, snapshot(gain(1.0))), Scene(1000, snapshot(late))]
    heard = renderer.play_run(scenes, np.ones((1, 3000)))[0]
    np.testing.assert_allclose(heard, 1.0)


def test_a_run_has_one_sampling_rate(renderer: Renderer) -> None:
    scenes = [Scene(0, snapshot(gain(1.0))), Scene(9, snapshot(gain(1.0), fs=44100.0))]
    with pytest.raises(RenderError, match="one worker"):
        renderer.play_run(scenes, np.ones((1, 20)))


def test_the_text_is_the_bridges_and_the_length_the_decays() -> None:
    assert program_text(snapshot(gain(0.5))).startswith("// FDN\n")
    assert decay_seconds(snapshot(gain(0.5))) == 1.0
    assert 0.25 <= decay_seconds(snapshot(fdn())) <= 10.0
