"""Text of this machine, such as a path, made fit for a message."""

from __future__ import annotations

from faustwire.codec import MAX_TEXT


def sendable(text: str) -> str:
    r"""Escape what is not valid Unicode, and cut what is too long for a message.

    Names of files may be any bytes; Python holds those that are not UTF-8 as lone surrogates, which
    can't be encoded.

    Args:
        text: any text.

    Returns:
        At most ``MAX_TEXT`` characters that can be encoded; ``\udcff`` stands for a byte ``ff``.
    """
    return text[:MAX_TEXT].encode("utf-8", "backslashreplace").decode()[:MAX_TEXT]
