"""What stands around the core of a model, and what a Transform does to a signal."""

from __future__ import annotations

import sys
from collections import OrderedDict
from collections.abc import Callable
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch
from flamo.functional import get_eigenvalues, get_magnitude, mag2db
from flamo.processor import dsp, system
from scipy.signal import sosfilt  # type: ignore[import-untyped]
from torch import nn

from faustwire.graph import SOS, DiagonalGain, Gain, Node, Series
from faustwire_publisher.lowering import ModelError, lower
from flamo_models import DOUBLE, decay, fdn, gain, parts
from graph_response import impulse_response, relative_db

torch.set_num_threads(1)

NFFT = DOUBLE["nfft"]


def in_layers(core: Any, into: nn.Module, out: nn.Module) -> Series:
    model = system.Shell(core=core)
    # The setters keep a plain Sequential, the constructor would make a Series of it.
    model.set_inputLayer(into)
    model.set_outputLayer(out)
    graph = lower(model)
    assert isinstance(graph, Series)
    return graph


def transform(function: Callable[[torch.Tensor], torch.Tensor]) -> dsp.Transform:
    return dsp.Transform(function, device="cpu", dtype=torch.float64)


FFT = dsp.FFT(NFFT, dtype=torch.float64)
INVERSE = dsp.iFFT(NFFT, dtype=torch.float64)
ANTI_ALIAS = {"nfft": NFFT, "alias_decay_db": 30.0, "dtype": torch.float64}


@pytest.mark.parametrize(
    ("into", "out"),
    [
        (FFT, INVERSE),
        (nn.Identity(), nn.Identity()),
        (dsp.FFTAntiAlias(**ANTI_ALIAS), dsp.iFFTAntiAlias(**ANTI_ALIAS)),
        (FFT, transform(get_magnitude)),
        (FFT, nn.Sequential(transform(get_magnitude), transform(mag2db))),
        (nn.Sequential(transform(lambda x: x.diag_embed()), FFT), transform(get_eigenvalues)),
        (FFT, nn.Sequential(INVERSE, transform(lambda x: x * torch.linspace(0, 1, NFFT)[:, None]))),
        (FFT, nn.Sequential(INVERSE, dsp.Transform())),
    ],
)
def test_computing_and_analysing_is_no_part_of_the_sound(into: nn.Module, out: nn.Module) -> None:
    graph = in_layers(gain(2, 2), into, out)
    assert [node.name for node in graph.nodes] == ["core"]


def test_norms_that_do_not_cancel_are_heard() -> None:
    into, out = (kind(NFFT, norm="ortho", dtype=torch.float64) for kind in (dsp.FFT, dsp.iFFT))
    assert [node.name for node in in_layers(gain(2, 2), into, out).nodes] == ["core"]
    core = gain(1, 1)
    graph = in_layers(core, into, INVERSE)
    heard = system.Shell(core=core, input_layer=into, output_layer=INVERSE)
    impulse = torch.zeros(1, NFFT, 1, dtype=torch.float64)
    impulse[:, 0] = 1
    played = impulse_response(graph, 4)[0, 0]
    assert played == pytest.approx(heard(impulse)[0, :4, 0].tolist(), abs=1e-12)


def test_what_torch_wraps_around_a_model_is_looked_through() -> None:
    core = gain(2, 2)
    for wrapped in (nn.DataParallel(core), torch.compile(core)):
        graph = lower(wrapped)
        assert isinstance(graph, Series)
        assert graph.nodes[0].matrix.tolist() == core.param.tolist()  # type: ignore[union-attr]


def test_gains_in_the_layers_stay() -> None:
    graph = in_layers(
        gain(3, 2),
        nn.Sequential(OrderedDict(fft=FFT, before=decay(2))),
        nn.Sequential(OrderedDict(after=gain(1, 3), ifft=INVERSE)),
    )
    assert [node.name for node in graph.nodes] == ["input_layer", "core", "output_layer"]
    assert graph.nodes[0].nodes[0].name == "before"  # type: ignore[union-attr]


def test_a_transform_that_mixes_channels_is_a_gain() -> None:
    graph = in_layers(
        gain(3, 2),
        nn.Sequential(transform(lambda x: x.flip(-1)), FFT),
        nn.Sequential(INVERSE, transform(lambda x: -0.5 * x[:, :, :1]), transform(torch.abs)),
    )
    into, _, out = graph.nodes
    assert into.nodes[0].matrix.tolist() == [[0, 1], [1, 0]]  # type: ignore[union-attr]
    assert out.nodes[0].matrix.tolist() == [[-0.5, 0, 0]]  # type: ignore[union-attr]


def test_a_transform_in_the_core_that_does_nothing_drops_out() -> None:
    graph = lower(nn.Sequential(gain(2, 2), dsp.Transform(), transform(lambda x: 1 * x)))
    assert [node.name for node in graph.nodes] == ["0"]  # type: ignore[union-attr]


@pytest.mark.parametrize(
    "function",
    [
        torch.abs,
        torch.tanh,
        lambda x: x + 1,
        lambda x: x.roll(1, dims=1),
        lambda x: x - x.mean(dim=1, keepdim=True),
        lambda x: 1j * x,
        lambda x: x.sum(dim=-1),
        lambda x: x[:, ::2],
        lambda x: x.detach().numpy(),
    ],
)
def test_a_transform_in_the_core_that_is_no_mix_is_refused(
    function: Callable[[torch.Tensor], torch.Tensor],
) -> None:
    with pytest.raises(ModelError) as refused:
        lower(system.Shell(core=parts(one=gain(2, 2), odd=transform(function))))
    assert refused.value.path == "model.core.odd"
    assert "not linear and time-invariant" in refused.value.problem


def test_a_branch_that_does_nothing_is_a_wire() -> None:
    dry = transform(dsp.Transform().transform)
    dry.input_channels = dry.output_channels = 1
    graph = lower(system.Parallel(brA=fdn(2), brB=dry))
    wire: Node = graph.nodes[1]  # type: ignore[union-attr]
    assert isinstance(wire, DiagonalGain)
    assert wire.gains.tolist() == [1.0]


def test_a_leaf_that_stands_twice_is_applied_twice() -> None:
    leaf = gain(2, 2)
    graph = lower(nn.Sequential(leaf, leaf))
    assert len(graph.nodes) == 2  # type: ignore[union-attr]
    assert isinstance(graph.nodes[1], Gain)  # type: ignore[union-attr]


def test_a_filter_bank_has_an_output_a_band(monkeypatch: pytest.MonkeyPatch) -> None:
    # It is imported with the module, used by nothing that is tested, and not everywhere loadable.
    monkeypatch.setitem(sys.modules, "torchaudio", ModuleType("torchaudio"))
    from flamo.auxiliary.filterbank import FilterBank

    bank = FilterBank(fraction=1, order=3, fmin=1000, fmax=10_000, backend="torch")
    bank.set_center_frequencies([0, 1000, 4000, 24_000])
    graph = lower(bank)
    assert isinstance(graph, SOS)
    impulse = np.zeros(4000)
    impulse[0] = 1
    truth = np.stack([sosfilt(sections.numpy(), impulse) for sections in bank._sos])[:, None]
    assert relative_db(impulse_response(graph, 4000), truth) < -180
