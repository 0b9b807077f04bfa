"""Text that others chose, made safe for a terminal."""

from __future__ import annotations


def printable(text: object) -> str:
    r"""The text itself if it only prints, else as Python would write it: ``'\x1b[2J'``.

    A worker chooses its name; it must not be able to write lines, colours or titles of its own.
    """
    plain = str(text)
    return plain if plain.isprintable() else repr(plain)
