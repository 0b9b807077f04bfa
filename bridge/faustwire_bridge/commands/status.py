"""``faustwire status``: what a bridge does, once."""

from __future__ import annotations

import argparse
import dataclasses
import json
import math
import sys
import time
from typing import Any

from faustwire.messages import State
from faustwire_bridge.commands import Commands
from faustwire_bridge.commands.help_text import Paragraphs, with_exit_codes
from faustwire_bridge.monitor.target import add_options, target

# Columns; enough for every column of the table.
_PIPE_WIDTH = 200


def add(commands: Commands) -> None:
    """Add the command to the program's."""
    parser = commands.add_parser(
        "status",
        formatter_class=Paragraphs,
        help="show what a bridge does: who is there, what plays",
        description="Ask a running bridge what it does and print the answer.",
        epilog=with_exit_codes(_69="no bridge answers; the message says why and what to do"),
    )
    add_options(parser)
    parser.add_argument(
        "--json",
        action="store_true",
        help="one JSON object, whose keys are those of `state` in docs/wire.md, and unix_time",
    )
    parser.set_defaults(run=_status)


def _status(options: argparse.Namespace) -> int:
    state = target(options).state()
    if options.json:
        sys.stdout.write(json.dumps(_as_json(state, time.time()), allow_nan=False) + "\n")
    else:
        _print(state)
    return 0


def _as_json(state: State, unix_time: float) -> Any:
    """The state as a JSON object, with Unix times beside those on the bridge's clock."""
    told = dataclasses.asdict(state)
    for event in told["events"]:
        event["unix_time"] = unix_time - (state.now - event["at"])
    return _plain({**told, "unix_time": unix_time})


def _print(state: State) -> None:
    from rich.console import Console  # noqa: PLC0415

    from faustwire_bridge.monitor.screen import screen  # noqa: PLC0415
    from faustwire_bridge.monitor.view_model import ViewModel  # noqa: PLC0415
    from faustwire_bridge.monitor.watchers import PluginWatch  # noqa: PLC0415

    now = time.monotonic()
    view = ViewModel()
    view.watched = PluginWatch().is_watched(state, now)
    view.take(state, now, time.time())
    # In a pipe no terminal limits the width.
    console = Console(width=None if sys.stdout.isatty() else _PIPE_WIDTH)
    console.print(screen(view, now, width=console.width))


def _plain(value: Any) -> Any:
    """What JSON can say: a number that is not finite becomes null."""
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
