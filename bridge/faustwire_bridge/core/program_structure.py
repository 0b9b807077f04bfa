"""The structure of a generated program: everything but its constants."""

from __future__ import annotations

import hashlib
import re
from functools import lru_cache

# As Python writes floats, but for zero and one: those are simplified away, and a division by zero
# does not compile. The signs before one are part of it, the constant's and the sum's.
_CONSTANT = re.compile(r"[-+]*(?<![\w.])(?![01]\.0(?![\de]))\d+(?:\.\d+(?:e[-+]?\d+)?|e[-+]?\d+)")

# Characters of a line that is remembered.
_MAX_KNOWN = 512


def structure(program: str) -> bytes:
    """Digest the structure of a program.

    Generated programs of one structure compile alike: they differ in constants only. Whole
    numbers (delays, numbers of channels), sliders and names belong to it; comments do not.

    Args:
        program: Faust text.

    Returns:
        SHA-256, 32 bytes.
    """
    lines = [
        _masked(line) if _may_hold_constant(line) else line
        for line in program.split("\n")
        if not line.startswith("//")
    ]
    return hashlib.sha256("\n".join(lines).encode()).digest()


# Programs are written with an example, the same one for most programs of one structure.
structure_of_example = lru_cache(maxsize=16)(structure)


def _may_hold_constant(line: str) -> bool:
    """Whether a line has a number to mask; written out, since programs have hundreds of lines."""
    if "." not in line and "e-" not in line and "e+" not in line:
        return False
    # Definitions that hold a slider's range or make an integer: the length of a delay line follows
    # from those.
    return '"' not in line and "int(" not in line


def _masked(text: str) -> str:
    return _known(text) if len(text) <= _MAX_KNOWN else _mask(text)


def _mask(text: str) -> str:
    return "#".join(_CONSTANT.split(text))


# In a training most lines of a program come again.
_known = lru_cache(maxsize=4096)(_mask)
