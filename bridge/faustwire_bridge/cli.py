"""The program ``faustwire``, also ``python -m faustwire_bridge``."""

from __future__ import annotations

import argparse
import json
import logging
import math
import os
import sys
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path

from faustwire.controls import DEFAULTS
from faustwire.errors import FaustwireError, GraphError
from faustwire.rendezvous import file_path, rendezvous
from faustwire_bridge import logs
from faustwire_bridge.gates.compiler import TIMEOUT_SECONDS
from faustwire_bridge.gates.sound import MAX_GAIN_DB, MAX_JUMP_DB, Limits
from faustwire_bridge.json_form import json_to_faust
from faustwire_bridge.lock import LockedError
from faustwire_bridge.replaced_file import ReplacedFile
from faustwire_bridge.server import Settings, serve
from faustwire_bridge.throttle import COST_MULTIPLE

# sysexits.h: what a worker that started us, or a service manager, can tell apart.
EXIT_LOCKED = 75
EXIT_USAGE = 64


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the program.

    Returns:
        The exit code: 0, 64 for arguments that make no sense, 75 where another bridge keeps the
        ``.dsp``.
    """
    options = _parser().parse_args(arguments)
    logs.configure(
        getattr(options, "log_level", "info"), as_json=getattr(options, "log_json", False)
    )
    try:
        return int(options.run(options))
    except (FaustwireError, OSError) as problem:
        # A sentence for people; a traceback would only hide it.
        logging.getLogger("faustwire.bridge").error("%s", problem)  # noqa: TRY400
        return EXIT_LOCKED if isinstance(problem, LockedError) else EXIT_USAGE


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="faustwire",
        description="Hear a FLAMO model while it trains: the audio machine's side.",
    )
    parser.add_argument("--version", action="version", version=f"faustwire {version('faustwire')}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    _add_serve(commands)
    _add_compile(commands)
    return parser


def _add_serve(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = commands.add_parser(
        "serve",
        help="keep a .dsp file equal to what the training sends",
        description="Listen for training processes and keep one .dsp file, next to a running "
        "hot-reload plugin, equal to the newest snapshot that is due and changed.",
        epilog="Workers on this machine find the bridge by the path of its .dsp, so they need no "
        "endpoint; others say HotReload(endpoint='tcp://…') or set FAUSTWIRE_ENDPOINT. "
        "Ctrl-C or SIGTERM ends it; the .dsp stays.",
    )
    parser.add_argument(
        "--dsp-path",
        default="/tmp/adac-live.dsp",  # noqa: S108 - the reference's default
        metavar="FILE",
        help="the .dsp to keep; its name must not change while the plugin runs "
        "(default: %(default)s)",
    )
    parser.add_argument(
        "--config-path",
        default="/tmp/faust-current-dsp.txt",  # noqa: S108 - hard-wired in the plugin
        metavar="FILE",
        help="the plugin's config file; its first line is kept naming the .dsp "
        "(default: %(default)s, which the plugin has hard-wired)",
    )
    parser.add_argument(
        "--bind",
        action="append",
        default=[],
        metavar="ENDPOINT",
        help="listen here as well, for instance tcp://127.0.0.1:5555; port 0 takes a free one; "
        "may be given several times",
    )
    parser.add_argument(
        "--insecure",
        action="store_true",
        help="allow --bind beyond this machine: whoever reaches the endpoint can publish",
    )
    parser.add_argument(
        "--leave-when-idle",
        action="store_true",
        help="end when the last worker has gone (how HotReload starts a bridge of its own)",
    )
    parser.add_argument(
        "--print-ready",
        action="store_true",
        help='print {"endpoints": […]} on stdout once workers can connect',
    )
    parser.add_argument(
        "--log-level",
        default="info",
        choices=["debug", "info", "warning", "error"],
        help="debug tells every verdict (default: %(default)s)",
    )
    parser.add_argument("--log-json", action="store_true", help="log one JSON object a line")
    _add_gates(parser)
    parser.set_defaults(run=_serve)


def _add_gates(parser: argparse.ArgumentParser) -> None:
    gates = parser.add_argument_group(
        "gates", "A program that would harm the DAW or the ears is not written; see docs/gates.md."
    )
    gates.add_argument(
        "--allow-unstable", action="store_true", help="write models that grow; mind your ears"
    )
    gates.add_argument(
        "--max-gain-db",
        type=float,
        default=MAX_GAIN_DB,
        metavar="DB",
        help="the highest gain at any frequency; a loop that rings for a minute has 50 "
        "(default: %(default)s)",
    )
    gates.add_argument(
        "--max-jump-db",
        type=float,
        default=MAX_JUMP_DB,
        metavar="DB",
        help="how much louder than what plays a model may suddenly be; only what is above unity "
        "gain counts (default: %(default)s)",
    )
    gates.add_argument(
        "--no-compile-gate",
        action="store_true",
        help="don't ask libfaust first; a program that does not compile crashes the DAW",
    )
    gates.add_argument(
        "--no-faust-libraries",
        action="store_true",
        help="the plugin's machine has no Faust libraries: text that imports any is refused",
    )
    gates.add_argument(
        "--compile-timeout",
        type=_above_zero,
        default=TIMEOUT_SECONDS,
        metavar="SECONDS",
        help="how long libfaust may take; a worker waits 5 for its verdict (default: %(default)s)",
    )
    gates.add_argument(
        "--cost-multiple",
        type=_above_zero,
        default=COST_MULTIPLE,
        metavar="N",
        help="two reloads are at least N times as long apart as the program takes to compile, "
        "because that long the plugin is silent (default: %(default)s)",
    )


def _above_zero(text: str) -> float:
    value = float(text)
    if not 0 < value < math.inf:
        raise argparse.ArgumentTypeError(f"{text} is no number above 0")
    return value


def _serve(options: argparse.Namespace) -> int:
    serve(
        Settings(
            place=rendezvous(options.dsp_path),
            config_path=options.config_path,
            endpoints=options.bind,
            insecure=options.insecure,
            leave_when_idle=options.leave_when_idle,
            limits=Limits(options.allow_unstable, options.max_gain_db, options.max_jump_db),
            compiles=not options.no_compile_gate,
            faust_libraries=not options.no_faust_libraries,
            compile_timeout=options.compile_timeout,
            cost_multiple=options.cost_multiple,
            on_ready=_print_ready if options.print_ready else None,
        )
    )
    return 0


def _add_compile(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = commands.add_parser(
        "compile",
        help="write the Faust program of a JSON config",
        description="The second of two steps by hand: what faustwire_publisher.flamo_to_json "
        "wrote, perhaps edited, becomes a Faust program.",
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
    parser.set_defaults(run=_compile, log_level="info", log_json=False)


def _compile(options: argparse.Namespace) -> int:
    source = sys.stdin.read() if options.file == "-" else Path(options.file).read_text("utf-8")
    try:
        config = json.loads(source)
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


def _print_ready(endpoints: list[str]) -> None:
    sys.stdout.write(json.dumps({"endpoints": endpoints}) + "\n")
    sys.stdout.flush()
