"""From a FLAMO model to what libfaust plays: the same response."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
import torch

import flamo_truth
from faustwire_bridge import json_to_faust
from faustwire_publisher.lowering import flamo_to_json
from flamo_filters import FRACTIONAL, MODELS, SLOW, make
from flamo_random import random_model
from graph_response import relative_db

pytest.importorskip("cyfaust")

from faustwire_bridge.children.libfaust import compile_program
from seeds import seeds

torch.set_num_threads(1)

FS = 48_000
SAMPLES = 2000


def played(model: Any, samples: int, *, double: bool) -> flamo_truth.Response:
    """The response of the program that the two public steps arrive at."""
    config = json.loads(json.dumps(flamo_to_json(model, FS)))
    program = compile_program(json_to_faust(config), double=double)
    return program.impulse_response(samples, FS)


def truth_of(name: str, model: Any) -> flamo_truth.Response:
    if "scattering" in name or "velvet" in name:
        # FLAMO damps these in single precision.
        return flamo_truth.impulse_response(model, SAMPLES, nfft=2**15, alias_decay_db=0)
    return flamo_truth.impulse_response(model, SAMPLES)


@pytest.mark.parametrize("name", MODELS)
def test_the_program_responds_as_the_model_does(name: str) -> None:
    model = make(name)
    response = played(model, SAMPLES, double=True)
    assert relative_db(response, truth_of(name, model)) < -120


@pytest.mark.slow
@pytest.mark.parametrize("name", SLOW)
def test_the_program_of_a_slow_model_responds_as_the_model_does(name: str) -> None:
    model = make(name)
    response = played(model, SAMPLES, double=True)
    assert relative_db(response, truth_of(name, model)) < -120


@pytest.mark.parametrize("name", FRACTIONAL)
def test_fractional_delays_are_right_below_a_quarter_of_the_rate(name: str) -> None:
    model = make(name)
    nfft = 2**12
    response = np.fft.rfft(played(model, nfft, double=True), axis=-1)
    truth = np.moveaxis(flamo_truth.frequency_response(model, nfft), 0, -1)
    below = slice(0, nfft // 4 + 1)
    deviation = np.abs(response - truth)[..., below].max() / np.abs(truth)[..., below].max()
    # No causal filter does much better below one sample: see codegen.fractional.
    limit = -55 if "less than a sample" in name else -80
    assert 20 * np.log10(deviation) < limit


@pytest.mark.parametrize("seed", seeds(8, 40))
def test_the_program_of_a_random_model_responds_as_it_does(seed: int) -> None:
    model = random_model(seed)
    response = played(model, SAMPLES, double=True)
    assert relative_db(response, flamo_truth.impulse_response(model, SAMPLES)) < -120
