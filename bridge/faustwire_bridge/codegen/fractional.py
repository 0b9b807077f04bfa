"""Fractional delays."""

from __future__ import annotations

from faustwire_bridge.codegen.sheet import Place, Sheet


def write_fractional(samples: float, operand: str, sheet: Sheet, place: Place) -> str:
    """An operand some samples ago, not a whole number of them."""
    raise NotImplementedError
