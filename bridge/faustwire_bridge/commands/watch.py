"""``faustwire watch``: what a bridge does, as it happens."""

from __future__ import annotations

import argparse
import signal
import time
from collections.abc import Iterator
from contextlib import closing, suppress
from typing import TYPE_CHECKING

from faustwire.messages import State
from faustwire_bridge.commands import Commands
from faustwire_bridge.commands.help_text import Paragraphs, with_exit_codes
from faustwire_bridge.monitor.monitor_socket import MonitorSocket
from faustwire_bridge.monitor.target import Target, add_options, target
from faustwire_bridge.monitor.view_model import Entry, ViewModel
from faustwire_bridge.monitor.watchers import PluginWatch

if TYPE_CHECKING:
    from rich.console import Console

# 64 workers take some 20 ms to draw, and the machine has audio to play.
_REDRAW_SECONDS = 0.2
# That are taken before there is a look at the clock; a bridge sends two in that time.
_MOST_STATES = 32


def add(commands: Commands) -> None:
    """Add the command to the program's."""
    parser = commands.add_parser(
        "watch",
        formatter_class=Paragraphs,
        help="watch a bridge: workers, metrics, verdicts, reloads",
        description="Show what a running bridge does, as it happens; Ctrl-C ends it. Without a "
        "terminal, or with --no-alternate-screen, what happens is printed line by line.",
        epilog=with_exit_codes(
            _0="ended by Ctrl-C",
            _130="",
            _69="no bridge answers; one that goes away later is waited for",
        ),
    )
    add_options(parser)
    parser.add_argument(
        "--wait", action="store_true", help="wait for a bridge that is not there yet"
    )
    parser.add_argument(
        "--no-alternate-screen",
        action="store_true",
        help="leave the terminal's text alone and print events as lines",
    )
    parser.set_defaults(run=_watch)


def _watch(options: argparse.Namespace) -> int:
    from rich.console import Console  # noqa: PLC0415

    console = Console()
    # A terminal that is left on the other screen, without a cursor, is of no use to anybody.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    bridge = target(options)
    with suppress(KeyboardInterrupt), closing(bridge.watcher()) as connection:
        watched = _seen(connection, bridge, wait=options.wait)
        if console.is_terminal and not console.is_dumb_terminal and not options.no_alternate_screen:
            _draw(console, watched)
        else:
            _print(console, watched)
    return 0


def _seen(
    connection: MonitorSocket, bridge: Target, *, wait: bool
) -> Iterator[tuple[ViewModel, list[Entry]]]:
    """What is known each time that something may have changed, and what is new; without end.

    Raises:
        UnreachableError: no bridge was heard in time, and it is not to be waited for.
    """
    view, plugin = ViewModel(), PluginWatch()
    begun = time.monotonic()
    while True:
        fresh, patience = [], _REDRAW_SECONDS
        for _ in range(_MOST_STATES):
            message = connection.receive(patience)
            now, patience = time.monotonic(), 0.0
            if not isinstance(message, State):
                break
            view.watched = plugin.is_watched(message, now)
            fresh += view.take(message, now, time.time())
        if not fresh:
            fresh = view.miss(bridge.trouble(connection), now, time.time())
        if view.state is None and not wait and bridge.gives_up(connection, begun):
            raise bridge.unreachable(connection)
        yield view, fresh


def _draw(console: Console, watched: Iterator[tuple[ViewModel, list[Entry]]]) -> None:
    from rich.live import Live  # noqa: PLC0415

    from faustwire_bridge.monitor.screen import screen  # noqa: PLC0415

    drawn_at = 0.0
    with Live(console=console, screen=True, auto_refresh=False) as live:
        for view, _ in watched:
            now, size = time.monotonic(), console.size
            # States may come faster; what is left out now is drawn when the next is due.
            if now >= drawn_at + _REDRAW_SECONDS:
                drawn_at = now
                drawn = screen(view, now, width=size.width, height=size.height)
                live.update(drawn, refresh=True)


def _print(console: Console, watched: Iterator[tuple[ViewModel, list[Entry]]]) -> None:
    from faustwire_bridge.monitor.event_lines import line  # noqa: PLC0415

    # A pipe that is closed, as by `head`, ends this with code 1 and no words: rich sees to it.
    for _, fresh in watched:
        for entry in fresh:
            console.print(line(entry), soft_wrap=True)
