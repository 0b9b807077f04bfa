"""``faustwire listen``: a page in the browser that plays a model."""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import os
import signal
import socket
import sys
import time
import webbrowser
from contextlib import ExitStack, suppress
from typing import TYPE_CHECKING

from faustwire.endpoint import MAX_PORT, is_local
from faustwire.errors import FaustwireError
from faustwire.file_lock import HeldError, file_lock, write_note
from faustwire.rendezvous import PagePlace, page_place
from faustwire.terminal import printable
from faustwire_bridge.commands import Commands, open_recording
from faustwire_bridge.commands.help_text import Paragraphs, with_exit_codes
from faustwire_bridge.monitor.target import add_options, target
from faustwire_bridge.service.logs import bound_file

if TYPE_CHECKING:
    from faustwire_bridge.listen.server import Serving
    from faustwire_bridge.listen.view import Source

# Easily told from the bridge's 5555, and forwarded by one ssh line that stays the same.
_PORT = 8470
_START_SECONDS = 10.0
_IDLE_SECONDS = 60.0
_LOOK_SECONDS = 1.0


class ListenError(FaustwireError, ValueError):
    """Options that contradict each other."""


def add(commands: Commands) -> None:
    """Add the command to the program's."""
    parser = commands.add_parser(
        "listen",
        formatter_class=Paragraphs,
        help="hear a model in the browser",
        description="Serve a page that plays what a bridge judges, or what was recorded, in the "
        "browser, and print its link. Whoever has the link can listen. Bridges and trainings may "
        "come and go. Ctrl-C ends it.",
        epilog=with_exit_codes(_0="ended by Ctrl-C", _130=""),
    )
    parser.add_argument(
        "files",
        nargs="*",
        metavar="FILE",
        help="recordings, or folders of them, to be heard without a bridge",
    )
    _add_serving(parser)
    parser.add_argument(
        "--steer",
        action="store_true",
        help="let a page choose whom the plugin follows, as far as this machine may",
    )
    add_options(parser)
    parser.set_defaults(run=_listen)


def _add_serving(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--bind",
        default="127.0.0.1",
        metavar="HOST",
        help="where the page is served; browsers give a page sound only from https and from "
        "localhost (default: %(default)s)",
    )
    parser.add_argument(
        "--port",
        type=_port,
        default=None,
        metavar="PORT",
        help=f"of the page; 0: any (default: {_PORT}, or any if that is taken)",
    )
    parser.add_argument(
        "--name",
        action="append",
        default=[],
        metavar="NAME",
        help="a host name by which a proxy in front is reached; may be given several times",
    )
    parser.add_argument("--no-browser", action="store_true", help="only print the link")
    parser.add_argument(
        "--once",
        action="store_true",
        help="if a page of this bridge is served on this machine already, print its link and end",
    )
    parser.add_argument(
        "--leave-when-idle",
        action="store_true",
        help="end when neither a page nor the bridge has been there for a minute",
    )


def _port(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 10 and int(text) <= MAX_PORT):
        raise argparse.ArgumentTypeError(f"{text!r} is not a port from 0 to {MAX_PORT}")
    return int(text)


def _listen(options: argparse.Namespace) -> int:
    # Until the server takes over the signals.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with suppress(KeyboardInterrupt, asyncio.CancelledError):
        if options.files:
            asyncio.run(_serve(_source(options), options, keep=None))
        else:
            _listen_live(options)
    return 0


def _listen_live(options: argparse.Namespace) -> None:
    place = page_place(target(options).endpoint)
    bound_file(place.log_path)
    with ExitStack() as stack:
        try:
            held = stack.enter_context(file_lock(place.lock_path, prepare=place.prepare))
        except HeldError:
            if options.once:
                _tell(_link_of(place), browses=False)
                return
            held = None
        asyncio.run(_serve(_source(options), options, keep=held))


def _link_of(place: PagePlace) -> str:
    """The link of the page that is served, which may just be starting."""
    end = time.monotonic() + _START_SECONDS
    while time.monotonic() < end:
        with suppress(OSError, ValueError, KeyError, TypeError):
            return str(json.loads(place.lock_path.read_text())["link"])
        time.sleep(0.05)
    raise ListenError(f"a page is starting, but says no link: {place.lock_path}")


def _source(options: argparse.Namespace) -> Source:
    if not options.files:
        from faustwire_bridge.listen.live import LiveSource  # noqa: PLC0415

        return LiveSource(target(options))
    if options.dsp_path or options.endpoint or options.steer:
        raise ListenError("a recording has no bridge: leave out --dsp-path, --endpoint and --steer")
    from faustwire_bridge.listen.recorded import RecordedSource  # noqa: PLC0415

    open_recording(options.files)
    return RecordedSource(options.files)


async def _serve(source: Source, options: argparse.Namespace, *, keep: int | None) -> None:
    """Serve until cancelled, and note the link in a lock file if there is one."""
    from faustwire_bridge.listen.access import Access, new_token, own_names  # noqa: PLC0415
    from faustwire_bridge.listen.server import Serving, serving  # noqa: PLC0415

    logging.getLogger("asyncio").setLevel(logging.ERROR)
    _end_by_signals()
    token = new_token()
    names = frozenset(name.lower() for name in options.name)
    access = Access(token, own_names(), names)
    ports = (_PORT, 0) if options.port is None else (options.port,)
    how = Serving(options.bind, ports, access, options.steer)
    async with serving(source, how) as bound:
        link = _link(options.bind, bound, token)
        if keep is not None:
            write_note(keep, json.dumps({"pid": os.getpid(), "link": link}).encode())
        _tell(link, browses=not options.no_browser)
        if not is_local(options.bind):
            _warn_of_others(bound)
        await _until_idle(source, how, leaves=options.leave_when_idle)


def _end_by_signals() -> None:
    """Cancel this task where it waits: an exception anywhere else may leave threads waiting."""
    task = asyncio.current_task()
    assert task is not None, "this is called in one"  # noqa: S101
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, task.cancel)


async def _until_idle(source: Source, how: Serving, *, leaves: bool) -> None:
    running = asyncio.create_task(source.run())
    needed = time.monotonic()
    while not leaves or time.monotonic() < needed + _IDLE_SECONDS:
        done, _ = await asyncio.wait([running], timeout=_LOOK_SECONDS)
        if done:
            break
        if how.sessions or not source.view.troubles.get("bridge"):
            needed = time.monotonic()
    running.cancel()
    with suppress(asyncio.CancelledError):
        await running


def _link(host: str, port: int, token: str) -> str:
    if host in ("0.0.0.0", "::"):  # noqa: S104 - compared, not bound
        host = socket.gethostname()
    shown = f"[{host}]" if ":" in host else host
    return f"http://{shown}:{port}/?token={token}"


def _warn_of_others(port: int) -> None:
    sys.stderr.write(
        "other machines can open this page, and whoever has the link listens; without a proxy that "
        "serves it as https their browsers play no sound, but through a tunnel they do: "
        f"ssh -N -L {port}:localhost:{port} {socket.gethostname()}\n"
    )
    sys.stderr.flush()


def _tell(link: str, *, browses: bool) -> None:
    sys.stdout.write(f"listen at {printable(link)}\n")
    sys.stdout.flush()
    # Without a screen there may be a text browser, which would take the terminal.
    screens = ("DISPLAY", "WAYLAND_DISPLAY")
    if browses and (sys.platform == "darwin" or any(map(os.environ.get, screens))):
        with suppress(webbrowser.Error):
            webbrowser.open(link)
