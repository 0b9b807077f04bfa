"""``faustwire inspect``: what is in a recording."""

from __future__ import annotations

import argparse
import json
import sys

from faustwire.file_path import file_path
from faustwire_bridge.commands import Commands, open_recording
from faustwire_bridge.commands.help_text import Paragraphs, with_exit_codes


def add(commands: Commands) -> None:
    """Add the command to the program's."""
    parser = commands.add_parser(
        "inspect",
        formatter_class=Paragraphs,
        help="tell what is in a recording",
        description="Tell what is in a recording: workers, calls, what was published and why the "
        "rest was not, the models' structure, and what is damaged.",
        epilog=with_exit_codes(),
    )
    parser.add_argument("files", nargs="+", metavar="FILE", help="recordings, or folders of them")
    parser.add_argument("--json", action="store_true", help="as one JSON object")
    parser.add_argument(
        "--plot",
        metavar="OUT.png",
        help="draw metrics, decay and response over the calls, with what was published",
    )
    parser.set_defaults(run=_inspect)


def _inspect(options: argparse.Namespace) -> int:
    from rich.console import Console  # noqa: PLC0415

    from faustwire_bridge.recordings.plot import draw  # noqa: PLC0415
    from faustwire_bridge.recordings.summary import summarise  # noqa: PLC0415
    from faustwire_bridge.recordings.table import as_plain, show  # noqa: PLC0415

    plot = None if options.plot is None else file_path(options.plot, "--plot")
    found = summarise(open_recording(options.files))
    if options.json:
        sys.stdout.write(json.dumps(as_plain(found)) + "\n")
    else:
        show(found, Console())
    if plot is not None:
        draw(found, plot)
    return 0
