"""Small real FLAMO models, and a way to take a step."""

from __future__ import annotations

from collections import OrderedDict
from typing import Any

import torch
from flamo.processor import dsp, system

# 29 dB; what is 30 dB louder than what plays is not published.
_LOUDEST = 28.0


class Knob:
    """One trained gain: the smallest model that changes."""

    def __init__(self, channels: int = 2) -> None:
        self.model: Any = dsp.parallelGain(size=(channels,), requires_grad=True, device="cpu")
        self.set(1.0)

    def set(self, value: float) -> None:
        with torch.no_grad():
            self.model.param.fill_(value)

    def step(self) -> None:
        """Change the gain; however often, it is never too loud to be published."""
        with torch.no_grad():
            self.model.param.add_(0.125)
            self.model.param.remainder_(_LOUDEST)


def fdn(lines: int = 4, *, nfft: int = 2048) -> Any:
    """A FLAMO FDN with attenuation in its loop; its delays are made as adac understands them."""
    options: dict[str, Any] = {"nfft": nfft, "device": "cpu"}
    delays = dsp.parallelDelay(size=(lines,), max_len=500, isint=True, unit=1, **options)
    attenuation = dsp.parallelGain(size=(lines,), **options)
    attenuation.assign_value(torch.full((lines,), 0.7))
    feedback = OrderedDict(
        attenuation=attenuation,
        mixing=dsp.Matrix(
            size=(lines, lines), matrix_type="orthogonal", requires_grad=True, **options
        ),
    )
    core = OrderedDict(
        input_gain=dsp.Gain(size=(lines, 1), requires_grad=True, **options),
        loop=system.Recursion(fF=delays, fB=system.Series(feedback)),
        output_gain=dsp.Gain(size=(1, lines), requires_grad=True, **options),
    )
    return system.Shell(system.Series(core), dsp.FFT(nfft), dsp.iFFT(nfft))
