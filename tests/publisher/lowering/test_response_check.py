"""The net: a model that computes something else than its graph is told, others never are."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from flamo.processor import dsp, system

from faustwire_publisher.lowering import lower, lower_with_remarks
from faustwire_publisher.lowering.response_check import _deviation
from faustwire_publisher.lowering.transfer import transfer
from flamo_filters import MODELS, make
from flamo_models import decay, fdn, gain, parts, shell
from graph_response import frequency_response

torch.set_num_threads(1)


@pytest.mark.parametrize("name", MODELS)
def test_no_model_of_the_suite_is_told(name: str) -> None:
    model = make(name)
    lines = lower_with_remarks(model, 48000.0).remarks
    assert not any("own response" in line for line in lines)


@pytest.mark.parametrize("single", [False, True])
def test_the_models_that_training_begins_with_are_compared(single: bool) -> None:
    """In single precision and with time anti-aliasing as well."""
    model = shell(fdn(4))
    model.set_alias_decay_db(30)
    core = (model.float() if single else model).get_core()
    off = _deviation(core, lower(core))
    assert off is not None
    assert off < 1e-3


def test_what_no_rule_knows_is_told_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """FLAMO itself, changed under our feet: nothing on the instance tells."""
    forward = dsp.parallelGain.forward
    monkeypatch.setattr(dsp.parallelGain, "forward", lambda self, x: 0.5 * forward(self, x))
    model = system.Shell(core=parts(one=gain(2, 2), two=decay(2)))
    (line,) = lower_with_remarks(model, 48000.0).remarks
    assert line.startswith("at model: its own response differs from what is published by 50 %")
    assert lower_with_remarks(model, 48000.0).remarks == ()


@pytest.mark.parametrize("kind", [system.Series, system.Parallel, system.Recursion])
def test_a_container_that_computes_something_else_is_told(
    kind: type, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Containers of FLAMO's own are not run, but only as long as they are."""
    forward = kind.forward  # type: ignore[attr-defined]
    monkeypatch.setattr(kind, "forward", lambda self, *given: 0.5 * forward(self, *given))
    model = parts(both=system.Parallel(brA=gain(4, 4), brB=fdn(4).feedback_loop))
    (line,) = lower_with_remarks(model, 48000.0).remarks
    assert "its own response differs" in line


def test_a_loop_whose_parts_compute_something_else_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its response comes from one pass around it, which is another then."""
    forward = dsp.Matrix.forward
    monkeypatch.setattr(dsp.Matrix, "forward", lambda self, x: 0.8 * forward(self, x))
    model = fdn(4)
    off = _deviation(model, lower(model))
    assert off is not None
    assert off > 0.05


def test_a_large_loop_is_not_solved_at_every_bin(monkeypatch: pytest.MonkeyPatch) -> None:
    """16 lines and 96,000 points took 0.4 s of processor time, three quarters of it there."""
    model = fdn(4)
    monkeypatch.setattr(torch.linalg, "solve", None)
    off = _deviation(model, lower(model))
    assert off is not None
    assert off < 1e-6


def test_the_transfer_matrices_are_those_of_the_graph() -> None:
    graph = lower(fdn(4))
    frequencies = np.array([0.01, 0.1, 0.3])
    ours = transfer(graph, np.exp(-2j * np.pi * frequencies))
    np.testing.assert_allclose(ours, frequency_response(graph, frequencies, 1.0), rtol=1e-9)
