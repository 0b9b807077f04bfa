"""Wrappers, containers and subclasses: looked through where that is certain, else told."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from flamo.processor import dsp, system
from torch import nn
from torch.optim.swa_utils import AveragedModel

from faustwire.graph import SOS, Series
from faustwire_publisher.lowering import ModelError, lower
from flamo_models import DOUBLE, gain, given_sos

torch.set_num_threads(1)


class Grouped(system.Shell):  # type: ignore[misc]
    """A Shell that only puts itself together in another way."""

    def __init__(self, n: int) -> None:
        super().__init__(core=gain(n, n))

    def decay_times(self) -> None:
        """A method of its own."""


class Mapped(dsp.parallelSOSFilter):  # type: ignore[misc]
    """As pyFDN's ``AttenuationFilter`` and ``OutputEQ``: another parameter, mapped to sections."""

    def __init__(self, n: int) -> None:
        super().__init__(size=(n,), n_sections=1, normalize_a0=False, **DOUBLE)
        self.param = nn.Parameter(torch.linspace(0.1, 0.5, n, dtype=torch.float64))
        self.map: Any = self.to_sections

    def to_sections(self, gains: torch.Tensor) -> torch.Tensor:
        zero, one = torch.zeros_like(gains), torch.ones_like(gains)
        return torch.stack([gains, zero, zero, one, zero, zero])[None]


class Loud(system.Shell):  # type: ignore[misc]
    """A Shell that computes something else."""

    def forward(self, x: torch.Tensor, ext_param: Any = None) -> torch.Tensor:
        louder: torch.Tensor = 2 * super().forward(x, ext_param)
        return louder


class Network(nn.Module):
    """A module of a user's own that may do anything."""

    def __init__(self) -> None:
        super().__init__()
        self.norm = nn.Identity()
        self.shell = system.Shell(core=gain(2, 2))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        result: torch.Tensor = self.shell(self.norm(x))
        return result


class Holder(nn.Module):
    """It holds a model, and computes nothing itself."""

    def __init__(self) -> None:
        super().__init__()
        self.model = gain(2, 2)
        self.loss = nn.MSELoss()


def fabric(model: nn.Module) -> Any:
    """What Lightning's Fabric wraps around a model, by its name."""
    kind: Any = type("_FabricModule", (nn.Module,), {"__module__": "lightning.fabric.wrappers"})
    wrapped = kind()
    wrapped.module = model
    wrapped.forward = model
    return wrapped


@pytest.mark.parametrize("wrap", [AveragedModel, fabric])
def test_wrappers_are_looked_through(wrap: Any) -> None:
    core = gain(2, 2)
    graph = lower(wrap(core))
    assert isinstance(graph, Series)
    assert graph.nodes[0].matrix.tolist() == core.param.tolist()  # type: ignore[union-attr]


def test_an_averaged_model_plays_its_averages() -> None:
    core = gain(2, 2, requires_grad=True)
    averaged = AveragedModel(core)
    averaged.update_parameters(core)
    with torch.no_grad():
        core.param.mul_(3)
    averaged.update_parameters(core)
    graph = lower(averaged)
    expected = averaged.module.get_parameter("param").detach().numpy()
    assert not np.allclose(expected, core.param.detach().numpy())
    np.testing.assert_allclose(graph.nodes[0].matrix, expected)  # type: ignore[union-attr]


def test_subclasses_that_override_nothing_are_what_their_bases_are() -> None:
    assert isinstance(lower(Grouped(2)), Series)
    leaf = Mapped(3)
    graph = lower(leaf)
    assert isinstance(graph, SOS)
    np.testing.assert_allclose(graph.sections[0, 0], leaf.param.detach().numpy())


def test_a_subclass_that_overrides_says_what() -> None:
    with pytest.raises(ModelError, match="Loud is a subclass of Shell with its own forward"):
        lower(Loud(core=gain(2, 2)))


def test_a_container_that_computes_nothing_is_looked_through() -> None:
    holder = Holder()
    graph = lower(holder)
    assert graph.nodes[0].matrix.tolist() == holder.model.param.tolist()  # type: ignore[union-attr]


def test_a_plain_object_that_holds_a_model_is_looked_through_unless_it_can_be_called() -> None:
    class Experiment:
        def __init__(self) -> None:
            self.model = gain(2, 2)

    class Callable(Experiment):
        def __call__(self) -> None:
            """May compute something."""

    held = Experiment()
    graph = lower(held)
    assert graph.nodes[0].matrix.tolist() == held.model.param.tolist()  # type: ignore[union-attr]
    with pytest.raises(ModelError, match=r"pass\s+that \(model\) instead"):
        lower(Callable())


def test_a_container_that_may_compute_names_the_attribute_to_pass() -> None:
    with pytest.raises(ModelError, match=r"pass\s+that \(shell\) instead"):
        lower(Network())


def test_a_wrong_norm_says_which_argument_it_was() -> None:
    """``iFFTAntiAlias(nfft, 0.0)`` passes the decay as the norm."""
    out = dsp.iFFTAntiAlias(512, 0.0, dtype=torch.float64)
    into = dsp.FFTAntiAlias(512, dtype=torch.float64)
    with pytest.raises(ModelError, match="second argument is the norm"):
        lower(system.Shell(core=gain(1, 1), input_layer=into, output_layer=out))


def test_whole_delays_computed_in_single_precision_are_whole() -> None:
    """``sample2s`` of integers computes in single precision, whatever the model's is."""
    leaf = dsp.parallelDelay((2,), isint=False, **DOUBLE)
    leaf.assign_value(leaf.sample2s(torch.tensor([593, 1009])).to(torch.float64))
    assert lower(leaf).samples.tolist() == [593, 1009]  # type: ignore[union-attr]


def test_given_sections_stay_as_they_are() -> None:
    """The control of the subclass above: FLAMO's own type, FLAMO's own map."""
    assert isinstance(lower(given_sos(2, 1)), SOS)
