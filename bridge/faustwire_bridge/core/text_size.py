"""How much memory text takes that is kept."""

from __future__ import annotations

# Python gives each character as much as the widest one needs.
_WIDEST = 4


def text_bytes(text: str) -> int:
    """The most bytes that the characters of a text take in memory."""
    return len(text) if text.isascii() else _WIDEST * len(text)
