"""What is unexpected in a model, but no reason not to publish it, is told with its path."""

from __future__ import annotations

import warnings
from collections import OrderedDict
from typing import Any

import pytest
import torch
from flamo.processor import dsp, system
from torch import nn

from bridges import Plugin
from faustwire import HotReload
from faustwire.messages import Reason
from faustwire_publisher.errors import FaustwireWarning
from faustwire_publisher.lowering import lower_with_remarks
from flamo_models import delays, fdn, gain, parts, shell

torch.set_num_threads(1)

NFFT = 2**9
DTYPE: dict[str, Any] = {"dtype": torch.float64}


def transform(function: Any) -> dsp.Transform:
    return dsp.Transform(function, dtype=torch.float64)


def remarks(model: Any, fs: float = 48000.0) -> list[str]:
    return [line.partition(":")[0] for line in lower_with_remarks(model, fs).remarks]


def test_a_leaf_with_another_rate_is_told_with_both() -> None:
    core = parts(gain=gain(2, 2), late=delays(13, 17, fs=44100))
    lowered = lower_with_remarks(system.Shell(core=core), 48000.0)
    (line,) = lowered.remarks
    assert line.startswith("at model.core.late: ")
    assert "fs=44100" in line
    assert "48000 Hz" in line


def test_a_model_of_the_published_rate_has_no_remarks() -> None:
    assert remarks(shell(fdn(2))) == []


@pytest.mark.parametrize(
    ("into", "out", "path"),
    [
        ([transform(lambda x: x.roll(1, dims=1)), "fft"], ["ifft"], "at model.input_layer.0"),
        (["fft"], ["ifft", transform(lambda x: x.roll(1, dims=1))], "at model.output_layer.1"),
    ],
)
def test_a_transform_that_works_in_time_is_told(into: Any, out: Any, path: str) -> None:
    layers = {"fft": dsp.FFT(NFFT, **DTYPE), "ifft": dsp.iFFT(NFFT, **DTYPE)}

    def layer(parts_: Any) -> nn.Sequential:
        named = enumerate(layers[part] if isinstance(part, str) else part for part in parts_)
        return nn.Sequential(OrderedDict((str(index), part) for index, part in named))

    model = system.Shell(core=gain(2, 2), input_layer=layer(into), output_layer=layer(out))
    assert remarks(model) == [path]


def test_a_transform_that_analyses_bins_is_not_told() -> None:
    out = nn.Sequential(transform(torch.abs))
    model = system.Shell(core=gain(2, 2), input_layer=dsp.FFT(NFFT, **DTYPE), output_layer=out)
    assert remarks(model) == []


def test_the_verdict_has_it_and_one_warning_tells_it(plugin: Plugin) -> None:
    core = parts(first=gain(2, 2), late=delays(13, 17, fs=44100))
    with HotReload(48000, **plugin.paths, min_interval=0, timeout=20) as live:
        with pytest.warns(FaustwireWarning, match="model.late.*fs=44100"):
            live.update(core, force=True)
        with warnings.catch_warnings(record=True) as told:
            live.update(core, force=True)
        assert told == []
        assert live.last.reason is Reason.UNCHANGED
        assert any("model.late" in line for line in live.last.warnings)
        live.publish("process = _,_;")
        assert not any("model.late" in line for line in live.last.warnings)
