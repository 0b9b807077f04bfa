"""The page's engine plays what the program plays: node against libfaust in double precision."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pytest
import torch

from faustwire.config_file import from_json
from faustwire.controls import sliders
from faustwire.errors import GraphError
from faustwire.graph import FIR, SOS, Array, Delay, Gain, Node, Recursion, Series
from faustwire.validation import check
from faustwire_bridge.codegen import generate
from faustwire_publisher.lowering import flamo_to_json
from flamo_filters import FRACTIONAL, MODELS, SLOW, make
from flamo_random import random_model
from graph_response import Spectrum, relative_db
from page_engine import Asked, needs_node, responses
from random_graphs import thrown_graph
from random_loops import KINDS, random_system

pytest.importorskip("cyfaust")

from faustwire_bridge.children.libfaust import compile_program

pytestmark = needs_node
torch.set_num_threads(1)

FS = 48_000


def lowered(model: object) -> Node:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return from_json(flamo_to_json(model, FS)).graph


def played(asked: Asked) -> Array:
    knobs = sliders({"rt60": {"init": asked.rt60_seconds}} if asked.rt60_seconds else {})
    program = generate(asked.graph, fs=FS, channels=None, controls=knobs)
    return compile_program(program.text, double=True).impulse_response(asked.samples, FS)


def deviations(asked: list[Asked], folder: Path) -> Mapping[str, float]:
    """Deviations in dB relative to the response's peak, by name."""
    rendered = responses(asked, folder)
    return {
        one.name: relative_db(response, played(one))
        for one, response in zip(asked, rendered, strict=True)
    }


def assert_exact(asked: list[Asked], folder: Path) -> None:
    found = deviations(asked, folder)
    assert len(found) == len(asked) > 0
    off = {name: db for name, db in found.items() if not db <= -120}
    assert not off


@pytest.mark.slow
def test_every_model_of_the_suite(tmp_path: Path) -> None:
    assert_exact([Asked(name, lowered(make(name))) for name in MODELS | FRACTIONAL], tmp_path)


@pytest.mark.slow
def test_every_slow_model_of_the_suite(tmp_path: Path) -> None:
    assert_exact([Asked(name, lowered(make(name))) for name in SLOW], tmp_path)


@pytest.mark.slow
def test_random_models(tmp_path: Path) -> None:
    asked = [Asked(f"model {seed}", lowered(random_model(seed))) for seed in range(25)]
    assert_exact(asked, tmp_path)


@pytest.mark.parametrize(
    "seeds", [range(40), pytest.param(range(40, 300), marks=pytest.mark.slow)], ids=["some", "many"]
)
def test_random_graphs_of_every_kind_of_node(seeds: range, tmp_path: Path) -> None:
    graphs = [thrown_graph(np.random.default_rng(seed)) for seed in seeds]
    asked = [
        Asked(f"graph {k}", graph, samples=400) for k, graph in enumerate(graphs) if valid(graph)
    ]
    assert len(asked) > 0.6 * len(seeds)
    assert_exact(asked, tmp_path)


def valid(graph: Node) -> bool:
    try:
        check(graph)
    except GraphError:
        return False
    return True


def test_random_loops_of_every_kind(tmp_path: Path) -> None:
    asked = [
        Asked(f"{kind} {seed}", random_system(kind, seed, target=0.98).graph, samples=400)
        for kind in KINDS
        for seed in range(8)
    ]
    assert_exact(asked, tmp_path)


def spread_delays() -> Node:
    """A loop whose delays lie on one channel in the forward path, on the other in the feedback."""
    mix = np.array([[0.0, 0.5], [0.4, 0.0]])
    return Recursion(
        "loop",
        Series("f", (Delay("early", np.array([7.0, 0.0])), Gain("mix", mix))),
        Delay("late", np.array([0.0, 300.0])),
    )


def delayed_by_its_filter() -> Node:
    """No delay line at all: the second section passes nothing of the present sample on."""
    sections = np.array(
        [[0.9, 0.2, 0.0, 1.0, -0.3, 0.1], [0.0, 0.5, 0.2, 1.0, -0.2, 0.0], [1.0, 0.1, 0, 1, 0, 0]]
    )
    return Recursion("loop", SOS("sos", sections[:, :, None]), Gain("back", np.array([[0.4]])))


