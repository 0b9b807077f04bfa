"""``dsp.Transform``: FLAMO's wrapper for any function of a signal, most often an analysis."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from flamo.processor import dsp
from numpy.typing import NDArray

from faustwire import graph
from faustwire_publisher.errors import RefusalError

# The default function of Transform().
_IDENTITY = dsp.Transform.__init__.__defaults__[0]


def transform(module: dsp.Transform, name: str, n_in: int | None) -> graph.Gain | None:
    """Lower a transform that only mixes channels.

    What a function does can only be found by applying it: first to one impulse a channel, then to
    noise, which the gains so found must predict in every bin.

    Args:
        module: the transform.
        name: its key.
        n_in: number of its input channels; None: not known.

    Returns:
        The mixing matrix [n_out, n_in]; None where it is the identity.

    Raises:
        RefusalError: it does anything else, which no program could play.
    """
    if module.transform is _IDENTITY:
        return None
    if n_in is None:
        raise RefusalError(
            "its number of input channels is not known, since no module precedes it; leave it out"
        )
    bins = n_in + 5
    impulses = np.eye(bins, n_in, dtype=np.complex128)
    draw = np.random.default_rng(bins).standard_normal
    noise = draw((bins, n_in)) + 1j * draw((bins, n_in))
    gains = _applied(module, impulses)[:n_in]
    if np.any(gains.imag != 0) or not np.isfinite(gains).all():
        raise _not_a_mix()
    if not np.allclose(_applied(module, noise), noise @ gains, rtol=1e-6, atol=1e-6):
        raise _not_a_mix()
    if np.array_equal(gains, np.eye(n_in)):
        return None
    return graph.Gain(name, gains.real.T)


def _applied(module: dsp.Transform, signal: NDArray[Any]) -> NDArray[Any]:
    """[bins, channels] in and out, as FLAMO has it with a batch of one."""
    try:
        result = module.transform(torch.from_numpy(signal)[None].to(module.device))
        applied: NDArray[Any] = result.numpy(force=True)
    except Exception as failure:
        raise _not_a_mix() from failure
    if applied.ndim != 3 or applied.shape[:2] != (1, len(signal)):
        raise _not_a_mix()
    mixed: NDArray[Any] = applied[0]
    return mixed


def _not_a_mix() -> RefusalError:
    return RefusalError(
        "this transform is not linear and time-invariant, or not just a mix of channels: "
        "remove it from the model that is published, or make it a module with a rule "
        "(docs/models.md, Modules of your own)"
    )
