"""``faustwire serve``: the bridge."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence

from faustwire.file_path import target_path
from faustwire.key_ring import KeyRing
from faustwire.rendezvous import rendezvous
from faustwire_bridge.commands import Commands
from faustwire_bridge.commands.help_text import Paragraphs, with_exit_codes
from faustwire_bridge.commands.serve_options import add_options
from faustwire_bridge.core.choices import choice
from faustwire_bridge.core.rules import Rules
from faustwire_bridge.core.sound_limits import Limits
from faustwire_bridge.service.server import serve
from faustwire_bridge.service.settings import RecordingSettings, Settings
from faustwire_bridge.service.supervisor import Ready


def add(commands: Commands) -> None:
    """Add the command to the program's."""
    parser = commands.add_parser(
        "serve",
        formatter_class=Paragraphs,
        help="keep a .dsp file equal to what the training sends",
        description="Listen for training processes and keep one .dsp file, next to a running "
        "hot-reload plugin, equal to the newest snapshot that is due and changed.",
        epilog=with_exit_codes(
            "Workers on this machine find the bridge by the path of its .dsp, so they need no "
            "endpoint; others say HotReload(endpoint='tcp://…') or set FAUSTWIRE_ENDPOINT. "
            "Ctrl-C or SIGTERM ends it; the .dsp stays.",
            _0="ended by Ctrl-C or SIGTERM",
            _130="",
            _75="another bridge keeps this .dsp",
        ),
    )
    add_options(parser)
    parser.set_defaults(run=_serve, restarts=_restarts)


def _restarts(options: argparse.Namespace) -> bool:
    """Whether a bridge that crashes is started again here; HotReload does that with its own."""
    return not (options.no_restart or options.leave_when_idle)


def _serve(options: argparse.Namespace) -> int:
    again: Sequence[str] | None = getattr(options, "again", None)
    tell: Ready | None = getattr(options, "tell_endpoints", None)

    def on_ready(endpoints: list[str]) -> None:
        if tell is not None:
            tell(endpoints[: len(options.bind)])
        if options.print_ready and again is None:
            _print_ready(endpoints)

    serve(
        Settings(
            place=rendezvous(options.dsp_path),
            config_path=options.config_path,
            rules=Rules(
                follow=choice(options.follow),
                settle=options.settle,
                sees_all=options.record is not None and not options.record_published,
                leave_when_idle=options.leave_when_idle,
                cost_multiple=options.cost_multiple,
                let_ring=options.let_ring or 0.0,
                limits=Limits(
                    options.allow_unstable,
                    options.max_gain_db,
                    options.max_jump_db,
                    options.max_load / 100,
                    options.min_change_db,
                ),
            ),
            endpoints=options.bind if again is None else again,
            keyring=None if options.keys is None else KeyRing(options.keys),
            insecure=options.insecure,
            compiles=not options.no_compile_gate,
            faust_libraries=not options.no_faust_libraries,
            compile_timeout=options.compile_timeout,
            recording=_recording(options),
            on_ready=on_ready,
        )
    )
    return 0


def _recording(options: argparse.Namespace) -> RecordingSettings | None:
    if options.record is None:
        return None
    # Who is told where it is may be in another folder.
    target = str(target_path(options.record, "recording", "--record"))
    max_bytes = int(options.record_size * 2**20)
    return RecordingSettings(target, options.record_published, max_bytes, options.record_age)


def _print_ready(endpoints: list[str]) -> None:
    sys.stdout.write(json.dumps({"endpoints": endpoints}) + "\n")
    sys.stdout.flush()
