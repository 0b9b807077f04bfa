"""What a FLAMO model sounds like, computed by FLAMO itself: the oracle for the lowering.

It shares nothing with the lowering. The model is turned into double precision and its own
``forward`` is evaluated with a transform of many points on a circle outside the unit circle
(FLAMO's ``alias_decay_db``), which damps what the transform folds back; undoing the damping in
double precision leaves the response to about -140 dB.
"""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import torch
from flamo.processor import dsp, system
from numpy.typing import NDArray
from torch import nn

Response = NDArray[np.float64]

# Folded back by 140 dB less, rounding errors (-310 dB) up by 140 dB at the last sample.
ALIAS_DECAY_DB = 140.0


def impulse_response(
    model: Any, samples: int, *, nfft: int | None = None, alias_decay_db: float = ALIAS_DECAY_DB
) -> Response:
    """The true impulse responses. The model is changed for good: lower it first.

    Args:
        model: a FLAMO module, container or Shell (of which the core is taken), or HomogeneousFDN.
        samples: how long, from the impulse on.
        nfft: points of the transform, at least ``samples``; by default twice ``samples`` or more.
        alias_decay_db: damping over ``nfft`` samples; 0 where a leaf can't be damped.

    Returns:
        [n_out, n_in, samples], float64.
    """
    core = _core(model)
    nfft = nfft or 1 << (2 * samples - 1).bit_length()
    _prepare(core, nfft, alias_decay_db)
    n_in = core.input_channels
    impulses = torch.eye(n_in, dtype=torch.complex128).expand(nfft // 2 + 1, n_in, n_in)
    with torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        # FLAMO's channels sit in dim 2; the batch is the impulse's channel.
        spectrum = core(impulses.permute(2, 0, 1).contiguous())
    damped = torch.fft.irfft(spectrum, n=nfft, dim=1)[:, :samples].numpy()
    rising = 10 ** (alias_decay_db / 20 / nfft * np.arange(samples))
    return np.ascontiguousarray((damped * rising[None, :, None]).transpose(2, 0, 1))


def frequency_response(model: Any, nfft: int) -> NDArray[np.complex128]:
    """H at the ``nfft // 2 + 1`` frequencies of a real transform: [bins, n_out, n_in].

    For fractional delays, whose ideal response has no beginning. The model is changed for good.
    """
    core = _core(model)
    _prepare(core, nfft, 0.0)
    n_in = core.input_channels
    impulses = torch.eye(n_in, dtype=torch.complex128).expand(nfft // 2 + 1, n_in, n_in)
    with torch.no_grad():
        spectrum = core(impulses.permute(2, 0, 1).contiguous())
    return np.ascontiguousarray(spectrum.permute(1, 2, 0).numpy())


def _core(model: Any) -> Any:
    model = getattr(model, "model", model)  # a HomogeneousFDN is no module
    if isinstance(model, system.Shell):
        return model.get_core()
    # A plain Sequential doesn't know its channels, FLAMO's own does.
    return system.Series(model) if type(model) is nn.Sequential else model


def _prepare(model: nn.Module, nfft: int, alias_decay_db: float) -> None:
    if model.dtype != torch.float64:
        # Not otherwise: it would also raise what FLAMO keeps in single precision (the centre
        # frequencies of an equaliser), and make another filter of it.
        model.double()
    for module in model.modules():
        if isinstance(module, dsp.DSP):
            module.set_nfft(nfft)
            module.set_alias_decay_db(alias_decay_db)
            # A leaf remembers its frequency response by its parameter's version alone.
            with torch.no_grad():
                module.param.add_(0)
        if isinstance(module, system.Recursion | system.Parallel | system.Series):
            module.set_nfft(nfft)
