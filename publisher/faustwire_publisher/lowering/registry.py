"""The rules: one table from the exact type of a module to the function that lowers it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias, TypeVar

from faustwire.errors import GraphError
from faustwire.graph import Node
from faustwire_publisher.errors import ModelError, RefusalError

Rule: TypeAlias = Callable[[Any, str], Node | None]
"""(module, its key) → its node; None where the module passes its input on unchanged."""

AnyRule = TypeVar("AnyRule", bound=Rule)

_RULES: dict[type, Rule] = {}
# By "module.Class": importing these types would load packages that a training may not use.
_NAMED: dict[str, Rule] = {}


def lowers(*kinds: type | str) -> Callable[[AnyRule], AnyRule]:
    """Register the decorated function as the rule for these types of modules.

    Args:
        kinds: types, or their full names ("package.module.Class"). A later entry for the same
            type replaces the earlier one.

    Returns:
        A decorator that leaves the function as it is.
    """

    def register(rule: AnyRule) -> AnyRule:
        for kind in kinds:
            if isinstance(kind, str):
                _NAMED[kind] = rule
            else:
                _RULES[kind] = rule
        return rule

    return register


def rule_of(kind: type) -> Rule:
    """Find the rule of a type, to register it for a subclass: ``lowers(Mine)(rule_of(Gain))``.

    Args:
        kind: a module type, matched exactly.

    Returns:
        The function that lowers it.

    Raises:
        KeyError: no rule is registered for the type.
    """
    rule = _RULES.get(kind) or _by_name(kind)
    if rule is None:
        raise KeyError(f"no rule for {kind.__qualname__}")
    return rule


def lower_child(module: Any, name: str) -> Node | None:
    """Lower one module by the rule of its type.

    Args:
        module: what to lower.
        name: its key in its parent; becomes the node's name.

    Returns:
        The node, or None where the module passes its input on unchanged.

    Raises:
        ModelError: there is no rule, or it refuses the module; the path starts with ``name``.
    """
    kind = type(module)
    rule = _RULES.get(kind) or _by_name(kind)
    if rule is None:
        raise ModelError(name, _unknown(kind))
    try:
        return rule(module, name)
    except GraphError as below:
        raise type(below)(f"{name}.{below.path}", below.problem) from below.__cause__
    except RefusalError as refusal:
        raise ModelError(name, str(refusal)) from None
    except Exception as failure:
        problem = f"{kind.__name__} can't be evaluated ({type(failure).__name__}: {failure})"
        raise ModelError(name, problem) from failure


def _by_name(kind: type) -> Rule | None:
    rule = _NAMED.get(f"{kind.__module__}.{kind.__qualname__}")
    if rule is not None:
        _RULES[kind] = rule
    return rule


def _unknown(kind: type) -> str:
    name = kind.__name__
    register = f"register a function for it with @faustwire_publisher.lowering.lowers({name})"
    known = next((base for base in kind.__mro__[1:] if base in _RULES or _by_name(base)), None)
    if known is None:
        full = f"{kind.__module__}.{kind.__qualname__}"
        return f"don't know what a {full} does to the signal; {register}"
    return (
        f"{name} is a subclass of {known.__name__} and may have changed what that does; "
        f"{register}, or lowers({name})(rule_of({known.__name__})) if it hasn't"
    )
