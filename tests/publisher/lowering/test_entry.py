"""Lowered graphs respond as FLAMO itself does."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import flamo_truth
from faustwire import graph
from faustwire_publisher.lowering import lower
from flamo_filters import FRACTIONAL, MODELS, SLOW, make
from flamo_random import random_model
from graph_response import frequency_response, impulse_response, relative_db
from seeds import seeds

torch.set_num_threads(1)

SAMPLES = 2000

# Designs that FLAMO works out in single precision whatever the model has.
SINGLE = ["gain", "matrix orthogonal", "householder", "delays, trained", "sos", "fdn 4, filters"]


def truth_of(name: str, model: object) -> flamo_truth.Response:
    if "scattering" in name or "velvet" in name:
        # FLAMO damps these in single precision.
        return flamo_truth.impulse_response(model, SAMPLES, nfft=2**15, alias_decay_db=0)
    return flamo_truth.impulse_response(model, SAMPLES)


def deviation_db(name: str) -> float:
    model = make(name)
    graph = lower(model)
    return relative_db(impulse_response(graph, SAMPLES), truth_of(name, model))


@pytest.mark.parametrize("name", MODELS)
def test_the_graph_responds_as_the_model_does(name: str) -> None:
    assert deviation_db(name) < -135


@pytest.mark.slow
@pytest.mark.parametrize("name", SLOW)
def test_the_graph_of_a_slow_model_responds_as_the_model_does(name: str) -> None:
    assert deviation_db(name) < -135


@pytest.mark.parametrize("name", ["scattering", "velvet matrix"])
def test_a_scattering_matrix_is_lowered_as_a_cascade(name: str) -> None:
    """Never multiplied out: that would be n² responses as long as all its delays together."""
    node = lower(make(name))
    assert isinstance(node, graph.Series)
    assert {type(child) for child in node.nodes} == {graph.Delay, graph.Gain}
    assert sum(isinstance(child, graph.Gain) for child in node.nodes) == 3


@pytest.mark.parametrize("name", FRACTIONAL)
def test_fractional_delays_keep_their_fraction(name: str) -> None:
    model = make(name)
    graph = lower(model)
    nfft = 2**12
    frequencies = np.arange(nfft // 2 + 1) / nfft
    response = frequency_response(graph, frequencies, 1.0)
    truth = flamo_truth.frequency_response(model, nfft)
    assert np.abs(response - truth).max() < 1e-9 * np.abs(truth).max()


@pytest.mark.parametrize("name", SINGLE)
def test_a_model_in_single_precision_differs_by_its_rounding(name: str) -> None:
    model = make(name).float()
    graph = lower(model)
    truth = truth_of(name, model)
    assert relative_db(impulse_response(graph, SAMPLES), truth) < -100


@pytest.mark.parametrize("seed", seeds(20, 60))
def test_a_random_model_responds_as_it_does(seed: int) -> None:
    model = random_model(seed)
    graph = lower(model)
    truth = flamo_truth.impulse_response(model, SAMPLES)
    assert relative_db(impulse_response(graph, SAMPLES), truth) < -135
