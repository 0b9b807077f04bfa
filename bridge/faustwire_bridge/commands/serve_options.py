"""The options of ``faustwire serve``."""

from __future__ import annotations

import argparse

from faustwire.limits import COST_MULTIPLE, MIN_CHANGE_DB
from faustwire.rendezvous import CONFIG_PATH, DSP_PATH
from faustwire_bridge.children.compiler import TIMEOUT_SECONDS
from faustwire_bridge.commands import above_zero, change_db, number
from faustwire_bridge.core.choices import WORDS
from faustwire_bridge.core.sound_limits import (
    JUMP_SECONDS,
    MAX_GAIN_DB,
    MAX_JUMP_DB,
    MAX_LOAD,
)
from faustwire_bridge.service.settings import RecordingSettings


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add all of them to the command's parser."""
    parser.add_argument(
        "--dsp-path",
        default=DSP_PATH,
        metavar="FILE",
        help="the .dsp to keep; its name must not change while the plugin runs "
        "(default: %(default)s)",
    )
    parser.add_argument(
        "--config-path",
        default=CONFIG_PATH,
        metavar="FILE",
        help="the plugin's config file; its first line is kept naming the .dsp "
        "(default: %(default)s, which the plugin has hard-wired)",
    )
    _add_listeners(parser)
    _add_sharing(parser)
    parser.add_argument(
        "--let-ring",
        type=above_zero,
        metavar="PART",
        help="reloads are at least this part of the model's RT60 apart, because each cuts the "
        "tail: 0.5 lets it ring down to -30 dB (default: off)",
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
        help="debug logs every verdict (default: %(default)s)",
    )
    parser.add_argument("--log-json", action="store_true", help="log one JSON object a line")
    _add_recording(parser)
    _add_gates(parser)
    parser.add_argument(
        "--no-restart",
        action="store_true",
        help="end when the bridge crashes instead of starting it again within half a second, for "
        "instance because a service manager does that",
    )


def _add_listeners(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--bind",
        action="append",
        default=[],
        metavar="ENDPOINT",
        help="listen here as well, for instance tcp://127.0.0.1:5555; port 0 takes a free one; "
        "may be given several times",
    )
    access = parser.add_mutually_exclusive_group()
    access.add_argument(
        "--keys",
        nargs="?",
        const="",
        metavar="DIR",
        help="at --bind let in only keys that are enrolled (faustwire keys), and encrypt; DIR: "
        "where they are, by default FAUSTWIRE_KEYS or ~/.config/faustwire/keys",
    )
    access.add_argument(
        "--insecure",
        action="store_true",
        help="allow --bind beyond this machine without keys: whoever reaches it can publish",
    )


def _add_sharing(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--follow",
        nargs="+",
        default=["latest"],
        metavar="WORD",
        help=f"whom the plugin plays, of several workers: {WORDS}; `faustwire follow` changes it "
        "(default: latest)",
    )
    parser.add_argument(
        "--settle",
        action="store_true",
        help="write a worker's newest snapshot, if only time turned it down, when its time has "
        "come: the plugin always ends on the newest state",
    )


def _add_recording(parser: argparse.ArgumentParser) -> None:
    recording = parser.add_argument_group(
        "recording", "All that arrives and leaves, to be replayed; see docs/recording.md."
    )
    recording.add_argument(
        "--record",
        metavar="DIR|FILE",
        help="record to a folder, or to a file that ends in .mcap; none is ever overwritten",
    )
    recording.add_argument(
        "--record-published",
        action="store_true",
        help="record only the snapshots that are published; else workers send every call",
    )
    recording.add_argument(
        "--record-size",
        type=above_zero,
        default=RecordingSettings.max_bytes / 2**20,
        metavar="MIB",
        help="begin another file after this many MiB (default: %(default)g)",
    )
    recording.add_argument(
        "--record-age",
        type=above_zero,
        default=RecordingSettings.max_seconds,
        metavar="SECONDS",
        help="begin another file after this many seconds (default: %(default)g)",
    )


def _add_gates(parser: argparse.ArgumentParser) -> None:
    gates = parser.add_argument_group(
        "gates", "A program that would harm the DAW or the ears is not written; see docs/gates.md."
    )
    gates.add_argument(
        "--allow-unstable",
        action="store_true",
        help="write models whose output grows without bound; mind your ears",
    )
    gates.add_argument(
        "--max-gain-db",
        type=number,
        default=MAX_GAIN_DB,
        metavar="DB",
        help="the highest gain at any frequency; a loop that rings for a minute has 50 "
        "(default: %(default)s)",
    )
    gates.add_argument(
        "--max-jump-db",
        type=number,
        default=MAX_JUMP_DB,
        metavar="DB",
        help=f"how much louder than the quietest of the last {JUMP_SECONDS:g} s a program may be; "
        "only what is above unity gain counts, which also stands for what is not known "
        "(default: %(default)s)",
    )
    gates.add_argument(
        "--max-load",
        type=above_zero,
        default=100 * MAX_LOAD,
        metavar="PERCENT",
        help="how much of a processor core a program may take to run (default: %(default)g)",
    )
    gates.add_argument(
        "--min-change-db",
        type=change_db,
        default=MIN_CHANGE_DB,
        metavar="DB|off",
        help="changes of the response that are smaller, in dB of it, cause no reload, since each "
        "cuts the tail; off: all do (default: %(default)s)",
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
        type=above_zero,
        default=TIMEOUT_SECONDS,
        metavar="SECONDS",
        help="how long libfaust may take; a worker waits 5 for its verdict (default: %(default)s)",
    )
    gates.add_argument(
        "--cost-multiple",
        type=above_zero,
        default=COST_MULTIPLE,
        metavar="N",
        help="two reloads are at least N times as long apart as the program takes to compile, "
        "because that long the plugin is silent (default: %(default)s)",
    )
