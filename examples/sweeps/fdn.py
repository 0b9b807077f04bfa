"""A small feedback delay network and what it is to learn: the answers of another one."""

from __future__ import annotations

from collections import OrderedDict

import torch
from flamo.processor import dsp, system

FS = 48_000
NFFT = 2**13
_DELAYS_SAMPLES = (331, 397, 433, 499)


def build(seed: int) -> system.Shell:
    """One input, one output, four lines; its gains and the mixing in its loop are trained."""
    torch.manual_seed(seed)
    lines = len(_DELAYS_SAMPLES)
    common = {"nfft": NFFT, "device": "cpu"}
    # FLAMO counts delays in hundredths of a second by default.
    delays = dsp.parallelDelay(size=(lines,), max_len=500, isint=True, unit=1, fs=FS, **common)
    delays.assign_value(delays.sample2s(torch.tensor(_DELAYS_SAMPLES, dtype=torch.float32)))
    absorption = dsp.parallelGain(size=(lines,), **common)
    absorption.assign_value(torch.full((lines,), 0.8))
    mixing = dsp.Matrix(size=(lines, lines), matrix_type="orthogonal", requires_grad=True, **common)
    core = OrderedDict(
        input=dsp.Gain(size=(lines, 1), requires_grad=True, **common),
        loop=system.Recursion(
            fF=delays, fB=system.Series(OrderedDict(mixing=mixing, absorption=absorption))
        ),
        output=dsp.Gain(size=(1, lines), requires_grad=True, **common),
    )
    return system.Shell(system.Series(core), dsp.FFT(NFFT), dsp.iFFT(NFFT))


def loss(answer: torch.Tensor, wanted: torch.Tensor) -> torch.Tensor:
    """How far apart two signals' spectra are, whatever their phases."""
    heard, meant = (torch.fft.rfft(signal, dim=1).abs() for signal in (answer, wanted))
    distance: torch.Tensor = (heard - meant).square().mean() / meant.square().mean()
    return distance
