"""Parts of text for a terminal: lines, times, names, numbers."""

from __future__ import annotations

import math

from rich.text import Text

from faustwire.terminal import printable

# Of a name; the rest of the line is needed, too.
MAX_NAME = 28


def line(*parts: str | tuple[str, str]) -> Text:
    """One line of parts, each with its style; what is too long is cut."""
    return Text.assemble(*parts, no_wrap=True, overflow="ellipsis")


def plain(text: str) -> Text:
    """Text as it is, for a table."""
    # A str would be read as rich's markup.
    return Text(text, overflow="ellipsis")


def shortened(name: str) -> str:
    """A name, printable and not too long."""
    name = printable(name)
    return name if len(name) <= MAX_NAME else f"{name[: MAX_NAME - 1]}…"


def figure(value: float | None) -> str:
    """A number, short."""
    return "–" if value is None else f"{value:.4g}"


def ago(seconds: float) -> str:
    """A time that has passed, in words short enough for a column."""
    for size, unit in ((86400.0, "d"), (3600.0, "h"), (60.0, "min")):
        if seconds >= size:
            return f"{math.floor(seconds / size)} {unit} ago"
    return f"{max(seconds, 0.0):.1f} s ago" if seconds < 10 else f"{seconds:.0f} s ago"
