"""Whether text can be sent: what people type, and names of files, may hold what is no Unicode."""

from __future__ import annotations


def is_utf8(text: str) -> bool:
    """Whether a text can be encoded: it has no lone surrogates, as which Python holds odd bytes."""
    return not any("\ud800" <= character <= "\udfff" for character in text)
