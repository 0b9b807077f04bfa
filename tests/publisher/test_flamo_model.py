"""``json_to_flamo``: a FLAMO model with a config's response, which can be trained."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest
import torch

import flamo_truth
from bridges import Plugin
from faustwire import HotReload, graph
from faustwire.config_file import from_json, to_json
from faustwire.errors import GraphError
from faustwire.graph import Node
from faustwire_publisher import flamo_to_json, json_to_flamo
from faustwire_publisher.lowering import lower
from flamo_filters import FRACTIONAL, MODELS, SLOW, make
from graph_response import frequency_response, impulse_response, relative_db
from models import fdn
from program import faustwire

torch.set_num_threads(1)

FS = 48_000
SAMPLES = 1000
NFFT = 1024
# Every type of node, and what FLAMO makes of it: see `test_every_model…` for all others.
QUICK = (
    *("gain", "householder", "delays", "delay matrix", "gain delay, trained", "filter"),
    *("parallel filter", "parallel sos", "sos", "fdn 4", "homogeneous fdn", "geq"),
    *("scattering", "two stage reverberator", "recursion, sections in both paths"),
)


def made_again(model: Any, **options: Any) -> Any:
    config = json.loads(json.dumps(flamo_to_json(model, FS)))
    return json_to_flamo(config, nfft=NFFT, **{"dtype": torch.float64} | options)


def test_the_quick_ones_have_every_type_of_node() -> None:
    seen = {kind for name in QUICK for kind in _types(lower(make(name)))}
    assert seen == {kind.type for kind in (*graph.LEAVES, *graph.CONTAINERS)}


@pytest.mark.parametrize("name", QUICK)
def test_a_model_made_again_responds_as_the_config(name: str) -> None:
    check_response(name)


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted({*MODELS, *SLOW} - {*QUICK}))
def test_every_model_made_again_responds_as_the_config(name: str) -> None:
    check_response(name)


def check_response(name: str) -> None:
    model = make(name)
    expected = impulse_response(lower(model), SAMPLES)
    again = made_again(model)
    assert relative_db(flamo_truth.impulse_response(again, SAMPLES), expected) < -120


@pytest.mark.parametrize("name", FRACTIONAL)
def test_fractional_delays_are_made_again(name: str) -> None:
    model = make(name)
    frequencies = np.arange(NFFT // 2 + 1) * FS / NFFT
    expected = frequency_response(lower(model), frequencies, FS)
    again = flamo_truth.frequency_response(made_again(model), NFFT)
    # A real transform has no phase at half the sampling rate.
    assert np.abs(again - expected)[:-1].max() < 1e-6 * np.abs(expected).max()


def test_what_is_published_of_it_is_what_was_recorded() -> None:
    """Node by node, also the second time round."""
    config = flamo_to_json(fdn(4), FS)
    once = flamo_to_json(json_to_flamo(config, nfft=NFFT, dtype=torch.float64), FS)
    twice = flamo_to_json(json_to_flamo(once, nfft=NFFT, dtype=torch.float64), FS)
    assert once == twice
    first, second = (impulse_response(from_json(one).graph, SAMPLES) for one in (config, once))
    assert relative_db(second, first) < -200


def test_a_recorded_state_comes_back_as_it_was_heard(plugin: Plugin, tmp_path: Path) -> None:
    """From a training, through a recording and `faustwire export`, to a model and the program."""
    pytest.importorskip("cyfaust")
    from faustwire_bridge.children.libfaust import compile_program

    run, config = tmp_path / "run.mcap", tmp_path / "model.json"
    with HotReload(FS, **plugin.paths, min_interval=0, record=run) as live:
        assert live.update(fdn(4))
    faustwire("export", str(run), "--step", "1", "-o", str(config))
    model = json_to_flamo(json.loads(config.read_text()), nfft=NFFT, dtype=torch.float64)
    heard = compile_program(plugin.program(), double=True).impulse_response(SAMPLES, FS)
    again = flamo_truth.impulse_response(model, SAMPLES)
    assert relative_db(again, heard[:1]) < -120


def test_it_trains() -> None:
    """Every parameter but whole delays gets a gradient, and a step along it is a better model."""
    model = made_again(make("two stage reverberator"), dtype=torch.float32)
    trained = {key: value for key, value in model.named_parameters() if value.requires_grad}
    fixed = {key for key, _ in model.named_parameters()} - trained.keys()
    assert {type(model.get_submodule(key.rpartition(".")[0])).__name__ for key in fixed} == {
        "parallelDelay"
    }
    impulse = torch.zeros(1, NFFT, 1)
    impulse[0, 0] = 1
    energy = model(impulse).square().sum()
    energy.backward()
    gradients = {key: parameter.grad for key, parameter in trained.items()}
    assert [key for key, grad in gradients.items() if grad is None or not grad.any()] == []
    with torch.no_grad():
        for key, grad in gradients.items():
            assert grad is not None
            trained[key].add_(grad, alpha=-1e-6)
        assert model(impulse).square().sum() < energy


def test_whole_delays_with_gains_stay_whole_while_the_gains_are_trained() -> None:
    gains = np.array([[0.5, -2.0]])
    node = graph.Delay("d", np.array([[0.0, 7.0]]), gains)
    model = json_to_flamo(to_json(node, FS, "m"), nfft=NFFT)
    model(torch.randn(1, NFFT, 2)).square().sum().backward()
    (parameter,) = model.parameters()
    with torch.no_grad():
        parameter -= 0.1 * parameter.grad
    (moved,) = graph.leaves(lower(model))
    assert isinstance(moved, graph.Delay)
    assert moved.gains is not None
    assert moved.samples.tolist() == [[0, 7]]
    assert abs(moved.gains - gains).min() > 0.05


def test_what_flamo_has_no_module_for_is_made_of_what_it_has() -> None:
    """Branches of any number, a vector that is not of unit length, names that FLAMO can't hold."""
    branches = tuple(graph.Gain("same.name", np.full((1, 2), 1.0 + k)) for k in range(3))
    joins: tuple[Literal["sum", "concatenate"], ...] = ("sum", "concatenate")
    for join in joins:
        node: Node = graph.Series(
            "nfft",
            (
                graph.Householder("forward", np.array([0.3, 0.4])),
                graph.Series("inner", (graph.DiagonalGain("forward", np.array([2.0, 3.0])),)),
                graph.Parallel("", branches, join),
            ),
        )
        model = json_to_flamo(to_json(node, FS, "m"), nfft=NFFT, dtype=torch.float64)
        again = flamo_truth.impulse_response(model, 4)
        assert relative_db(again, impulse_response(node, 4)) < -200


def test_an_fir_that_the_transform_would_cut_is_an_error_with_its_path() -> None:
    node = graph.Series("model", (graph.FIR("tail", np.ones((2000, 1))),))
    with pytest.raises(GraphError, match=r"at model\.tail: 2000 taps.*nfft of at least 2000"):
        json_to_flamo(to_json(node, FS, "m"), nfft=NFFT)


def test_a_config_that_makes_no_sense_is_an_error_with_its_path() -> None:
    config = flamo_to_json(fdn(4), FS)
    config["graph"]["nodes"][0]["type"] = "reverb"
    with pytest.raises(GraphError, match="reverb"):
        json_to_flamo(config)


def _types(node: Node) -> set[str]:
    return {each.type for each in graph.nodes_in(node)}
