"""Text chosen by others, made safe for a terminal."""

from __future__ import annotations

# Unicode calls them letters or symbols, and terminals show nothing: a line of the log could seem to
# have columns that somebody else has written.
_BLANKS = {ord(blank): f"\\u{ord(blank):04x}" for blank in "\u115f\u1160\u2800\u3164\uffa0"}


def printable(text: object) -> str:
    r"""The text itself if all of it can be seen, otherwise escaped as in Python: ``'\x1b[2J'``.

    Workers choose their names, and must not be able to write lines, colours or titles with them.

    Args:
        text: anything; what is not text is converted first.
    """
    shown = str(text)
    return (shown if shown.isprintable() else repr(shown)).translate(_BLANKS)
