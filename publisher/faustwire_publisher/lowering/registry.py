"""The rules: one table from the exact type of a module to the function that lowers it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias, TypeVar

from torch import nn

from faustwire.errors import GraphError
from faustwire.graph import Node, Parallel, Recursion, Series, channels
from faustwire_publisher.errors import ModelError, RefusalError
from faustwire_publisher.lowering import remarks
from faustwire_publisher.lowering.finite import check_values
from faustwire_publisher.lowering.lowered_leaves import LoweredLeaf, note
from faustwire_publisher.lowering.overrides import check_overrides, evaluated_parameters

Rule: TypeAlias = Callable[[Any, str], Node | None]
"""(module, its key) → its node; None where the module passes its input on unchanged."""

AnyRule = TypeVar("AnyRule", bound=Rule)

_RULES: dict[type, Rule] = {}
# By "module.Class": importing these types would load packages that a training may not use.
_NAMED: dict[str, Rule] = {}

# Rules of wrappers, which are made by replacing methods of theirs.
_LOOK_THROUGH: set[Rule] = set()

# What a subclass may define without changing what it computes. Attributes that it sets in __init__
# are looked at on each instance.
_HARMLESS = frozenset(
    {
        *("__abstractmethods__", "__annotate__", "__annotate_func__", "__annotations__"),
        *("__annotations_cache__", "__classcell__", "__dict__", "__doc__", "__firstlineno__"),
        *("__init__", "__module__", "__orig_bases__", "__parameters__", "__qualname__"),
        *("__repr__", "__static_attributes__", "__str__", "__weakref__", "_abc_impl"),
        *("extra_repr", "init_param"),
    }
)
# Where programs keep the FLAMO model that another object trains.
_USUAL_KEYS = ("shell", "model", "fdn", "core", "net", "network", "module")


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


def looks_through(rule: AnyRule) -> AnyRule:
    """Mark the rule of a wrapper: hooks and methods of the wrapper's own are not checked."""
    _LOOK_THROUGH.add(rule)
    return rule


def is_current(leaf: LoweredLeaf) -> bool:
    """Whether a leaf's module would be lowered by the same rule again, one of this package's."""
    return _RULES.get(type(leaf.module)) is leaf.rule and _is_ours(leaf.rule)


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
    kind = kind_of(module)
    rule = _rule(kind)
    if rule is None:
        held = _held(module)
        if held is None or not _computes_nothing(kind):
            raise ModelError(name, _unknown(kind, held))
        rule = _holder(held)
    try:
        return _lowered(module, name, rule)
    except GraphError as below:
        path = f"{name}.{below.path}".rstrip(".")
        raise type(below)(path, below.problem) from below.__cause__
    except RefusalError as refusal:
        raise ModelError(name, str(refusal)) from None
    except Exception as failure:
        problem = f"{kind.__name__} can't be evaluated ({type(failure).__name__}: {failure})"
        raise ModelError(name, problem) from failure


def kind_of(module: Any) -> type:
    """The type whose rule lowers a module.

    Args:
        module: any object.

    Returns:
        Its type; of a module with parametrizations, the type that it had before torch derived one
        with a property for each parametrized parameter.
    """
    kind = type(module)
    return kind.__mro__[1] if "parametrizations" in getattr(module, "_modules", {}) else kind


def _lowered(module: Any, name: str, rule: Rule) -> Node | None:
    with remarks.within(name):
        remarks.check_rate(module)
        if not hasattr(module, "_forward_hooks"):  # not a torch module: HomogeneousFDN
            return rule(module, name)
        if _is_ours(rule) and rule not in _LOOK_THROUGH:
            check_overrides(module)
        if not module._forward_pre_hooks:  # noqa: SLF001
            node = rule(module, name)
        else:
            with evaluated_parameters(module):
                node = rule(module, name)
    if node is not None and not isinstance(node, (Series, Parallel, Recursion)):
        _check_channels(module, node)
        check_values(module, node)
        note(module, rule, node)
    return node


