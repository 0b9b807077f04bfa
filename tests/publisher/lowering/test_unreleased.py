"""What FLAMO's next release is going to bring, as far as its public examples tell."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from flamo.auxiliary.reverb import parallelFDNGEQ
from flamo.processor import dsp
from torch import nn

from faustwire import graph
from faustwire_publisher.lowering import ModelError, lower, values
from flamo_models import DOUBLE

torch.set_num_threads(1)


def of_flamo(kind: type, place: str) -> type:
    """A class of our own that is called as one of FLAMO's is going to be."""
    kind.__module__, kind.__qualname__ = place, kind.__name__
    return kind


def batched(leaf: Any, size: int = 1) -> Any:
    leaf.param = nn.Parameter(leaf.param.detach()[None].repeat(size, *[1] * leaf.param.ndim))
    return leaf


LEAVES = {
    "gain": lambda: dsp.Gain((2, 3), **DOUBLE),
    "parallel gain": lambda: dsp.parallelGain((3,), **DOUBLE),
    "delay": lambda: dsp.Delay((2, 3), **DOUBLE),
    "parallel delay": lambda: dsp.parallelDelay((3,), **DOUBLE),
    "parallel delay, one channel": lambda: dsp.parallelDelay((1,), **DOUBLE),
    "filter": lambda: dsp.Filter((5, 2, 3), **DOUBLE),
    "parallel filter": lambda: dsp.parallelFilter((5, 3), **DOUBLE),
    "sections": lambda: dsp.SOSFilter((2, 3), n_sections=2, **DOUBLE),
    "parallel sections": lambda: dsp.parallelSOSFilter((6,), n_sections=6, **DOUBLE),
}


@pytest.mark.parametrize("name", LEAVES)
def test_a_leading_dimension_for_the_batch_changes_nothing(name: str) -> None:
    torch.manual_seed(3)
    leaf = LEAVES[name]()
    if "sections" in name:
        leaf.map = lambda raw: raw  # that of 0.2.20 divides by a0, in the dimension that it knows
        denominator = torch.tensor([1.0, 0.1, 0.1])
        leaf.param.data[:, 3:] = denominator.reshape(3, *[1] * (leaf.param.ndim - 2))
    expected, found = lower(leaf), lower(batched(leaf))
    assert type(found) is type(expected)
    for field, value in vars(expected).items():
        np.testing.assert_array_equal(getattr(found, field), value)


def test_several_sets_of_parameters_are_refused_with_what_to_do() -> None:
    with pytest.raises(ModelError, match=r"a batch of 4 sets of parameters.*batch_size=1"):
        lower(batched(dsp.parallelDelay((3,), **DOUBLE), 4))


class MultiHouseholderMatrix(nn.Module):
    """Reflections one after the other; its parameters have a dimension for the batch."""

    def __init__(self, channels: int, num_reflections: int, scale: float = 1.0) -> None:
        super().__init__()
        self.nfft = 64
        self.input_channels = self.output_channels = channels
        drawn = torch.randn(1, num_reflections, channels, dtype=torch.float64)
        self.param = nn.Parameter(drawn)
        self.scale = scale

    def map(self, param: torch.Tensor) -> torch.Tensor:
        unit: torch.Tensor = param / param.norm(dim=-1, keepdim=True)
        return unit

    def check_input_shape(self, x: torch.Tensor) -> None:
        if x.shape[1] != self.nfft // 2 + 1:
            raise ValueError("frequencies are missing")

    def forward(self, x: torch.Tensor, _: Any = None) -> torch.Tensor:
        self.check_input_shape(x)
        for vector in self.map(self.param)[0].to(x.dtype):
            x = x - 2 * torch.einsum("n,m,bfm...->bfn...", vector, vector, x)
        return self.scale * x


of_flamo(MultiHouseholderMatrix, "flamo.processor.dsp")


def test_a_product_of_reflections_is_the_matrix_that_it_applies() -> None:
    torch.manual_seed(0)
    leaf = MultiHouseholderMatrix(4, 3)
    node = lower(leaf)
    assert isinstance(node, graph.Gain)
    x = torch.randn(1, 33, 4, dtype=torch.complex128)
    heard = torch.einsum("nm,bfm->bfn", torch.tensor(node.matrix).to(x.dtype), x)
    torch.testing.assert_close(heard, leaf(x))
    with pytest.raises(ModelError, match=r"off an orthogonal one by 0\.75"):
        lower(MultiHouseholderMatrix(4, 3, scale=0.5))


