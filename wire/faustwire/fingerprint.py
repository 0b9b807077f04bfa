"""The name of a program in events, recordings and the bridge's cache."""

from __future__ import annotations

import hashlib
from functools import lru_cache


# A publication asks for that of the same program again and again.
@lru_cache(maxsize=4)
def fingerprint(program: str) -> str:
    """SHA-256 of a program, in hex."""
    return hashlib.sha256(program.encode()).hexdigest()
