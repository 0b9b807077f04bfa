"""What sits on one instance of a module and changes what it computes: hooks, replaced methods.

A rule knows what a type of module computes. Hooks of torch's own that compute a parameter before
each call (pruning, weight norm, spectral norm) are evaluated; everything else is refused, since
nothing tells what it does.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any
from weakref import WeakKeyDictionary

import torch
from torch import nn
from torch.nn.utils.prune import BasePruningMethod
from torch.nn.utils.spectral_norm import SpectralNorm
from torch.nn.utils.weight_norm import WeightNorm

from faustwire_publisher.errors import RefusalError

# FLAMO sets these on each instance.
_COMPUTATIONS = frozenset({"fft", "freq_convolve", "freq_response", "ifft", "ir"})
# Each publish asks for the same types, each with some hundred names. Weak: notebooks define classes
# again and again.
_METHODS: WeakKeyDictionary[type, frozenset[str]] = WeakKeyDictionary()
_LIBRARIES = ("flamo.", "torch.")


def check_overrides(module: nn.Module) -> None:
    """Refuse a module whose computation was changed on the instance.

    Args:
        module: one whose rule is this package's own.

    Raises:
        RefusalError: it has a forward hook, a pre-hook of unknown effect, or a replaced method.
    """
    hooks: Any
    for hooks in (module._forward_hooks, module._forward_pre_hooks):  # noqa: SLF001
        for hook in hooks.values():
            if hooks is module._forward_hooks or not _is_evaluated(hook):  # noqa: SLF001
                raise RefusalError(
                    f"a hook on it ({_name(hook)}) may change what it computes, and is not part "
                    "of what is published; remove the hook, or express what it does as a module"
                )
    kind, attributes = type(module), vars(module)
    for name in attributes.keys() & _computations(kind):
        value = attributes[name]
        if not _is_from_libraries(value):
            raise RefusalError(
                f"{name} was replaced on this instance ({_name(value)}), so its response is not "
                f"that of a {kind.__name__}; make a class of it and register a rule "
                "(docs/models.md, Modules of your own)"
            )


def _computations(kind: type) -> frozenset[str]:
    """Names whose replacement on an instance changes what it computes."""
    found = _METHODS.get(kind)
    if found is None:
        methods = {name for name in dir(kind) if callable(getattr(kind, name, None))}
        found = _METHODS[kind] = _COMPUTATIONS | methods
    return found


@contextmanager
def evaluated_parameters(module: nn.Module) -> Iterator[None]:
    """Within this block, parameters that torch's hooks compute have their present values.

    Outside of it they are those of the last call of the module, one optimiser step behind.

    Args:
        module: one that ``check_overrides`` accepts.

    Yields:
        Nothing.
    """
    attributes = vars(module)
    before: dict[str, Any] = {}
    try:
        for hook in module._forward_pre_hooks.values():  # noqa: SLF001
            if _is_evaluated(hook):
                name, value = _evaluated(hook, module)
                before.setdefault(name, attributes.get(name))
                attributes[name] = value
        yield
    finally:
        attributes.update(before)


def _is_evaluated(hook: object) -> bool:
    return isinstance(hook, (BasePruningMethod, SpectralNorm, WeightNorm))


def _evaluated(hook: Any, module: nn.Module) -> tuple[str, torch.Tensor]:
    """The name and the value of the parameter that a hook of torch's computes."""
    if isinstance(hook, BasePruningMethod):
        return hook._tensor_name, hook.apply_mask(module)  # type: ignore[no-untyped-call] # noqa: SLF001
    if isinstance(hook, SpectralNorm):
        # As in evaluation: a power iteration would change the module's buffers.
        return hook.name, hook.compute_weight(module, do_power_iteration=False)
    return hook.name, hook.compute_weight(module)


def _is_from_libraries(value: Any) -> bool:
    """Whether a function was defined by FLAMO or torch, which set some on each instance."""
    if isinstance(value, nn.Module):
        return True  # a part of the module, with hooks of its own
    memoized = getattr(value, "__qualname__", "").endswith(
        "_memoize_freq_response.<locals>.memoized"
    )
    if memoized:  # FLAMO wraps whatever is assigned to freq_response
        cells = dict(zip(value.__code__.co_freevars, value.__closure__, strict=True))
        value = cells["fn"].cell_contents
    if isinstance(value, partial) or not callable(value):
        return not callable(value)
    return str(getattr(value, "__module__", "")).startswith(_LIBRARIES)


def _name(function: Any) -> str:
    return str(getattr(function, "__qualname__", type(function).__name__))
