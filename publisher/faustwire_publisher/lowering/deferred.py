"""Lowering later: only the parameters are copied now, and what FLAMO makes of them waits.

A training loop that does not wait for its verdict need not wait for a matrix exponential either.
That is exact where a model is made of leaves whose maps are FLAMO's own: those depend on nothing
but the parameter. A map of the user's may look at anything that the next step will change, so a
model with one is lowered at once.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from types import FunctionType
from typing import Any, TypeAlias

import torch
from flamo.processor import dsp, system
from torch import nn

Taken: TypeAlias = Mapping[int, torch.Tensor]
"""Copies of the parameters, by the id of the leaf."""

_LEAVES = {
    dsp.Gain,
    dsp.parallelGain,
    dsp.Matrix,
    dsp.HouseholderMatrix,
    dsp.Delay,
    dsp.parallelDelay,
    dsp.Filter,
    dsp.parallelFilter,
    dsp.SOSFilter,
    dsp.parallelSOSFilter,
}
_REST = {
    system.Series,
    system.Parallel,
    system.Recursion,
    system.Shell,
    nn.Sequential,
    nn.Identity,
    dsp.FFT,
    dsp.iFFT,
    dsp.FFTAntiAlias,
    dsp.iFFTAntiAlias,
}
_NOTHING: Taken = {}
_taken: ContextVar[Taken] = ContextVar("taken", default=_NOTHING)


def take(model: Any) -> Taken | None:
    """Copies of all parameters, or None if the model has to be lowered at once.

    A copy on another device is only asked for here: nothing waits for the device.
    """
    if not isinstance(model, nn.Module):
        return None
    taken = {}
    module: Any
    for module in model.modules():
        if type(module) in _LEAVES and _is_flamos(module.map):
            taken[id(module)] = module.param.detach().clone()
        elif type(module) not in _REST:
            return None
    return taken


def _is_flamos(function: object) -> bool:
    return isinstance(function, FunctionType) and function.__module__.startswith("flamo.")


@contextmanager
def using(taken: Taken) -> Iterator[None]:
    """In this block rules see the parameters as they were when they were taken."""
    for parameter in taken.values():
        if parameter.is_cuda:
            # The copies were made on the training's stream, this may be another thread's.
            torch.cuda.synchronize(parameter.device)
            break
    token = _taken.set(taken)
    try:
        yield
    finally:
        _taken.reset(token)


def parameter(leaf: Any) -> torch.Tensor:
    """The leaf's raw parameter, as it is or as it was taken."""
    raw: torch.Tensor | None = _taken.get().get(id(leaf))
    return leaf.param if raw is None else raw
