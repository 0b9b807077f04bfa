"""What sits on one instance of a module is computed as torch does, or refused; never left out."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from flamo.processor import dsp
from torch import nn
from torch.nn.utils import parametrizations, prune, spectral_norm

from faustwire.graph import Gain
from faustwire_publisher.lowering import ModelError, defer, lower, lowers, values
from flamo_models import DOUBLE, fdn, gain, parts, shell

torch.set_num_threads(1)


def applied(leaf: dsp.Gain) -> Any:
    """The matrix that a leaf applies: its response to one impulse for each channel."""
    bins = leaf.nfft // 2 + 1
    columns = []
    for channel in range(leaf.input_channels):
        impulse = torch.zeros(1, bins, leaf.input_channels, dtype=torch.complex128)
        impulse[..., channel] = 1
        columns.append(leaf(impulse)[0, 0].real.detach().numpy())
    return np.stack(columns, axis=1)


def weight_normed(leaf: dsp.Gain) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.nn.utils.weight_norm(leaf, "param")


COMPUTED: dict[str, Callable[[dsp.Gain], Any]] = {
    "pruned": lambda leaf: prune.l1_unstructured(leaf, "param", amount=2),  # type: ignore[no-untyped-call]
    "pruned twice": lambda leaf: [
        prune.l1_unstructured(leaf, "param", amount=1)  # type: ignore[no-untyped-call]
        for _ in range(2)
    ],
    "weight norm": weight_normed,
    "spectral norm": lambda leaf: spectral_norm(leaf, "param").eval(),
    "parametrized": lambda leaf: parametrizations.orthogonal(leaf, "param"),
}


@pytest.mark.parametrize("how", COMPUTED)
def test_a_parameter_that_torch_computes_is_the_one_of_this_moment(how: str) -> None:
    """A hook of torch's computes it before the next call; the model has not been called since."""
    leaf = gain(3, 3, requires_grad=True)
    COMPUTED[how](leaf)
    applied(leaf)
    with torch.no_grad():
        for parameter in leaf.parameters():
            parameter.mul_(torch.linspace(1, 2, parameter.numel()).reshape(parameter.shape))
    stale = {name: id(value) for name, value in vars(leaf).items()}
    assert defer(leaf) is None
    graph = lower(leaf)
    assert {name: id(value) for name, value in vars(leaf).items()} == stale
    assert isinstance(graph, Gain)
    np.testing.assert_allclose(graph.matrix, applied(leaf), rtol=1e-9)


def halved(leaf: dsp.Gain) -> None:
    forward = leaf.forward
    leaf.forward = lambda x: 0.5 * forward(x)


def convolved(leaf: dsp.Gain) -> None:
    leaf.freq_convolve = lambda x, _param: 0.5 * x


def responding(leaf: dsp.Gain) -> None:
    """FLAMO wraps what is assigned here in a function of its own."""
    leaf.freq_response = lambda param: 0.5 * param


OVERRIDES: dict[str, Callable[[Any], Any]] = {
    "a hook": lambda leaf: leaf.register_forward_hook(lambda _module, _into, out: 0.5 * out),
    "a pre-hook": lambda leaf: leaf.register_forward_pre_hook(lambda _module, into: into),
    "forward": halved,
    "freq_convolve": convolved,
    "freq_response": responding,
}


@pytest.mark.parametrize("how", OVERRIDES)
def test_what_only_an_instance_computes_is_refused_with_its_path(how: str) -> None:
    model = shell(fdn(2))
    leaf = model.get_core().output_gain
    OVERRIDES[how](leaf)
    with pytest.raises(ModelError) as refused:
        lower(model)
    assert refused.value.path == "model.core.output_gain"
    assert how.rpartition(" ")[2].removeprefix("pre-") in refused.value.problem
    assert "remove the hook" in refused.value.problem or "register a rule" in refused.value.problem


def test_an_override_of_a_container_is_refused_too() -> None:
    model = parts(one=gain(2, 2), two=gain(2, 2))
    model.register_forward_hook(lambda _module, _into, out: 0.5 * out)
    with pytest.raises(ModelError, match="at model: a hook"):
        lower(model)


def test_a_rule_of_ones_own_may_know_what_its_hooks_do() -> None:
    class Hooked(dsp.Gain):  # type: ignore[misc]
        def __init__(self, *arguments: Any, **options: Any) -> None:
            super().__init__(*arguments, **options)
            self.register_forward_hook(lambda _module, _into, out: 0.5 * out)

    @lowers(Hooked)
    def hooked(module: Hooked, name: str) -> Gain:
        return Gain(name, 0.5 * values(module.map(module.param)))

    leaf = Hooked((2, 2), **DOUBLE)
    graph = lower(leaf)
    assert isinstance(graph, Gain)
    np.testing.assert_allclose(graph.matrix, applied(leaf))


def test_parameters_of_other_shapes_than_the_leaf_has_channels_are_refused() -> None:
    """As another version of FLAMO might have them: a dimension that nobody knows."""
    for leaf in (dsp.parallelDelay((3,), **DOUBLE), dsp.parallelFilter((5, 3), **DOUBLE)):
        leaf.param = nn.Parameter(leaf.param.detach()[None, None])
        with pytest.raises(ModelError, match="3 inputs and 3 outputs"):
            lower(leaf)
