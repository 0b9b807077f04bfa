"""Lowered graphs respond as FLAMO itself does."""

from __future__ import annotations

import pytest
import torch

import flamo_truth
from faustwire_publisher.lowering import lower
from flamo_models import MODELS, make
from graph_response import impulse_response, relative_db

torch.set_num_threads(1)

SAMPLES = 2000


@pytest.mark.parametrize("name", MODELS)
def test_the_graph_responds_as_the_model_does(name: str) -> None:
    model = make(name)
    graph = lower(model)
    truth = flamo_truth.impulse_response(model, SAMPLES)
    assert relative_db(impulse_response(graph, SAMPLES), truth) < -120
