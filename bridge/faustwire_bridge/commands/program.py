"""The program's command line: which command, and what becomes of its errors."""

from __future__ import annotations

import argparse
import io
import logging
import sys
from collections.abc import Sequence
from importlib.metadata import version

from faustwire.errors import FaustwireError, explained
from faustwire.terminal import printable
from faustwire_bridge.commands import compile as compile_
from faustwire_bridge.commands import (
    completion,
    doctor,
    export,
    follow,
    inspect,
    keys,
    listen,
    replay,
    serve,
    status,
    watch,
)
from faustwire_bridge.commands.help_text import (
    LOCKED,
    NOT_STEERED,
    UNAVAILABLE,
    USAGE,
    Paragraphs,
    documentation,
)
from faustwire_bridge.monitor.monitor_socket import UnreachableError
from faustwire_bridge.service import logs
from faustwire_bridge.service.lock import LockedError
from faustwire_bridge.service.supervisor import supervise

_EXIT_CODES: dict[type[Exception], int] = {
    UnreachableError: UNAVAILABLE,
    LockedError: LOCKED,
    follow.NotSteeredError: NOT_STEERED,
}

_COMMANDS = (
    *(serve, status, watch, follow, listen, doctor, replay, inspect, export, keys, compile_),
    completion,
)


def run(arguments: Sequence[str] | None) -> int:
    """Run one command, and say what is wrong in a sentence.

    Args:
        arguments: the command line after the program's name; None: this process's.

    Returns:
        The exit code.

    Raises:
        KeyboardInterrupt: Ctrl-C came.
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            # A path may have bytes that are not UTF-8, and not every terminal has every character.
            stream.reconfigure(errors="backslashreplace")
    options = _parser().parse_args(arguments)
    logs.configure(
        getattr(options, "log_level", "info"), as_json=getattr(options, "log_json", False)
    )
    if "restarts" in options and options.restarts(options):
        return supervise(lambda again, tell: _run(options, again=again, tell_endpoints=tell))
    return _run(options)


def _run(options: argparse.Namespace, **more: object) -> int:
    for name, value in more.items():
        setattr(options, name, value)
    try:
        return int(options.run(options))
    except (FaustwireError, OSError) as problem:
        # A sentence for people; a traceback would only hide it.
        _tell(explained(problem), logged="log_level" in options)
        return _EXIT_CODES.get(type(problem), USAGE)


def _tell(problem: str, *, logged: bool) -> None:
    if logged:
        # A line each; the log escapes what it quotes.
        for line in problem.splitlines():
            logging.getLogger("faustwire.bridge").error("%s", line)
    else:
        # It may quote what somebody else has sent.
        sentence = "\n".join(map(printable, problem.splitlines()))
        sys.stderr.write(f"faustwire: {sentence}\n")


def _parser() -> argparse.ArgumentParser:
    address = documentation()
    parser = argparse.ArgumentParser(
        prog="faustwire",
        formatter_class=Paragraphs,
        description="Hear a FLAMO model while it trains: the audio machine's side.",
        epilog=f"Documentation: {address}" if address else None,
    )
    parser.add_argument("--version", action="version", version=f"faustwire {version('faustwire')}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for command in _COMMANDS:
        command.add(commands)
    parser.set_defaults(program=parser)  # Which `completion` describes.
    return parser
