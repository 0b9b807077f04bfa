"""pyFDN's trainable networks are published as they are: nothing has to be registered."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

import flamo_truth
from faustwire_publisher.lowering import lower, lower_with_remarks
from graph_response import impulse_response, relative_db

pyfdn = pytest.importorskip("pyFDN", reason="pyFDN is not installed: pip install pyFDN")

torch.set_num_threads(1)

FS = 48_000
SAMPLES = 2000


def network(**options: Any) -> Any:
    settings = {"N": 4, "rt": (0.5, 0.1), "fs": FS, "nfft": 2**12, "rng": 1}
    return pyfdn.build_fdn(**settings | {"dtype": torch.float64} | options)


@pytest.mark.parametrize(
    "options",
    [{}, {"train_rt": True}, {"matrix": "random"}, {"rt": None, "direct": 0.3}],
    ids=["as made", "decay trained", "random matrix", "lossless, with a direct path"],
)
def test_a_trainable_fdn_is_exact(options: dict[str, Any]) -> None:
    model = network(**options)
    graph = lower(model)
    truth = flamo_truth.impulse_response(model, SAMPLES)
    assert relative_db(impulse_response(graph, SAMPLES), truth) < -120


def test_nothing_of_it_costs_a_warning() -> None:
    """Its own response, at the rate that it is made for, is what is published."""
    assert lower_with_remarks(network(dtype=torch.float32), FS).remarks == ()


def equalisers() -> dict[str, Any]:
    settings = {"fs": FS, "nfft": 2**12, "dtype": torch.float64}
    bands, lines = np.linspace(1.0, 0.3, 10), np.array([331, 397, 433])
    return {
        "absorption": pyfdn.AttenuationFilter(bands, lines, **settings),
        "absorption, shelving": pyfdn.AttenuationFilter(
            1.0, lines, rt_nyquist=0.3, design="first_order_shelf", **settings
        ),
        "tone": pyfdn.OutputEQ(np.linspace(3, -6, 10), 2, **settings),
    }


@pytest.mark.parametrize("which", ["absorption", "absorption, shelving", "tone"])
def test_its_filters_are_parallel_second_order_sections(which: str) -> None:
    leaf = equalisers()[which]
    graph = lower(leaf)
    assert graph.type == "sos"
    truth = flamo_truth.impulse_response(leaf, SAMPLES)
    assert relative_db(impulse_response(graph, SAMPLES), truth) < -120
