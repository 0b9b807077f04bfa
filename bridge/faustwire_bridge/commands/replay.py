"""``faustwire replay``: a recording, pushed again or decided again."""

from __future__ import annotations

import argparse
import json
import os
import sys
from dataclasses import asdict
from pathlib import Path
from typing import NoReturn

from faustwire.file_path import check_ours
from faustwire.rendezvous import CONFIG_PATH, DSP_PATH
from faustwire.terminal import printable
from faustwire_bridge.commands import CALL_HELP, Commands, above_zero, call, open_recording
from faustwire_bridge.commands.help_text import Paragraphs, with_exit_codes

_MOST_LINES = 50


def add(commands: Commands) -> None:
    """Add the command to the program's."""
    parser = commands.add_parser(
        "replay",
        formatter_class=Paragraphs,
        help="push a recording to a bridge, or decide it again without one",
        description="Push a recording to a bridge as the workers that it came from. In a terminal: "
        "space pauses, right plays the next state and left the one before, up and down change the "
        "speed.",
        epilog=with_exit_codes(
            "Without --endpoint the bridge of --dsp-path on this machine is used, started if "
            "there is none. A place is a time since the beginning (12.5s) or a call of each worker "
            "(call:300, or step:300, which is the same).",
            _1="with --offline: a verdict or program differs from the recorded one",
            _69="no bridge answers",
        ),
    )
    parser.add_argument("files", nargs="+", metavar="FILE", help="recordings, or folders of them")
    parser.add_argument(
        "--offline",
        metavar="DIR",
        help="no bridge: feed the recording to the decisions again, with the recorded clock, write "
        "each program into DIR and tell where the verdicts differ from the recorded ones",
    )
    parser.add_argument("--endpoint", metavar="ENDPOINT", help="of the bridge, tcp://host:port")
    parser.add_argument(
        "--dsp-path",
        default=DSP_PATH,
        metavar="FILE",
        help="the .dsp of a bridge on this machine (default: %(default)s)",
    )
    parser.add_argument(
        "--config-path",
        default=CONFIG_PATH,
        metavar="FILE",
        help="the plugin's config file, for a bridge that is started (default: %(default)s)",
    )
    parser.add_argument("--keys", metavar="DIR", help="this machine's keys, for an --endpoint")
    _add_pace(parser)
    _add_choice(parser)
    parser.add_argument(
        "--timeout",
        type=above_zero,
        default=5.0,
        metavar="SECONDS",
        help="to wait for the bridge, and for a verdict (default: %(default)s)",
    )
    parser.add_argument(
        "--json", action="store_true", help="say at the end, on stdout, what became of it"
    )
    parser.set_defaults(run=_replay)


def _add_pace(parser: argparse.ArgumentParser) -> None:
    pace = parser.add_mutually_exclusive_group()
    pace.add_argument(
        "--speed",
        type=above_zero,
        default=1.0,
        metavar="X",
        help="recorded seconds a second; the workers' min_interval is divided by it, so that as "
        "many are throttled as then (default: %(default)s)",
    )
    pace.add_argument(
        "--as-fast-as-possible",
        dest="speed",
        action="store_const",
        const=None,
        help="send each state as soon as the last has its verdict",
    )
    pace.add_argument(
        "--published",
        type=above_zero,
        metavar="X",
        help="hear what was published then, and only that, X times as fast: --follow-verdicts at "
        "--speed X",
    )
    parser.add_argument(
        "--force",
        action="store_true",
        help="leave nothing out at a higher speed; without it every reload leaves the plugin nine "
        "tenths of the time for sound, and what comes sooner is left out, but for the last state",
    )
    parser.add_argument("--loop", action="store_true", help="start again at the end")
    parser.add_argument("--start-paused", action="store_true", help="begin standing still")


def _add_choice(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--from", dest="start", metavar="PLACE", help="leave out what is before")
    parser.add_argument("--to", dest="end", metavar="PLACE", help="leave out what is after")
    parser.add_argument(
        "--worker",
        action="append",
        default=[],
        metavar="NAME",
        help="only this one; NAME#abc where namesakes are told apart by their incarnation; may be "
        "given several times",
    )
    parser.add_argument(
        "--step",
        type=call,
        metavar="CALL",
        help="publish exactly the state of one call, forced, and leave; with --start-paused stay "
        f"there; {CALL_HELP}",
    )
    parser.add_argument(
        "--follow-verdicts",
        action="store_true",
        help="send just what was published then, when it was, forced; the plugin gets the same "
        "programs again, at a higher speed with --force",
    )


def _replay(options: argparse.Namespace) -> int:
    if options.offline is None:
        _push(options)
    return _decide_again(options)


def _push(options: argparse.Namespace) -> NoReturn:
    told = {
        "paths": options.files,
        "endpoint": options.endpoint,
        "dsp_path": options.dsp_path,
        "config_path": options.config_path,
        "speed": options.published or options.speed,
        "start": options.start,
        "end": options.end,
        "workers": options.worker,
        "loop": options.loop,
        "follow_verdicts": options.follow_verdicts or options.published is not None,
        "force": options.force,
        "paused": options.start_paused,
        "step": options.step,
        "step_worker": options.worker[0] if len(options.worker) == 1 else None,
        "keys": options.keys,
        "timeout": options.timeout,
        "as_json": options.json,
    }
    sys.stdout.flush()
    # It replaces this process, so that key presses, Ctrl-C and the exit code are its own.
    command = [sys.executable, "-m", "faustwire_publisher.replay", json.dumps(told)]
    os.execv(sys.executable, command)  # noqa: S606 - our own program


def _decide_again(options: argparse.Namespace) -> int:
    from faustwire_bridge.recordings.offline import decide_again  # noqa: PLC0415

    check_ours(options.offline, "folder", "--offline")
    open_recording(options.files)
    outcome = decide_again(options.files, Path(options.offline))
    if options.json:
        sys.stdout.write(json.dumps(asdict(outcome)) + "\n")
    else:
        for line in (*outcome.notes[:_MOST_LINES], *outcome.differences):
            sys.stdout.write(f"{printable(line)}\n")
        same = "as recorded" if not outcome.differing else f"{outcome.differing} differ"
        sys.stdout.write(
            f"{outcome.verdicts} verdicts, {len(outcome.programs)} programs in {options.offline}: "
            f"{same}\n"
        )
    return 1 if outcome.differing else 0
