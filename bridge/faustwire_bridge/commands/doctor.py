"""``faustwire doctor``: what is not as it should be, and what to do about it."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Iterator
from dataclasses import asdict

from faustwire.errors import FaustwireError, explained
from faustwire.key_ring import KeyRing
from faustwire.rendezvous import CONFIG_PATH, DSP_PATH
from faustwire.terminal import printable
from faustwire_bridge.commands import Commands
from faustwire_bridge.commands.help_text import Paragraphs, with_exit_codes
from faustwire_bridge.doctor import bridge, keys, machine, plugin
from faustwire_bridge.doctor.finding import OK, PROBLEM, WARNING, Check, Finding, Subject
from faustwire_bridge.monitor.target import add_keys_and_timeout

_MACHINE: dict[str, Check] = {"packages": machine.packages, "libfaust": machine.libfaust}
# Of no concern where a model trains and the bridge is elsewhere.
_PLUGIN: dict[str, Check] = {
    "dsp": plugin.dsp,
    "config": plugin.config,
    "meeting place": plugin.meeting_place,
    "bridge": bridge.local,
}
_ENDPOINT: dict[str, Check] = {"endpoint": bridge.remote}
_KEYS: dict[str, Check] = {"keys": keys.keys}
_COLOURS = {OK: "32", WARNING: "33", PROBLEM: "1;31"}


def add(commands: Commands) -> None:
    """Add the command to the program's."""
    parser = commands.add_parser(
        "doctor",
        formatter_class=Paragraphs,
        help="check that everything is as it should be, and say what to do",
        description="Check this machine, the plugin's files and its bridge; with an endpoint, "
        "instead of the latter two, the way to a bridge elsewhere. Nothing is changed.",
        epilog=with_exit_codes(_0="no problem, perhaps a warning", _1="there is a problem"),
    )
    parser.add_argument("--dsp-path", metavar="FILE", help=f"(default: {DSP_PATH})")
    parser.add_argument("--config-path", metavar="FILE", help=f"(default: {CONFIG_PATH})")
    parser.add_argument(
        "--endpoint",
        metavar="ENDPOINT",
        help="of a bridge elsewhere, for instance tcp://studio:5555 (default: the environment's "
        "FAUSTWIRE_ENDPOINT, if there is one)",
    )
    add_keys_and_timeout(parser)
    parser.add_argument("--json", action="store_true", help="one JSON object")
    parser.set_defaults(run=_doctor)


def _doctor(options: argparse.Namespace) -> int:
    subject = Subject(
        options.dsp_path or DSP_PATH,
        options.config_path or CONFIG_PATH,
        options.endpoint or os.environ.get("FAUSTWIRE_ENDPOINT", ""),
        KeyRing(options.keys),
        options.timeout,
    )
    here = bool(options.dsp_path or options.config_path)
    found = []
    for name, finding in _findings(_checks(subject, here=here), subject):
        found.append({"check": name, **asdict(finding)})
        if not options.json:
            _print(name, finding)
    problems = sum(each["level"] == PROBLEM for each in found)
    if options.json:
        sys.stdout.write(json.dumps({"problems": problems, "checks": found}) + "\n")
    return 1 if problems else 0


def _checks(subject: Subject, *, here: bool) -> dict[str, Check]:
    """Which checks to make: of the plugin's files, where they are named or no endpoint is."""
    checks = dict(_MACHINE)
    if here or not subject.endpoint:
        checks |= _PLUGIN
    if subject.endpoint:
        checks |= _ENDPOINT
    return checks | _KEYS


def _findings(checks: dict[str, Check], subject: Subject) -> Iterator[tuple[str, Finding]]:
    told = set()
    for name, check in checks.items():
        for finding in _found(check, subject):
            # A path that can't be used fails each check that needs it in the same way.
            if finding.level == PROBLEM and finding in told:
                continue
            told.add(finding)
            yield name, finding


def _found(check: Check, subject: Subject) -> Iterator[Finding]:
    try:
        yield from check(subject)
    except (FaustwireError, OSError) as problem:
        yield Finding(PROBLEM, explained(problem))


def _print(name: str, finding: Finding) -> None:
    level = f"{finding.level:<8}"
    if sys.stdout.isatty() and "NO_COLOR" not in os.environ:
        level = f"\x1b[{_COLOURS[finding.level]}m{level}\x1b[0m"
    sys.stdout.write(f"{level} {name:<13}  {printable(finding.what)}\n")
    if finding.todo:
        sys.stdout.write(f"{'':<22}  → {printable(finding.todo)}\n")
    sys.stdout.flush()
