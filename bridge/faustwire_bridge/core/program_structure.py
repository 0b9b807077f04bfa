"""The structure of a generated program: everything but its constants."""

from __future__ import annotations

import hashlib
import re

# Comments of a line, and definitions that hold a slider's range or make an integer: the length of
# a delay line follows from those.
_LINES = re.compile(r'^//.*\n|^[^\n]*(?:"|int\()[^\n]*\n', re.MULTILINE)
# As Python writes floats. The signs before one are part of it, the constant's and the sum's.
_CONSTANT = re.compile(r"[-+]*(?<![\w.])\d+(?:\.\d+(?:e[-+]?\d+)?|e[-+]?\d+)")
# Zero and one are simplified away, and a division by zero does not compile.
_SPECIAL = frozenset({0.0, 1.0})


def structure(program: str) -> bytes:
    """Digest the structure of a program.

    Generated programs of one structure compile alike: they differ in constants only. Whole
    numbers (delays, numbers of channels), sliders and names belong to it; comments do not.

    Args:
        program: Faust text.

    Returns:
        SHA-256, 32 bytes.
    """
    digest = hashlib.sha256()
    end = 0
    for line in _LINES.finditer(program):
        digest.update(_masked(program[end : line.start()]))
        if not line[0].startswith("//"):
            digest.update(line[0].encode())
        end = line.end()
    digest.update(_masked(program[end:]))
    return digest.digest()


def _masked(text: str) -> bytes:
    return _CONSTANT.sub(_mask, text).encode()


def _mask(constant: re.Match[str]) -> str:
    return constant[0] if float(constant[0].lstrip("+-")) in _SPECIAL else "#"
