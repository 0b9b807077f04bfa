"""Lowering in the middle of a training loop: it reads, it is quick, and it leaves no trace."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from flamo.processor import dsp

from faustwire.graph import Delay, Gain, Node, Series
from faustwire.graph_codec import to_dicts
from faustwire_publisher.lowering import lower
from faustwire_publisher.lowering.designs import _DESIGNS
from flamo_filters import MODELS, fdn_geq, make
from flamo_models import DOUBLE, delays, fdn, gain, mixing, parts, shell

torch.set_num_threads(1)


def same(one: Any, other: Any) -> bool:
    """Plain forms: equal to the last bit."""
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    if isinstance(one, list):
        return len(one) == len(other) and all(map(same, one, other))
    return bool(np.array_equal(one, other))


def equal(one: Node, other: Node) -> bool:
    return same(to_dicts(one), to_dicts(other))


def traces(model: torch.nn.Module) -> list[Any]:
    """What could change in a model: every attribute by identity, every tensor by version."""
    found: list[Any] = []
    for module in model.modules():
        found += [(key, id(value)) for key, value in vars(module).items()]
        found += [(key, id(value)) for key, value in module._parameters.items()]
    for param in model.parameters():
        found += [param._version, param.requires_grad, param.grad, param.clone().tolist()]
    return found


@pytest.mark.parametrize("name", [name for name in MODELS if "homogeneous" not in name])
def test_lowering_leaves_no_trace(name: str) -> None:
    model = make(name)
    before, state = traces(model), torch.get_rng_state()
    first = lower(model)
    assert traces(model) == before
    assert torch.equal(torch.get_rng_state(), state)
    assert equal(lower(model), first)


@pytest.mark.parametrize("name", ["fdn 4, filters", "fdn with geqs", "two stage reverberator"])
def test_the_time_anti_aliasing_is_not_in_the_graph(name: str) -> None:
    model = make(name)
    clean = lower(model)
    model.set_nfft(64)
    model.set_alias_decay_db(60)
    assert equal(lower(model), clean)


def test_a_graph_keeps_its_values_while_the_optimiser_goes_on() -> None:
    model = fdn(4)
    graph = lower(model)
    before = lower(model)
    with torch.no_grad():
        for param in model.parameters():
            param.mul_(0.5)
    assert equal(graph, before)
    assert not equal(lower(model), before)


def test_training_goes_on_around_it() -> None:
    leaf = dsp.Gain((2, 2), requires_grad=True, **DOUBLE)
    optimizer = torch.optim.SGD([leaf.param], lr=0.1)
    loss = leaf(torch.ones(1, 257, 2, dtype=torch.complex128)).abs().sum()
    lower(leaf)
    assert torch.is_grad_enabled()
    loss.backward()
    optimizer.step()
    assert lower(leaf).matrix.tolist() == leaf.param.tolist()  # type: ignore[union-attr]


def test_it_works_in_inference_mode() -> None:
    leaf = dsp.parallelAccurateGEQ((1,), **DOUBLE)
    with torch.inference_mode():
        lower(leaf)


def test_an_equaliser_is_designed_again_only_when_its_values_have_changed() -> None:
    leaf = fdn_geq()
    model = fdn(4, absorption=leaf)
    lower(model)
    designed = _DESIGNS[leaf][1]
    with torch.no_grad():
        model.input_gain.param.mul_(0.5)
        leaf.param.add_(0)
    lower(model)
    assert _DESIGNS[leaf][1] is designed
    with torch.no_grad():
        leaf.param.mul_(0.5)
    assert not equal(lower(model), lower(fdn(4, absorption=fdn_geq())))
    assert _DESIGNS[leaf][1] is not designed
    leaf.delays = leaf.delays * 2
    halved = _DESIGNS[leaf][1]
    lower(model)
    assert _DESIGNS[leaf][1] is not halved


def test_a_map_replaced_after_construction_counts() -> None:
    leaf = gain(2, 2)
    leaf.map = lambda raw: raw * 0 + 3
    assert lower(leaf).matrix.tolist() == [[3, 3], [3, 3]]  # type: ignore[union-attr]


def test_nodes_are_called_by_the_keys_of_the_model() -> None:
    graph = lower(shell(fdn(2)))
    assert isinstance(graph, Series)
    core = graph.nodes[0]
    assert (graph.name, core.name) == ("model", "core")
    assert [node.name for node in core.nodes] == [  # type: ignore[union-attr]
        "input_gain",
        "feedback_loop",
        "output_gain",
    ]
    loop = core.nodes[1]  # type: ignore[union-attr]
    assert (loop.forward.name, loop.feedback.name) == ("feedforward", "feedback")  # type: ignore[union-attr]


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_a_delay_is_whole_that_misses_it_by_its_precision(dtype: torch.dtype) -> None:
    whole = torch.arange(1, 30_000, 7)
    leaf = dsp.parallelDelay((len(whole),), fs=44_100, **DOUBLE | {"dtype": dtype})
    leaf.assign_value(leaf.sample2s(whole.to(dtype)))
    found = [lower(parts(some=_first(leaf, part))) for part in range(0, len(whole), 256)]
    samples = np.concatenate([graph.nodes[0].samples for graph in found])  # type: ignore[union-attr]
    assert samples.tolist() == whole.tolist()


def _first(leaf: dsp.parallelDelay, start: int) -> dsp.parallelDelay:
    """Some of a leaf's delays: a graph has at most 256 channels."""
    raw = leaf.param[start : start + 256].detach()
    some = dsp.parallelDelay((len(raw),), fs=44_100, **DOUBLE | {"dtype": raw.dtype})
    some.assign_value(raw)
    return some


def test_a_fraction_worth_hearing_is_kept() -> None:
    graph = lower(delays(593.01, isint=False).float())
    assert isinstance(graph, Delay)
    assert graph.samples[0] == pytest.approx(593.01, abs=1e-4)


def test_half_precision_can_be_lowered() -> None:
    leaf = gain(2, 2).to(torch.bfloat16)
    graph = lower(leaf)
    assert isinstance(graph, Gain)
    assert graph.matrix.tolist() == leaf.param.tolist()


def test_a_matrix_is_published_as_it_is_now() -> None:
    leaf = mixing(4)
    graph = lower(leaf)
    assert isinstance(graph, Gain)
    assert np.allclose(graph.matrix @ graph.matrix.T, np.eye(4), atol=1e-14)
