"""Delays, plain and with a gain on each."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from flamo.processor import dsp
from numpy.typing import NDArray

from faustwire import graph
from faustwire_publisher.lowering.deferred import parameter
from faustwire_publisher.lowering.registry import lowers
from faustwire_publisher.lowering.tensors import values


@lowers(dsp.Delay, dsp.parallelDelay)
def delay(leaf: dsp.Delay, name: str) -> graph.Delay:
    """Samples per channel [n] or per entry [n_out, n_in]; the leaf's own fs and unit apply."""
    return graph.Delay(name, _samples(leaf, leaf.s2sample(leaf.map(parameter(leaf)))))


@lowers(dsp.GainDelay, dsp.parallelGainDelay)
def gain_delay(leaf: dsp.GainDelay, name: str) -> graph.Delay:
    """Gains in ``param[0]``, delays in ``param[1]``, each with a map of its own."""
    gains, delays = leaf.param
    samples = _samples(leaf, leaf.s2sample(leaf.map_delay(delays)))
    gains = values(leaf.map_gain(gains))
    return graph.Delay(name, samples, np.broadcast_to(gains, samples.shape))


def _samples(leaf: Any, delays: torch.Tensor) -> NDArray[Any]:
    """Rounded where the leaf rounds, and where it is only its precision that misses a whole.

    A parameter holds seconds, so 593 samples come back as 592.99997 in single precision: two
    roundings on the way in, two on the way out, half a unit in the last place each. Such a delay
    is meant to be whole; as a fractional one it would cost an interpolator and gain nothing.
    """
    samples = values(delays)
    whole: NDArray[Any] = np.rint(samples)  # halves to even, as torch rounds
    if leaf.isint:
        return whole
    tolerance = 2 * np.finfo(samples.dtype).eps * np.abs(samples) + 1e-6
    return np.where(np.abs(samples - whole) <= tolerance, whole, samples)
