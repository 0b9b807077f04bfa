"""Finite impulse responses."""

from __future__ import annotations

import inspect

import numpy as np
from flamo.auxiliary.velvet import VelvetNoiseFilter
from flamo.processor import dsp

from faustwire import graph
from faustwire_publisher.errors import RefusalError
from faustwire_publisher.lowering.deferred import parameter
from faustwire_publisher.lowering.registry import lowers
from faustwire_publisher.lowering.tensors import values


@lowers(dsp.Filter, dsp.parallelFilter)
def fir(leaf: dsp.Filter, name: str) -> graph.FIR:
    """``leaf.map(leaf.param)``: [taps, n_out, n_in] or [taps, n].

    All of them: that FLAMO's transform cuts what is longer than ``nfft`` is its way of computing.
    """
    return graph.FIR(name, values(leaf.map(parameter(leaf))))


@lowers(dsp.ScatteringMatrix, dsp.VelvetNoiseMatrix)
def scattering(leaf: dsp.ScatteringMatrix, name: str) -> graph.FIR:
    """Mixing matrices with delays between, multiplied out: [taps, n, n].

    The delays were drawn when the leaf was made; ``map_filter`` keeps them.
    """
    return graph.FIR(name, values(leaf.map_filter(leaf.map(parameter(leaf)))))


@lowers(VelvetNoiseFilter)
def velvet_noise(leaf: VelvetNoiseFilter, name: str) -> graph.FIR:
    """The noise that the leaf computed with last: [taps, n_out, n_in].

    Its map draws new noise at each call, and FLAMO keeps what it drew in the memo of the frequency
    response alone. So the memo is read and never asked: asking might draw.
    """
    memo = inspect.getclosurevars(leaf.freq_response).nonlocals["cache"]
    if "value" not in memo:
        raise RefusalError("it has not drawn its noise yet: run the model once before publishing")
    bins = memo["value"].numpy(force=True)
    if bins.shape[0] != leaf.nfft // 2 + 1:
        raise RefusalError("nfft has changed since it drew its noise: run the model once again")
    damped = np.fft.irfft(bins, n=leaf.nfft, axis=0)[: leaf.size[0]]
    damping = values(leaf.gamma).astype(np.float64) ** np.arange(len(damped))
    taps = damped / damping[:, None, None]
    pulses = np.rint(taps)  # -1, 0 or 1 each
    if np.abs(taps - pulses).max() > 0.1:
        raise RefusalError("its noise can't be told from FLAMO's damping: lower alias_decay_db")
    return graph.FIR(name, pulses)
