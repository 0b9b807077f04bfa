"""A safety net: a model's own response, at a few frequencies, against that of its graph.

Rules know what types of modules compute. Whatever changes that in a way that nobody thought of
shows in the response. One forward pass for each structure of a model.
"""

from __future__ import annotations

import warnings
from typing import Any, TypeAlias
from weakref import WeakKeyDictionary

import numpy as np
import torch
from flamo.auxiliary.velvet import VelvetNoiseFilter
from flamo.processor import dsp, system
from numpy.typing import NDArray
from torch import nn

from faustwire import graph
from faustwire.graph import Node, channels

Response: TypeAlias = NDArray[np.complex128]
"""[frequencies, n_out, n_in]."""

# Half of the frequencies must agree to a twentieth: float32 loops near the unit circle reach a
# hundredth, a hook that halves a signal is off by a half.
_TOLERANCE = 0.05
_FREQUENCIES = 9
# Of bins times channels: a forward pass takes a few times as long as one of the training.
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
    dtype = torch.complex128 if first.dtype == torch.float64 else torch.complex64
    bins = nfft // 2 + 1
    signal = torch.as_tensor(signs, device=first.device).to(dtype).expand(1, bins, n_in)
    with torch.random.fork_rng(devices=[]), warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")
        response = core(signal)[0]
    at = np.unique(np.geomspace(1, bins - 2, _FREQUENCIES).astype(int))
    own = response[torch.as_tensor(at, device=response.device)].numpy(force=True)
    damping: Any = next((part.gamma for part in core.modules() if hasattr(part, "gamma")), 1.0)
    delay: Any = float(damping) * np.exp(-2j * np.pi * at / nfft)
    expected = transfer(node, delay) @ signs
    scale = np.maximum(np.linalg.norm(expected, axis=1), np.linalg.norm(own, axis=1))
    off = np.linalg.norm(own - expected, axis=1)
    return float(np.median(off / np.where(scale > 0, scale, 1.0)))


def _longest_fir(node: Node) -> int:
    match node:
        case graph.FIR():
            return len(node.taps)
        case graph.Series() | graph.Parallel():
            return max(map(_longest_fir, node.nodes), default=0)
        case graph.Recursion():
            return max(_longest_fir(node.forward), _longest_fir(node.feedback))
    return 0


def transfer(node: Node, delay: Response) -> Response:
    """The transfer matrices of a graph.

    Args:
        node: the graph.
        delay: z⁻¹, the transfer function of one sample of delay, [frequencies].

    Returns:
        [frequencies, n_out, n_in].
    """
    match node:
        case graph.Series():
            result = transfer(node.nodes[0], delay)
            for part in node.nodes[1:]:
                result = transfer(part, delay) @ result
            return result
        case graph.Parallel():
            branches = [transfer(branch, delay) for branch in node.nodes]
            return sum(branches[1:], branches[0]) if node.join == "sum" else np.hstack(branches)
        case graph.Recursion():
            forward, back = transfer(node.forward, delay), transfer(node.feedback, delay)
            loop = forward @ back
            solved: Any = np.linalg.solve(np.eye(loop.shape[-1]) - loop, forward)
            return np.asarray(solved, dtype=np.complex128)
    return _leaf(node, delay)


def _leaf(node: graph.Leaf, delay: Response) -> Response:
    entries: Any
    match node:
        case graph.Gain():
            entries = np.broadcast_to(node.matrix, (len(delay), *node.matrix.shape))
        case graph.DiagonalGain():
            entries = np.broadcast_to(node.gains, (len(delay), *node.gains.shape))
        case graph.Householder():
            mirror = np.eye(len(node.vector)) - 2 * np.outer(node.vector, node.vector)
            entries = np.broadcast_to(mirror, (len(delay), *mirror.shape))
        case graph.Delay():
            late = np.power.outer(delay, node.samples)
            entries = late if node.gains is None else late * node.gains
        case graph.FIR():
            powers = np.power.outer(delay, np.arange(len(node.taps)))
            entries = np.tensordot(powers, node.taps, 1)
        case graph.SOS():
            powers = np.power.outer(delay, np.arange(3))
            b, a = (
                np.tensordot(powers, node.sections[:, part].swapaxes(0, 1), 1)
                for part in (slice(3), slice(3, 6))
            )
            entries = np.prod(b / a, axis=1)
    return _matrices(entries.astype(np.complex128))


def _matrices(entries: Response) -> Response:
    """[frequencies, n] on the diagonal; [frequencies, n_out, n_in] as they are."""
    if entries.ndim == 3:
        return entries
    return entries[:, :, None] * np.eye(entries.shape[1])
