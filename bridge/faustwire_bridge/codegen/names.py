"""Names of people's modules, made safe for the comments of a program."""

from __future__ import annotations


def printable(text: str, limit: int = 120) -> str:
    """One line of printable ASCII; what is not is spelt as Python would escape it.

    Args:
        text: any.
        limit: of the result's length in characters, at least 3.

    Returns:
        The line; a longer one is cut and ends in "...".
    """
    escaped = text.encode("unicode_escape").decode("ascii")
    return escaped if len(escaped) <= limit else f"{escaped[: limit - 3]}..."