def long_taps(count: int, channels: int, *, in_loop: bool) -> Node:
    random = np.random.default_rng(count)
    taps = (
        random.normal(size=(count, channels, channels))
        * np.exp(-np.arange(count) / count * 4)[:, None, None]
    )
    taps /= np.abs(taps).sum(axis=0).max() * 2.5
    if not in_loop:
        return FIR("long", taps)
    taps[0] = 0.0
    return Recursion("loop", FIR("long", taps), Gain("back", np.full((channels, channels), 0.3)))


def sparse_taps() -> Node:
    random = np.random.default_rng(1)
    taps = np.zeros((9000, 1))
    taps[random.choice(9000, 100, replace=False)] = random.normal(size=(100, 1))
    return FIR("velvet", taps)


def long_lines() -> Node:
    """Chunks of a whole block, lines longer than one, and a filter in the loop."""
    matrix, _ = np.linalg.qr(np.random.default_rng(2).normal(size=(4, 4)))
    sections = np.tile(np.array([0.45, 0.4, 0.0, 1.0, -0.1, 0.0])[None, :, None], (1, 1, 4))
    back = Series("back", (SOS("absorption", sections), Gain("matrix", matrix)))
    return Recursion("loop", Delay("lines", np.array([131.0, 256.0, 512.5, 1027.25])), back)


HAND_MADE: Mapping[str, Callable[[], Node]] = {
    "delays spread over the loop": spread_delays,
    "a filter as the loop's delay": delayed_by_its_filter,
    "600 taps": lambda: long_taps(600, 2, in_loop=False),
    "600 taps in a loop": lambda: long_taps(600, 2, in_loop=True),
    "9,000 taps": lambda: long_taps(9000, 2, in_loop=False),
    "9,000 taps in a loop": lambda: long_taps(9000, 2, in_loop=True),
    "sparse taps": sparse_taps,
    "long lines, some fractional": long_lines,
}
# libfaust takes minutes for so many taps; numpy says what they are.
BY_NUMPY = ("9,000 taps", "600 taps")


def test_graphs_made_by_hand(tmp_path: Path) -> None:
    asked = [
        Asked(name, make_graph(), samples=3000)
        for name, make_graph in HAND_MADE.items()
        if not name.startswith(BY_NUMPY)
    ]
    for one in asked:
        check(one.graph)
    assert_exact(asked, tmp_path)


def by_spectrum(graph: Node, samples: int) -> Array:
    """(I − F·B)⁻¹·F at so many frequencies that nothing audible folds back."""
    fir = graph.forward if isinstance(graph, Recursion) else graph
    assert isinstance(fir, FIR)
    spectrum = np.fft.rfft(fir.taps, 2**18, axis=0)
    if isinstance(graph, Recursion):
        assert isinstance(graph.feedback, Gain)
        loop = np.eye(fir.taps.shape[1]) - spectrum @ graph.feedback.matrix
        return _response(np.linalg.solve(loop, spectrum), samples)
    return _response(spectrum, samples)


def _response(spectrum: Spectrum, samples: int) -> Array:
    return np.moveaxis(np.fft.irfft(spectrum, axis=0)[:samples], 0, -1)


def test_long_responses_are_what_their_taps_say(tmp_path: Path) -> None:
    names = [name for name in HAND_MADE if name.startswith(BY_NUMPY)]
    asked = [Asked(name, HAND_MADE[name](), samples=20_000) for name in names]
    for one, response in zip(asked, responses(asked, tmp_path), strict=True):
        assert relative_db(response, by_spectrum(one.graph, one.samples)) < -180, one.name


def test_the_decay_knob(tmp_path: Path) -> None:
    names = ["fdn 4, filters", "fdn 8, householder", "recursion, nested", *FRACTIONAL]
    asked = [Asked(name, lowered(make(name)), rt60_seconds=0.3) for name in names]
    assert_exact(asked, tmp_path)
