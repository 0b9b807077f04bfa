"""How a model was lowered, to lower it again when a training has moved some of its parameters.

In a training each call is much like the last: the same modules, wired and set up alike. A look at
their attributes tells so, and then only the leaves whose parameters have moved are lowered. Where
anything else has changed, or a value is wrong, the model is lowered as if for the first time.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import nn

from faustwire.graph import Leaf, Node, with_leaves
from faustwire.validation import check_values
from faustwire_publisher.lowering.deferred import Deferred, defer, using
from faustwire_publisher.lowering.entry import Lowered, lower, lower_with_remarks
from faustwire_publisher.lowering.lowered_leaves import LoweredLeaf, noted
from faustwire_publisher.lowering.registry import Rule, is_current
from faustwire_publisher.lowering.tensors import values

# After so many plans that did not hold until the next call, calls that need not wait don't wait for
# another one.
_MOST_PLANS = 8


class _Module(NamedTuple):
    """A module, and copies of its attributes and of its children, with their names."""

    module: nn.Module
    kind: type[nn.Module]
    attributes: Mapping[str, Any]
    children: list[tuple[str, nn.Module | None]]

    def is_as_it_was(self) -> bool:
        """Whether nothing was replaced, added or taken away."""
        attributes = vars(self.module)
        try:
            # What is the same object counts as equal, and is not looked into.
            return (
                type(self.module) is self.kind
                and attributes == self.attributes
                and [*attributes["_modules"].items()] == self.children
            )
        except Exception:  # noqa: BLE001 - tensors and arrays that are no longer the same
            return False


class ModelPlan:
    """A model, and the graph that it was lowered to.

    Attributes:
        model: the model.
    """

    def __init__(self, model: nn.Module, leaves: Sequence[LoweredLeaf], graph: Node) -> None:
        """Remember how the model is at present.

        Args:
            model: one that ``defer`` takes.
            leaves: what its leaves were lowered to.
            graph: what all of it was lowered to.
        """
        self.model = model
        self._leaves, self._graph = leaves, graph
        self._modules = [
            _Module(part, type(part), dict(vars(part)), [*part._modules.items()])  # noqa: SLF001
            for part in model.modules()
        ]
        # Those that may change what is computed; each stays the same object.
        self._hooks = [
            hooks
            for part in model.modules()
            for hooks in (part._forward_hooks, part._forward_pre_hooks)  # noqa: SLF001
        ]
        # Of those that nothing trains; they may be moved all the same.
        self._kept = {
            id(leaf.module): leaf.module.param.detach().clone()
            for leaf in leaves
            if not leaf.module.param.requires_grad and leaf.module.param.device.type == "cpu"
        }
        self._kept_bytes = {key: _bytes(parameter) for key, parameter in self._kept.items()}

    def holds(self) -> bool:
        """Whether the model is as it was, but for values of parameters."""
        return (
            not any(self._hooks)
            and all(part.is_as_it_was() for part in self._modules)
            and all(map(is_current, self._leaves))
        )

    def moved(self) -> Deferred:
        """The parameters that have moved, or may have, by the ``id`` of their leaf."""
        kept = self._kept_bytes
        return {
            id(module): module.param.detach()
            for module, _, _ in self._leaves
            if id(module) not in kept or kept[id(module)] != _bytes(module.param)
        }

    def lowered(self, moved: Deferred) -> Node:
        """Lower the model with some parameters of another moment.

        Args:
            moved: what ``moved`` returned at that moment, or copies of it.

        Returns:
            The graph, validated.

        Raises:
            NonFiniteError: as ``lower``.
            ModelError: as ``lower``.
        """
        try:
            with torch.inference_mode(False), torch.no_grad(), using(moved):
                fresh = {
                    id(node): _lowered_again(module, rule, node)
                    for module, rule, node in self._leaves
                    if id(module) in moved
                }
            graph = with_leaves(self._graph, fresh)
            check_values(graph, fresh.values())
        except Exception:  # noqa: BLE001 - whatever it is, this tells people where and what to do
            return lower(self.model, {**self._kept, **moved})
        return graph


class Lowerings:
    """Lowers one model again and again, by a plan where there is one."""

    def __init__(self, fs: float) -> None:
        """There is no plan yet.

        Args:
            fs: sampling rate in Hz of the signal that the program will process.
        """
        self._fs = fs
        self._plan: ModelPlan | None = None
        self._plans = 0

    def lower(self, model: Any) -> Lowered:
        """Convert a model as ``lower_with_remarks`` does.

        Args:
            model: as for ``lower``.

        Returns:
            The graph, and warnings.

        Raises:
            NonFiniteError: as ``lower``.
            ModelError: as ``lower``.
        """
        plan = self._plan_of(model)
        if plan is not None:
            return Lowered(plan.lowered(plan.moved()), ())
        with noted() as leaves:
            lowered = lower_with_remarks(model, self._fs)
        if not lowered.remarks and defer(model) is not None and all(map(is_current, leaves)):
            self._plan = ModelPlan(model, leaves, lowered.graph)
            self._plans += 1
        return lowered

    def defer(self, model: Any) -> Callable[[], Node] | None:
        """Copy what moves of a model, to lower it later as it is now.

        Args:
            model: as for ``lower``.

        Returns:
            What lowers it, on any thread; None: it has to be lowered at once.
        """
        plan = self._plan_of(model)
        if plan is not None:
            copies = {key: parameter.clone() for key, parameter in plan.moved().items()}
            return partial(plan.lowered, copies)
        deferred = None if self._plans < _MOST_PLANS else defer(model)
        return None if deferred is None else partial(lower, model, deferred)

    def forget(self) -> None:
        """Let go of the model."""
        self._plan = None

    def _plan_of(self, model: Any) -> ModelPlan | None:
        if self._plan is not None and not (self._plan.model is model and self._plan.holds()):
            self._plan = None
        return self._plan


def _bytes(parameter: torch.Tensor) -> bytes:
    """To be compared: a zero has a sign, and NaN is no number."""
    return values(parameter).tobytes()


def _lowered_again(module: Any, rule: Rule, before: Leaf) -> Leaf:
    """What a module is lowered to now.

    Raises:
        ValueError: it has another shape than before.
    """
    node = rule(module, before.name)
    if not isinstance(node, type(before)) or _shapes(node) != _shapes(before):
        raise ValueError(node)
    return node


def _shapes(leaf: Leaf) -> list[tuple[int, ...]]:
    return [value.shape for value in vars(leaf).values() if isinstance(value, np.ndarray)]
