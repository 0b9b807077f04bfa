"""Delays, without and with gains."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from flamo.processor import dsp
from numpy.typing import NDArray

from faustwire import graph
from faustwire_publisher.lowering.batch import single
from faustwire_publisher.lowering.deferred import parameter
from faustwire_publisher.lowering.registry import lowers
from faustwire_publisher.lowering.tensors import values


@lowers(dsp.Delay, dsp.parallelDelay)
def delay(leaf: dsp.Delay, name: str) -> graph.Delay:
    """Samples for each channel [n] or entry [n_out, n_in], by the leaf's own fs and unit.

    Args:
        leaf: the module; its map gives times in the leaf's unit, [n] or [n_out, n_in].
        name: its key in the module that holds it.

    Returns:
        Delays in samples, of the same shape; all whole where the leaf has ``isint``.
    """
    raw = parameter(leaf)
    return graph.Delay(name, _samples(leaf, leaf.s2sample(leaf.map(raw)), raw))


@lowers(dsp.GainDelay, dsp.parallelGainDelay)
def gain_delay(leaf: dsp.GainDelay, name: str) -> graph.Delay:
    """Gains are ``param[0]``, delays ``param[1]``; each has its own map.

    Args:
        leaf: the module; ``map_gain`` gives linear gains, ``map_delay`` times in the leaf's unit,
            [n] or [n_out, n_in] each.
        name: its key in the module that holds it.

    Returns:
        Delays in samples with their gains, of the same shape; all whole where the leaf has
        ``isint``.
    """
    gains, delays = single(leaf, leaf.param, 3)
    samples = _samples(leaf, leaf.s2sample(leaf.map_delay(delays)), delays)
    gains = values(leaf.map_gain(gains))
    return graph.Delay(name, samples, np.broadcast_to(gains, samples.shape))


def _samples(leaf: Any, delays: torch.Tensor, raw: torch.Tensor) -> NDArray[Any]:
    """Round where the leaf rounds, and where only the parameter's precision misses a whole number.

    A parameter holds seconds, so 593 samples become 592.99997 in single precision: two roundings
    from samples to seconds, two back, half a unit in the last place each. Such a delay is meant to
    be whole; as a fractional one it would cost an interpolator for nothing. A parameter of double
    precision may have been computed in single: ``sample2s`` of integers does so.
    """
    samples = single(leaf, values(delays), 2)
    whole: NDArray[Any] = np.rint(samples)  # halves to even, as torch rounds
    if leaf.isint:
        return whole
    precision = np.finfo(_precision(values(raw))).eps
    tolerance = 2 * precision * np.abs(samples) + 1e-6
    return np.where(np.abs(samples - whole) <= tolerance, whole, samples)


def _precision(raw: NDArray[Any]) -> Any:
    """The precision that a parameter was computed in."""
    return np.float32 if np.array_equal(raw, raw.astype(np.float32)) else raw.dtype
