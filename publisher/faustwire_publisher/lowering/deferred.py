"""Deferred lowering: the parameters are copied now, the maps are evaluated later.

A training loop that does not wait for its verdict need not wait for a matrix exponential either.
Deferring is exact for models whose leaves have FLAMO's own maps, which depend on nothing but the
parameter. A user's map may depend on anything that the next step changes, so a model that has one
is lowered at once.
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

Deferred: TypeAlias = Mapping[int, torch.Tensor]
"""Copies of the parameters at the time of the call, by the ``id`` of their leaf."""

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
_WITHOUT_PARAMETERS = {
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
_NOTHING: Deferred = {}
_current: ContextVar[Deferred] = ContextVar("deferred", default=_NOTHING)


def defer(model: Any) -> Deferred | None:
    """Copy a model's parameters, to lower it later as it is now.

    Copies on an accelerator are enqueued there; this does not wait for them.

    Args:
        model: what ``lower`` will be given.

    Returns:
        Copies for ``lower``; None where the model has to be lowered at once.
    """
    if not isinstance(model, nn.Module):
        return None
    copies = {}
    module: Any
    for module in model.modules():
        if type(module) in _LEAVES and _is_flamos(module.map) and not module._forward_pre_hooks:  # noqa: SLF001
            copies[id(module)] = module.param.detach().clone()
        elif type(module) not in _WITHOUT_PARAMETERS:
            return None
    return copies


def _is_flamos(function: object) -> bool:
    return isinstance(function, FunctionType) and function.__module__.startswith("flamo.")


@contextmanager
def using(deferred: Deferred) -> Iterator[None]:
    """Within this block, rules see the copied parameters.

    Args:
        deferred: what ``defer`` returned; empty: the parameters as they are.

    Yields:
        Nothing.
    """
    for parameter in deferred.values():
        if parameter.is_cuda:
            # The copies were made on the training's stream; this thread may use another one.
            torch.cuda.synchronize(parameter.device)
            break
    token = _current.set(deferred)
    try:
        yield
    finally:
        _current.reset(token)


def parameter(leaf: Any) -> torch.Tensor:
    """The leaf's raw parameter.

    Args:
        leaf: a FLAMO leaf.

    Returns:
        The copy that ``using`` provides, else ``leaf.param``; not mapped.
    """
    raw: torch.Tensor | None = _current.get().get(id(leaf))
    return leaf.param if raw is None else raw
