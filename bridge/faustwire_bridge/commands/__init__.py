"""The commands of the program ``faustwire``, a module each.

A module has ``add(commands)``, which adds its parser and sets ``run``: a function of the parsed
options that returns the exit code.
"""

from __future__ import annotations

import argparse
import math
from typing import TypeAlias

Commands: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"  # noqa: SLF001 - no public name


def above_zero(text: str) -> float:
    """A number of an option that is above 0."""
    value = float(text)
    if not 0 < value < math.inf:
        raise argparse.ArgumentTypeError(f"{text} is no number above 0")
    return value
