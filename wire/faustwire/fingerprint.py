"""What names a program for people, in events, in recordings and in what is known of it."""

from __future__ import annotations

import hashlib


def fingerprint(text: str) -> str:
    """SHA-256 of a program's text, in hex."""
    return hashlib.sha256(text.encode()).hexdigest()
