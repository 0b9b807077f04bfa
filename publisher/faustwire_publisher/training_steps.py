"""Calls after each step of an optimiser, and calls that ``torch.compile`` must leave alone."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any, ParamSpec, TypeVar

import torch
from torch.optim.optimizer import register_optimizer_step_post_hook

_P = ParamSpec("_P")
_T = TypeVar("_T")


def never_compiled(function: Callable[_P, _T], *args: _P.args, **kwargs: _P.kwargs) -> _T:
    """Call a function that ``torch.compile`` must leave alone, also in a compiled training step.

    What it reads are the parameters' values, of which a compiler that traces has none.
    ``torch.compiler.disable`` is asked for only then: it takes seconds to import.

    Args:
        function: what to call.
        *args: for it.
        **kwargs: for it.
    """
    if torch.compiler.is_compiling():
        disable: Any = torch.compiler.disable
        result: _T = disable(function)(*args, **kwargs)
        return result
    return function(*args, **kwargs)


@contextmanager
def after_steps(
    model: torch.nn.Module, optimizer: torch.optim.Optimizer | None, call: Callable[[], object]
) -> Iterator[None]:
    """Call a function after each step of the optimisers that train a model.

    Args:
        model: the model.
        optimizer: the only one to watch; None: every optimiser of this process that has a parameter
            of the model at the time of its step, also those that are made later.
        call: the function.
    """

    def after(stepped: torch.optim.Optimizer) -> None:
        if optimizer is not None or _trains(stepped, model):
            call()

    def hook(stepped: torch.optim.Optimizer, *_: Any) -> None:
        never_compiled(after, stepped)

    if optimizer is None:
        handle = register_optimizer_step_post_hook(hook)
    else:
        handle = optimizer.register_step_post_hook(hook)
    try:
        yield
    finally:
        handle.remove()


@contextmanager
def followed(
    model: torch.nn.Module,
    optimizer: torch.optim.Optimizer | None,
    update: Callable[[bool], object],
) -> Iterator[None]:
    """Call a function after each step that trains a model, and once at the end.

    Args:
        model: the model.
        optimizer: as in ``after_steps``.
        update: the function; it is told whether this is the end.
    """
    with after_steps(model, optimizer, lambda: update(False)):
        try:
            yield
        except BaseException:
            # What ended the training matters more than what the last update has to say.
            with suppress(Exception):
                update(True)
            raise
    update(True)


def _trains(optimizer: torch.optim.Optimizer, model: torch.nn.Module) -> bool:
    own = {id(parameter) for parameter in model.parameters()}
    return any(
        id(parameter) in own for group in optimizer.param_groups for parameter in group["params"]
    )
