"""``faustwire compile``: a JSON config to Faust text."""

from __future__ import annotations

import argparse
import json
import os
import sys
from pathlib import Path

from faustwire.atomic_file import ReplacedFile
from faustwire.controls import DEFAULTS
from faustwire.errors import GraphError
from faustwire.file_path import file_path
from faustwire_bridge.commands import Commands
from faustwire_bridge.commands.help_text import Paragraphs, with_exit_codes


def add(commands: Commands) -> None:
    """Add the command to the program's."""
    parser = commands.add_parser(
        "compile",
        formatter_class=Paragraphs,
        help="write the Faust program of a JSON config",
        description="The second of two steps by hand: what faustwire_publisher.flamo_to_json "
        "wrote, perhaps edited, becomes a Faust program.",
        epilog=with_exit_codes(),
    )
    parser.add_argument("file", metavar="FILE", help="the JSON config; - reads standard input")
    parser.add_argument(
        "-o", "--output", metavar="OUT.dsp", help="where to write it (default: standard output)"
    )
    parser.add_argument(
        "--control",
        action="append",
        default=[],
        choices=list(DEFAULTS),
        help="add a knob with its default range; may be given several times",
    )
    parser.add_argument(
        "--channels",
        default="model",
        choices=["model", "plugin"],
        help="the model's own inputs and outputs, or what the plugin can play: 2 outputs, at most "
        "2 inputs (default: %(default)s)",
    )
    parser.set_defaults(run=_compile)


def _compile(options: argparse.Namespace) -> int:
    from faustwire_bridge.analysis.from_config import json_to_faust  # noqa: PLC0415

    source = sys.stdin.buffer.read() if options.file == "-" else Path(options.file).read_bytes()
    try:
        config = json.loads(source.decode())
    except (ValueError, RecursionError) as problem:
        raise GraphError(options.file, f"not JSON: {problem}") from problem
    text = json_to_faust(
        config,
        controls=dict.fromkeys(options.control, True),
        channels="plugin" if options.channels == "plugin" else None,
    )
    if options.output is None:
        sys.stdout.write(text)
    else:
        output = file_path(options.output, "--output")
        ReplacedFile(output, str(os.getpid())).write(text.encode())
    return 0
