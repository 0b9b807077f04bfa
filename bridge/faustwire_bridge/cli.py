"""The program ``faustwire``, also ``python -m faustwire_bridge``."""

from __future__ import annotations

from collections.abc import Sequence


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the program.

    Args:
        arguments: the command line after the program's name; None: this process's.

    Returns:
        The exit code; see ``commands.help_text``.
    """
    try:
        # Not at the top: a Ctrl-C while modules are imported ends without a traceback, too.
        from faustwire_bridge.commands.program import run  # noqa: PLC0415

        return run(arguments)
    except KeyboardInterrupt:
        return 130
