"""A safety net: a model's own response, at a few frequencies, against that of its graph.

Rules know what types of modules compute. Whatever changes that in a way that nobody thought of
shows in the response. One pass through the leaves, for each structure of a model.
"""

from __future__ import annotations

import warnings
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
import torch
from flamo.auxiliary.velvet import VelvetNoiseFilter
from flamo.processor import dsp, system
from torch import nn

from faustwire import graph
from faustwire.graph import Node, channels
from faustwire_publisher.lowering.own_response import OwnResponse
from faustwire_publisher.lowering.transfer import transfer

# Half of the frequencies must agree to a twentieth: float32 loops near the unit circle reach a
# hundredth, a hook that halves a signal is off by a half.
_TOLERANCE = 0.05
_FREQUENCIES = 9
# Of bins times channels.
_MOST_VALUES = 2**23
# These draw noise, run an optimiser for seconds, or leave the frequency domain.
_NOT_TRIED = (
    *(VelvetNoiseFilter, dsp.AccurateGEQ, dsp.parallelAccurateGEQ, dsp.Transform),
    *(dsp.FFT, dsp.iFFT, dsp.FFTAntiAlias, dsp.iFFTAntiAlias),
)

_CHECKED: WeakKeyDictionary[nn.Module, tuple[Any, ...]] = WeakKeyDictionary()


def response_remark(model: Any, lowered: Node) -> str | None:
    """Compare a model's response with that of its graph, once for each structure of the model.

    Args:
        model: what was lowered.
        lowered: its graph.

    Returns:
        A warning if they differ; None if they agree, were compared before, or can't be compared.
    """
    core, node = model, lowered
    if isinstance(model, system.Shell) and isinstance(lowered, graph.Series):
        core = model.get_core()
        node = next((part for part in lowered.nodes if part.name == "core"), lowered)
    if not isinstance(core, nn.Module):
        return None
    structure = _structure(core)
    if _CHECKED.get(core) == structure:
        return None
    _CHECKED[core] = structure
    try:
        off = _deviation(core, node)
    except Exception:  # noqa: BLE001 - what can't be run like this can't be compared
        return None
    if off is None or off <= _TOLERANCE:
        return None
    return (
        f"its own response differs from what is published by {100 * off:.0f} %: something in it "
        "computes what its type and parameters don't tell; publish the module that does, with a "
        "rule (docs/models.md, Modules of your own)"
    )


def _structure(core: nn.Module) -> tuple[Any, ...]:
    return tuple((path, type(part)) for path, part in core.named_modules())


def _deviation(core: nn.Module, node: Node) -> float | None:
    """The median relative deviation; None where the model can't be run like this."""
    nfft, first = getattr(core, "nfft", None), next(core.parameters(), None)
    n_in, n_out = channels(node)
    if not isinstance(nfft, int) or first is None or nfft * max(n_in, n_out) > _MOST_VALUES:
        return None
    if any(isinstance(part, _NOT_TRIED) for part in core.modules()) or _longest_fir(node) > nfft:
        return None
    signs = np.where(np.arange(n_in) % 3 == 1, -1.0, 1.0) / np.sqrt(np.arange(1, n_in + 1))
    at = np.unique(np.geomspace(1, nfft // 2 - 1, _FREQUENCIES).astype(np.int64))
    damping: Any = next((part.gamma for part in core.modules() if hasattr(part, "gamma")), 1.0)
    delay: Any = float(damping) * np.exp(-2j * np.pi * at / nfft)
    signal = np.tile(signs.astype(np.complex128), (len(at), 1))
    with torch.random.fork_rng(devices=[]), warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")
        own = OwnResponse(core, at, delay).of(core, node, signal)
    expected = transfer(node, delay) @ signs
    scale = np.maximum(np.linalg.norm(expected, axis=1), np.linalg.norm(own, axis=1))
    off = np.linalg.norm(own - expected, axis=1)
    return float(np.median(off / np.where(scale > 0, scale, 1.0)))


def _longest_fir(node: Node) -> int:
    firs = (len(leaf.taps) for leaf in graph.leaves(node) if isinstance(leaf, graph.FIR))
    return max(firs, default=0)
