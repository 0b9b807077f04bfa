"""The gates of a bridge that is started here, as HotReload takes them and ``serve`` reads them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from faustwire_publisher.arguments import number
from faustwire_publisher.errors import ArgumentError

# The options of ``faustwire serve`` by their names here.
_NUMBERS = {
    "max_gain_db": "--max-gain-db",
    "max_jump_db": "--max-jump-db",
    "compile_timeout": "--compile-timeout",
    "cost_multiple": "--cost-multiple",
}
# A switch's option, and the value for which it is given.
_SWITCHES = {
    "allow_unstable": ("--allow-unstable", True),
    "compile_gate": ("--no-compile-gate", False),
    "faust_libraries": ("--no-faust-libraries", False),
}


def read_gates(gates: Mapping[str, Any] | None, endpoint: str | None) -> dict[str, float | bool]:
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


def _checked(name: str, value: Any) -> float | bool:
    if name in _SWITCHES:
        if not isinstance(value, bool):
            raise ArgumentError(f"gates: {name}={value!r}: give True or False")
        return value
    if name not in _NUMBERS:
        known = ", ".join([*_NUMBERS, *_SWITCHES])
        raise ArgumentError(f"gates: there is no {name!r}; there are {known}")
    above = None if name.endswith("_db") else 0.0
    return number(f"gates: {name}", value, above=above)


def to_options(gates: Mapping[str, float | bool]) -> list[str]:
    """The gates as options of ``faustwire serve``."""
    options = []
    for name, value in gates.items():
        if name in _NUMBERS:
            options += [_NUMBERS[name], f"{value:.17g}"]
        elif value is _SWITCHES[name][1]:
            options.append(_SWITCHES[name][0])
    return options
