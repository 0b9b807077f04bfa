"""``faustwire completion``: what a shell needs to complete the commands and options."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from typing import Any

from faustwire.errors import FaustwireError
from faustwire_bridge.commands import Commands
from faustwire_bridge.commands.help_text import Paragraphs, with_exit_codes

_SHELLS = ("bash", "zsh", "tcsh")
_DIRECTORIES = frozenset({"DIR"})


class CompletionError(FaustwireError, RuntimeError):
    """What writes completions is not installed."""


def add(commands: Commands) -> None:
    """Add the command to the program's."""
    parser = commands.add_parser(
        "completion",
        formatter_class=Paragraphs,
        help="print what makes a shell complete commands and options",
        description="Print a shell's completion of this program. For bash: "
        '`eval "$(faustwire completion bash)"` in ~/.bashrc; for zsh: `faustwire completion zsh > '
        "DIRECTORY/_faustwire`, a directory of $fpath. Needs faustwire[completion].",
        epilog=with_exit_codes(),
    )
    parser.add_argument("shell", choices=_SHELLS, help="the shell")
    parser.set_defaults(run=_completion)


def _completion(options: argparse.Namespace) -> int:
    try:
        import shtab  # noqa: PLC0415  (optional)
    except ImportError as error:
        raise CompletionError(
            f"completions are written by shtab ({error}): pip install 'faustwire[completion]'"
        ) from error
    program: argparse.ArgumentParser = options.program
    for action in _actions(program):
        kind = _completed_as(action)
        if kind is not None:
            action.complete = kind  # type: ignore[attr-defined]  # where shtab looks for it
    sys.stdout.write(shtab.complete(program, shell=options.shell) + "\n")
    return 0


def _completed_as(action: argparse.Action) -> Any:
    """Files or directories, for arguments that name some; None: nothing."""
    import shtab  # noqa: PLC0415  (optional)

    metavar = action.metavar if isinstance(action.metavar, str) else ""
    if metavar in _DIRECTORIES:
        return shtab.DIRECTORY
    return shtab.FILE if metavar == "FILE" or "." in metavar else None


def _actions(parser: argparse.ArgumentParser) -> Iterator[argparse.Action]:
    """Every argument of a parser and of its commands."""
    for action in parser._actions:  # noqa: SLF001 - argparse has no public way
        if isinstance(action.choices, dict):
            for below in action.choices.values():
                yield from _actions(below)
        else:
            yield action