def test_a_block_diagonal_matrix_with_a_batch_is_a_matrix() -> None:
    """As ``matrix_type="random_block_diagonal"`` of the development branch gives one."""
    leaf = dsp.Matrix((4, 4), matrix_type="orthogonal", **DOUBLE)
    block = torch.linalg.qr(torch.randn(2, 2, dtype=torch.float64))[0].contiguous()
    blocks = torch.kron(torch.eye(2, dtype=torch.float64), block)
    leaf.map = lambda _: blocks[None]
    node = lower(batched(leaf))
    assert isinstance(node, graph.Gain)
    np.testing.assert_array_equal(node.matrix, blocks.numpy())


DELAYS = torch.tensor([593.0, 797.0, 1153.0], dtype=torch.float64)


class parallelGFDNScalar(dsp.parallelGain):  # type: ignore[misc]  # noqa: N801 - FLAMO's name
    """A gain a sample for each group, to the power of the delay."""

    def __init__(self) -> None:
        super().__init__((3,), **DOUBLE)
        self.param = nn.Parameter(torch.tensor([[0.9999, 0.9995]], dtype=torch.float64))
        self.map = lambda param: param[:, [0, 0, 1]] ** DELAYS


class parallelGFDNGEQ(parallelFDNGEQ):  # type: ignore[misc]  # noqa: N801 - FLAMO's name
    """With a dimension for the batch in front of its responses."""

    def get_poly_coeff(self, param: torch.Tensor) -> tuple[torch.Tensor, ...]:
        return tuple(part[None] for part in parallelFDNGEQ.get_poly_coeff(self, param))


class parallelGFDNFirstOrderShelving(nn.Module):  # noqa: N801 - FLAMO's name
    """A reverberation time and a crossover for each group; its map gives b and a."""

    def __init__(self) -> None:
        super().__init__()
        self.input_channels = self.output_channels = 3
        self.param = nn.Parameter(torch.tensor([[[0.5, 0.2], [0.8, 0.1]]], dtype=torch.float64))

    def map(self, param: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        level, pole = param[..., [0, 0, 1], 0], param[..., [0, 0, 1], 1]
        return (
            torch.stack((level * (1 - pole), 0 * pole), dim=1),
            torch.stack((torch.ones_like(pole), -pole), dim=1),
        )


for made in (parallelGFDNScalar, parallelGFDNGEQ, parallelGFDNFirstOrderShelving):
    of_flamo(made, "flamo.auxiliary.reverb")


def test_attenuations_of_grouped_networks_have_the_rules_of_their_siblings() -> None:
    scalar = lower(parallelGFDNScalar())
    assert isinstance(scalar, graph.DiagonalGain)
    expected = torch.tensor([0.9999, 0.9999, 0.9995], dtype=torch.float64) ** DELAYS
    np.testing.assert_allclose(scalar.gains, values(expected))

    shelves = lower(parallelGFDNFirstOrderShelving())
    assert isinstance(shelves, graph.SOS)
    np.testing.assert_allclose(shelves.sections[0, :, 2], [0.72, 0, 0, 1, -0.1, 0])

    torch.manual_seed(0)
    plain = parallelFDNGEQ(delays=DELAYS, **DOUBLE)
    grouped = parallelGFDNGEQ(delays=DELAYS, **DOUBLE)
    grouped.param.data[:] = plain.param.data
    np.testing.assert_array_equal(
        lower(grouped).sections,  # type: ignore[union-attr]
        lower(plain).sections,  # type: ignore[union-attr]
    )


def test_one_of_another_kind_than_its_sibling_is_refused() -> None:
    """The development branch may still change; what does not fit is never played."""
    leaf = parallelGFDNFirstOrderShelving()
    leaf.input_channels = leaf.output_channels = 4
    with pytest.raises(ModelError, match="3 → 3 channels, but it has 4 inputs"):
        lower(leaf)
