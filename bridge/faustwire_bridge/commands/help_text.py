"""What every ``--help`` ends with: the exit codes and where the documentation is."""

from __future__ import annotations

import argparse
from functools import cache
from importlib.metadata import PackageNotFoundError, metadata

# sysexits.h, and 128 + SIGINT: what a worker that started us, or a service manager, can tell apart.
USAGE = 64
UNAVAILABLE = 69
LOCKED = 75
NOT_STEERED = 77
INTERRUPTED = 130
_EVERY = {
    0: "done",
    2: "a command line that is not understood",
    USAGE: "a value or a file that can't be used",
    INTERRUPTED: "ended by Ctrl-C",
}


def with_exit_codes(epilog: str = "", **others: str) -> str:
    """The end of a command's help.

    Args:
        epilog: what the command has to say itself.
        others: meaning of the codes that not every command has, or has otherwise, as ``_69="no
            bridge answers"``; empty: this command never ends with it.

    Returns:
        Paragraphs for ``Paragraphs``: the epilog, the exit codes, and the documentation's address.
    """
    codes = _EVERY | {int(code.lstrip("_")): meaning for code, meaning in others.items()}
    told = "; ".join(f"{code} {meaning}" for code, meaning in sorted(codes.items()) if meaning)
    address = documentation()
    paragraphs = [epilog, f"Exit codes: {told}.", address and f"Documentation: {address}"]
    return "\n\n".join(filter(None, paragraphs))


@cache
def documentation() -> str:
    """The documentation's address as the package's metadata have it; empty if they have none."""
    try:
        urls = metadata("faustwire").get_all("Project-URL") or []
    except PackageNotFoundError:
        return ""
    named: dict[str, str] = dict(url.split(", ", 1) for url in urls)
    return named.get("Documentation", "")


class Paragraphs(argparse.HelpFormatter):
    """Fills descriptions and epilogs by the paragraph."""

    def _fill_text(self, text: str, width: int, indent: str) -> str:
        fill = super()._fill_text
        return "\n\n".join(fill(part, width, indent) for part in text.split("\n\n"))
