"""Text chosen by others, made safe for a terminal."""

from __future__ import annotations


def printable(text: object) -> str:
    r"""The text itself if all of it can be printed, otherwise escaped as in Python: ``'\x1b[2J'``.

    Workers choose their names, and must not be able to write lines, colours or titles with them.

    Args:
        text: anything; what is not text is converted first.
    """
    shown = str(text)
    return shown if shown.isprintable() else repr(shown)
