"""The gates of a bridge that is started here, as HotReload takes them and ``serve`` reads them."""

from __future__ import annotations

from collections.abc import Mapping
from math import inf
from types import NoneType
from typing import Any, TypeAlias

from faustwire.limits import MIN_CHANGE_DB
from faustwire_publisher.arguments import number
from faustwire_publisher.errors import ArgumentError

# None: the gate is off.
Gates: TypeAlias = Mapping[str, float | bool | None]

# The options of ``faustwire serve`` by their names here.
_NUMBERS = {
    "max_gain_db": "--max-gain-db",
    "max_jump_db": "--max-jump-db",
    "max_load": "--max-load",
    "compile_timeout": "--compile-timeout",
    "cost_multiple": "--cost-multiple",
    "min_change_db": "--min-change-db",
    "let_ring": "--let-ring",
}
# A switch's option, and the value for which it is given.
_SWITCHES = {
    "allow_unstable": ("--allow-unstable", True),
    "compile_gate": ("--no-compile-gate", False),
    "faust_libraries": ("--no-faust-libraries", False),
}


def with_reloads(
    gates: Mapping[str, Any] | None, min_change_db: float | None, let_ring: float | None
) -> Mapping[str, Any] | None:
    """Add to the gates what decides whether a reload is worthwhile, where it is not the default.

    Args:
        gates: what was passed as ``gates``.
        min_change_db: what was passed under this name.
        let_ring: likewise.

    Returns:
        All that the bridge is to be told; None: nothing.
    """
    reloads: dict[str, Any] = {}
    if min_change_db != MIN_CHANGE_DB:
        reloads["min_change_db"] = min_change_db
    if let_ring is not None:
        reloads["let_ring"] = let_ring
    if not reloads or not isinstance(gates, (Mapping, NoneType)):
        return gates
    return {**(gates or {}), **reloads}


def read_gates(
    gates: Mapping[str, Any] | None, endpoint: str | None
) -> dict[str, float | bool | None]:
    """Check what was passed as ``gates``.

    Args:
        gates: options by name.
        endpoint: of a running bridge, if one is used.

    Raises:
        ArgumentError: an unknown gate, a value that makes no sense, or a running bridge, which has
            gates of its own.
    """
    if gates is None:
        return {}
    if not isinstance(gates, Mapping):
        raise ArgumentError(f'gates={gates!r}: give them by name, such as {{"max_gain_db": 70}}')
    if endpoint:
        raise ArgumentError(
            f"gates={dict(gates)!r}: the bridge at {endpoint} has its own; start it with them, see "
            "`faustwire serve --help`"
        )
    return {name: _checked(name, value) for name, value in gates.items()}


def _checked(name: str, value: Any) -> float | bool | None:
    if name == "min_change_db":
        return _change_db(value)
    if name in _SWITCHES:
        if not isinstance(value, bool):
            raise ArgumentError(f"gates: {name}={value!r}: give True or False")
        return value
    if name not in _NUMBERS:
        known = ", ".join([*_NUMBERS, *_SWITCHES])
        raise ArgumentError(f"gates: there is no {name!r}; there are {known}")
    above = None if name.endswith("_db") else 0.0
    return number(f"gates: {name}", value, above=above)


def _change_db(value: Any) -> float | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not -inf < value < 0:
        raise ArgumentError(f"min_change_db={value!r}: give a number of dB below 0, or None")
    return float(value)


def to_options(gates: Gates) -> list[str]:
    """The gates as options of ``faustwire serve``."""
    options = []
    for name, value in gates.items():
        if name in _NUMBERS:
            # Of one piece, or a negative number could be taken for an option.
            text = "off" if value is None else f"{value:.17g}"
            options.append(f"{_NUMBERS[name]}={text}")
        elif value is _SWITCHES[name][1]:
            options.append(_SWITCHES[name][0])
    return options
