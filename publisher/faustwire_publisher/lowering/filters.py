"""Finite impulse responses."""

from __future__ import annotations

import inspect

import numpy as np
import torch
from flamo.auxiliary.scattering import ScatteringMapping
from flamo.auxiliary.velvet import VelvetNoiseFilter
from flamo.processor import dsp

from faustwire import graph
from faustwire_publisher.errors import RefusalError
from faustwire_publisher.lowering.batch import single
from faustwire_publisher.lowering.deferred import parameter
from faustwire_publisher.lowering.registry import lowers
from faustwire_publisher.lowering.tensors import values


@lowers(dsp.Filter, dsp.parallelFilter)
def fir(leaf: dsp.Filter, name: str) -> graph.FIR:
    """``leaf.map(leaf.param)``: [taps, n_out, n_in] or [taps, n].

    All of them, also those beyond ``nfft``, which FLAMO's transform cuts off.

    Args:
        leaf: the module; its map gives the taps.
        name: its key in the module that holds it.

    Returns:
        The taps, of the same shape.
    """
    return graph.FIR(name, single(leaf, values(leaf.map(parameter(leaf))), 3))


@lowers(dsp.ScatteringMatrix, dsp.VelvetNoiseMatrix)
def scattering(leaf: dsp.ScatteringMatrix, name: str) -> graph.Node:
    """Lower a scattering matrix as the cascade that it is: delays and mixing matrices in turn.

    U(z) = D_L(z) · U_K · D_K(z) ⋯ U_1 · D_1(z) · U_0 · D_R(z), where the columns of U_1 … U_K decay
    by ``gain_per_sample``. Multiplied out it would have n² impulse responses, each as long as all
    delays together. The delays were drawn when the leaf was made; ``map_filter`` keeps them.

    Args:
        leaf: the module; its map gives the matrices, [stages + 1, n, n].
        name: its key in the module that holds it.

    Returns:
        A Series, or an FIR, [taps, n, n], where ``map_filter`` is not FLAMO's own mapping.

    Source:
        S. J. Schlecht and E. A. P. Habets, "Scattering in feedback delay networks", IEEE/ACM
        Transactions on Audio, Speech, and Language Processing 28, 2020.
    """
    mapping = leaf.map_filter
    matrices = single(leaf, leaf.map(parameter(leaf)), 3)
    if type(mapping) is not ScatteringMapping or "forward" in vars(mapping):
        return graph.FIR(name, values(mapping(matrices)))
    decays = mapping.gain_per_sample**mapping.shifts
    nodes = [*_shifts("right", mapping.m_R), graph.Gain("mix0", values(matrices[0]))]
    for stage, (matrix, shifts, decay) in enumerate(
        zip(matrices[1:], mapping.shifts, decays, strict=True), start=1
    ):
        mixing = values(matrix) * values(decay.to(matrix.dtype))
        nodes += [*_shifts(f"shift{stage}", shifts), graph.Gain(f"mix{stage}", mixing)]
    return graph.Series(name, (*nodes, *_shifts("left", mapping.m_L)))


def _shifts(name: str, shifts: torch.Tensor) -> list[graph.Node]:
    """Delays of whole samples, one a channel; FLAMO drops what is behind the point."""
    samples = np.trunc(values(shifts).astype(np.float64))
    return [graph.Delay(name, samples)] if samples.any() else []


@lowers(VelvetNoiseFilter)
def velvet_noise(leaf: VelvetNoiseFilter, name: str) -> graph.FIR:
    """The noise that the leaf used last: [taps, n_out, n_in].

    Its map draws new noise at each call, and FLAMO keeps the noise in the cache of the frequency
    response only. The cache is read here without calling the function, which might draw again.

    Args:
        leaf: the module, after a run of the model.
        name: its key in the module that holds it.

    Returns:
        The pulses, each -1, 0 or 1.

    Raises:
        RefusalError: it has not been run since it was made or since ``nfft`` changed, or its
            anti-aliasing damps so much that the pulses are lost.
    """
    memo = inspect.getclosurevars(leaf.freq_response).nonlocals["cache"]
    if "value" not in memo:
        raise RefusalError("it has not drawn its noise yet; run the model once before publishing")
    bins = memo["value"].numpy(force=True)
    if bins.shape[0] != leaf.nfft // 2 + 1:
        raise RefusalError("nfft has changed since it drew its noise; run the model once more")
    damped = np.fft.irfft(bins, n=leaf.nfft, axis=0)[: leaf.size[0]]
    damping = values(leaf.gamma).astype(np.float64) ** np.arange(len(damped))
    taps = damped / damping[:, None, None]
    pulses = np.rint(taps)  # -1, 0 or 1 each
    if np.abs(taps - pulses).max() > 0.1:
        raise RefusalError(
            "its pulses can't be recovered from FLAMO's damping; lower alias_decay_db"
        )
    return graph.FIR(name, pulses)
