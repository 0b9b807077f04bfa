"""``faustwire follow``: whom the plugin of a running bridge follows."""

from __future__ import annotations

import argparse
import sys

from faustwire.errors import FaustwireError
from faustwire.messages import Follow, Rejection, Steered
from faustwire.terminal import printable
from faustwire_bridge.commands import Commands
from faustwire_bridge.core.choices import choice
from faustwire_bridge.monitor.target import add_options, target


class NotSteeredError(FaustwireError):
    """The bridge does not let itself be steered; the text is its own."""


def add(commands: Commands) -> None:
    """Add the command to the program's."""
    parser = commands.add_parser(
        "follow",
        help="choose whose model the plugin plays",
        description="Tell a running bridge whom its plugin follows, or ask whom it follows now. "
        "What the chosen worker sent last is published at once.",
        epilog="faustwire follow latest: whoever has something new (the default). "
        "faustwire follow first: who came first, until it leaves. "
        "faustwire follow worker NAME: that one. "
        "faustwire follow best METRIC [larger]: the one whose metric is best so far.",
    )
    parser.add_argument("words", nargs="*", metavar="WORD", help="whom; none: show the choice")
    add_options(parser)
    parser.set_defaults(run=_follow)


def _follow(options: argparse.Namespace) -> int:
    if not options.words:
        sys.stdout.write(printable(target(options).state().follow) + "\n")
        return 0
    wanted = Follow(choice(options.words))
    answer = target(options).ask(wanted)
    if isinstance(answer, Steered):
        sys.stdout.write(printable(answer.detail) + "\n")
        return 0
    detail = answer.detail if isinstance(answer, Rejection) else f"it answers {answer!r}"
    raise NotSteeredError(f"the bridge declines: {printable(detail)}")
