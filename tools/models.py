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


def fdn(lines: int = 4, *, nfft: int = 2048, attenuation: float = 0.7) -> Any:
    """A FLAMO FDN with attenuation in its loop; its delays are made as adac understands them."""
    options: dict[str, Any] = {"nfft": nfft, "device": "cpu"}
    delays = dsp.parallelDelay(size=(lines,), max_len=500, isint=True, unit=1, **options)
    absorption = dsp.parallelGain(size=(lines,), **options)
    absorption.assign_value(torch.full((lines,), attenuation))
    feedback = OrderedDict(
        attenuation=absorption,
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


class FlatTraining:
    """Trains a model towards a flat magnitude response, with Adam."""

    def __init__(self, model: Any, *, nfft: int = 2048) -> None:
        self._model = model
        self._optimizer = torch.optim.Adam(model.parameters())
        self._impulse = torch.zeros(1, nfft, 1)
        self._impulse[0, 0] = 1.0

    def step(self, size: float = 1e-3) -> torch.Tensor:
        """Make one step of a size; returns the loss before it."""
        for group in self._optimizer.param_groups:
            group["lr"] = size
        spectrum = abs(torch.fft.rfft(self._model(self._impulse), dim=1))
        loss = torch.nn.functional.mse_loss(spectrum, torch.ones_like(spectrum))
        self._optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]  # torch annotates it not
        self._optimizer.step()
        return loss
