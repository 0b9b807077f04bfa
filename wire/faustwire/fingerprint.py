"""The name of a program in events, recordings and the bridge's cache."""

from __future__ import annotations

import hashlib


def fingerprint(program: str) -> str:
    """SHA-256 of a program, in hex."""
    return hashlib.sha256(program.encode()).hexdigest()
