"""``faustwire export``: states of a recording as programs, configs and sound."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from faustwire.file_path import file_path
from faustwire.terminal import printable
from faustwire_bridge.commands import CALL_HELP, Commands, above_zero, call, open_recording
from faustwire_bridge.commands.help_text import Paragraphs, with_exit_codes


def add(commands: Commands) -> None:
    """Add the command to the program's."""
    parser = commands.add_parser(
        "export",
        formatter_class=Paragraphs,
        help="take a state out of a recording: .dsp, .json, .wav or .flac",
        description="Take the state of a worker's N-th call out of a recording: the program that "
        "a bridge writes for it (.dsp), a config to edit (.json, for `faustwire compile`), or what "
        "it sounds like (.wav or .flac: the impulse response, left and right for each input, or a "
        "sound of yours sent through it). With --all the sound of the whole run, from program to "
        "program.",
        epilog=with_exit_codes(),
    )
    parser.add_argument("files", nargs="+", metavar="FILE", help="recordings, or folders of them")
    which = parser.add_mutually_exclusive_group(required=True)
    which.add_argument("--step", type=call, metavar="CALL", help=CALL_HELP)
    which.add_argument(
        "--all", action="store_true", help="all that was published, crossfaded, as a sound"
    )
    parser.add_argument(
        "--worker",
        metavar="NAME",
        help="whose, where there are several; NAME#abc by the beginning of its incarnation",
    )
    parser.add_argument(
        "-o",
        "--output",
        required=True,
        metavar="OUT.dsp|OUT.json|OUT.wav|OUT.flac",
        help="where to",
    )
    parser.add_argument(
        "--input",
        metavar="IN.wav",
        help="for sounds: send this through it; FLAC and other files than WAV, and other sampling "
        "rates than the model's, need faustwire[audio]",
    )
    parser.add_argument(
        "--seconds",
        type=above_zero,
        metavar="S",
        help="for sounds: how long (default: until it has died away; with --all the run's length)",
    )
    parser.set_defaults(run=_export)


def _export(options: argparse.Namespace) -> int:
    from faustwire_bridge.recordings.export import (  # noqa: PLC0415
        Excitation,
        export,
        export_run,
        snapshot_of,
    )

    output = file_path(options.output, "--output")
    excitation = Excitation(Path(options.input) if options.input else None, options.seconds)
    found = open_recording(options.files)
    if options.all:
        workers = (options.worker,) if options.worker else ()
        count = export_run(found, workers, output, excitation)
        sys.stdout.write(f"{count} programs in {output}\n")
    else:
        export(snapshot_of(found, options.step, options.worker), output, excitation)
    for damage in found.damage:
        sys.stderr.write(f"damaged: {printable(damage)}\n")
    return 0
