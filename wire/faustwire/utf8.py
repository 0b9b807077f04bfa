"""Whether text can be sent: typed text and names of files may hold what is not valid Unicode."""

from __future__ import annotations


def is_utf8(text: str) -> bool:
    """Whether a text can be encoded: one with lone surrogates, as from stray bytes, can't."""
    return not any("\ud800" <= character <= "\udfff" for character in text)
