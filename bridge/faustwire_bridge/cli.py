"""The program ``faustwire``, also ``python -m faustwire_bridge``."""

from __future__ import annotations

import argparse
import logging
import sys
from collections.abc import Sequence
from importlib.metadata import version

from faustwire.errors import FaustwireError
from faustwire.terminal import printable
from faustwire_bridge.commands import compile as compile_
from faustwire_bridge.commands import (
    doctor,
    export,
    follow,
    inspect,
    keys,
    replay,
    serve,
    status,
    watch,
)
from faustwire_bridge.monitor.connection import UnreachableError
from faustwire_bridge.service import logs
from faustwire_bridge.service.lock import LockedError

# sysexits.h: what a worker that started us, or a service manager, can tell apart.
EXIT_USAGE = 64
_EXIT_CODES: dict[type[Exception], int] = {
    UnreachableError: 69,
    LockedError: 75,
    follow.NotSteeredError: 77,
}

_COMMANDS = (serve, status, watch, follow, doctor, replay, inspect, export, keys, compile_)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the program.

    Returns:
        The exit code: 0, 64 for arguments that make no sense, 69 where no bridge answers, 75 where
        another bridge keeps the ``.dsp``, 77 where a bridge does not let itself be steered.
    """
    options = _parser().parse_args(arguments)
    logs.configure(
        getattr(options, "log_level", "info"), as_json=getattr(options, "log_json", False)
    )
    try:
        return int(options.run(options))
    except (FaustwireError, OSError) as problem:
        # A sentence for people; a traceback would only hide it.
        _tell(str(problem), logged="log_level" in options)
        return _EXIT_CODES.get(type(problem), EXIT_USAGE)


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
    parser = argparse.ArgumentParser(
        prog="faustwire",
        description="Hear a FLAMO model while it trains: the audio machine's side.",
    )
    parser.add_argument("--version", action="version", version=f"faustwire {version('faustwire')}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for command in _COMMANDS:
        command.add(commands)
    return parser