def _check_channels(module: Any, node: Node) -> None:
    """Refuse a leaf whose node has other channels than FLAMO says."""
    expected = getattr(module, "input_channels", None), getattr(module, "output_channels", None)
    if None in expected:
        return
    try:
        found = channels(node)
    except (IndexError, ValueError):
        found = None
    if found != expected:
        got = (
            "parameters of an unknown shape" if found is None else "{} → {} channels".format(*found)
        )
        raise RefusalError(
            f"its parameters give {got}, but it has {expected[0]} inputs and {expected[1]} "
            "outputs; faustwire knows the parameters of FLAMO 0.2.20: use that, or register a rule "
            f"for {type(module).__name__} (docs/models.md, Modules of your own)"
        )


def _rule(kind: type) -> Rule | None:
    """The rule of a type, or of the base that it computes the same as."""
    rule = _RULES.get(kind) or _by_name(kind)
    if rule is None:
        base = _known_base(kind)
        if base is not None and not _overridden(kind, base):
            return _RULES[base]
    return rule


def _known_base(kind: type) -> type | None:
    """The nearest base with a rule of this package's own."""
    for base in kind.__mro__[1:]:
        rule = _RULES.get(base) or _by_name(base)
        if rule is not None:
            return base if _is_ours(rule) else None
    return None


def _overridden(kind: type, base: type) -> list[str]:
    """What a subclass defines anew of what its base defines."""
    own = kind.__mro__[: kind.__mro__.index(base)]
    names = {name for cls in own for name in vars(cls) if cls not in base.__mro__}
    return sorted(name for name in names - _HARMLESS if hasattr(base, name))


def _is_ours(rule: Rule) -> bool:
    return rule.__module__.startswith(f"{__package__}.")


def _by_name(kind: type) -> Rule | None:
    rule = _NAMED.get(_full_name(kind))
    if rule is not None:
        _RULES[kind] = rule
    return rule


def _full_name(kind: type) -> str:
    return f"{kind.__module__}.{kind.__qualname__}"


def _unknown(kind: type, held: str | None) -> str:
    name, full = kind.__name__, _full_name(kind)
    if any(_full_name(other) == full for other in _RULES):
        return (
            f"the class {name} was defined anew after its rule was registered, as autoreload and "
            f"notebook cells do: register it again, and make the model from the new {name}"
        )
    register = f"register a function for it with @faustwire.lowers({name})"
    base = next((base for base in kind.__mro__[1:] if base in _RULES or _by_name(base)), None)
    if base is not None:
        changes = ", ".join(_overridden(kind, base)[:3]) or "what its rule reads"
        return (
            f"{name} is a subclass of {base.__name__} with its own {changes}, and may compute "
            f"something else; {register}, or lowers({name})(rule_of({base.__name__})) if it "
            "computes the same"
        )
    if held is not None:
        return (
            f"a {full} may do more to the signal than its attribute {held}, a FLAMO model; pass "
            f"that ({held}) instead, or {register}"
        )
    return f"don't know what a {full} does to the signal; {register}"


def _held(module: Any) -> str | None:
    """The one attribute of an unknown object that is a FLAMO model."""
    attributes = getattr(module, "__dict__", {})
    parts = {**attributes, **attributes.get("_modules", {})}
    held = [key for key, part in parts.items() if _is_flamos(kind_of(part))]
    usual = [key for key in _USUAL_KEYS if key in held]
    return held[0] if len(held) == 1 else next(iter(usual), None)


def _is_flamos(kind: type) -> bool:
    return any(base.__module__.startswith("flamo.") for base in kind.__mro__)


def _computes_nothing(kind: type) -> bool:
    """Whether a type has no computation of its own: a module without forward, or a plain object."""
    if issubclass(kind, nn.Module):
        return kind.forward is nn.Module.forward
    return not hasattr(kind, "forward") and "__call__" not in dir(kind)


def _holder(held: str) -> Rule:
    """The rule of an object that computes nothing itself, with a FLAMO model as an attribute."""

    def holder(module: Any, name: str) -> Node | None:
        node = lower_child(getattr(module, held), held)
        return None if node is None else Series(name, (node,))

    return looks_through(holder)
