"""A bridge from start to end: its lock, recording, listeners and child processes."""

from __future__ import annotations

import logging
import signal
import socket
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING

from faustwire_bridge.children.compile_gate import Checker
from faustwire_bridge.children.compiler import Compiler
from faustwire_bridge.children.gates import Gates
from faustwire_bridge.children.judge import JudgeProcess
from faustwire_bridge.children.judge_at_hand import JudgeAtHand, keeps_interned_strings
from faustwire_bridge.service.listener import check_endpoint
from faustwire_bridge.service.listeners import listening
from faustwire_bridge.service.lock import locked, sign
from faustwire_bridge.service.logs import bound_file
from faustwire_bridge.service.loop import Loop
from faustwire_bridge.service.plugin_files import PluginFiles
from faustwire_bridge.service.settings import Settings

if TYPE_CHECKING:
    from faustwire_bridge.recordings.recorder import Recorder

_log = logging.getLogger("faustwire.bridge")
# Whoever only listens waits for whatever is published.
_BEHIND = 10


def serve(settings: Settings) -> None:
    """Run a bridge until SIGINT, SIGTERM, or until the last worker has gone if so told.

    Args:
        settings: what to do.

    Raises:
        LockedError: another bridge serves this ``.dsp``.
        BindError: an endpoint can't be bound.
        AuthenticatorError: unknown keys could connect.
        KeyFileError: the keys can't be used.
        PathError: a path names no file, or one that can't be written.
    """
    bound_file(settings.place.log_path)
    files = PluginFiles(settings.place, settings.config_path)
    for endpoint in settings.endpoints:
        check_endpoint(endpoint, safe=settings.insecure or settings.keyring is not None)
    place = settings.place
    with (
        closing(files),
        locked(place) as lock,
        _recorder(settings) as recorder,
        _wakeup() as signals,
        listening(place, settings.endpoints, settings.keyring) as opened,
    ):
        sign(lock, opened.endpoints, str(files.config_path), settings.gates())
        files.clear_leftovers()
        if not settings.rules.leave_when_idle:
            # One that a worker has started says it with every verdict, and goes on when it is over.
            files.prepare()
        if settings.on_ready is not None:
            settings.on_ready(opened.endpoints)
        _log.info(
            "ready", extra={"dsp": str(files.dsp_path), "endpoints": " ".join(opened.endpoints)}
        )
        behind = JudgeProcess(settings.rules.limits, niceness=_BEHIND)
        with closing(_gates(settings)) as gates, closing(behind):
            recording = "" if settings.recording is None else settings.recording.target
            loop = Loop(
                opened,
                signals,
                files,
                gates=gates,
                listeners_judge=behind,
                rules=settings.rules,
                recorder=recorder,
                recording=recording,
            )
            loop.run()
    if settings.rules.leave_when_idle:
        place.clear()


def _gates(settings: Settings) -> Gates:
    """The child processes, started."""
    at_hand = None if keeps_interned_strings() else JudgeAtHand(settings.rules.limits)

    def judge() -> JudgeProcess:
        started = JudgeProcess(settings.rules.limits, at_hand=at_hand)
        started.start()
        return started

    def checker() -> Checker:
        if not settings.compiles:
            return Checker(None)
        compiler = Compiler(
            settings.place.dsp_path.stem,
            libraries=settings.faust_libraries,
            timeout=settings.compile_timeout,
            memory_bytes=settings.compile_memory_bytes,
            max_load=settings.rules.limits.max_load,
        )
        return Checker(compiler)

    return Gates(judge, checker)


@contextmanager
def _recorder(settings: Settings) -> Iterator[Recorder | None]:
    recording = settings.recording
    if recording is None:
        yield None
        return
    # What it needs takes a tenth of a second to import, and most bridges do not record.
    from faustwire.recording import Rotation  # noqa: PLC0415
    from faustwire_bridge.recordings import recorder  # noqa: PLC0415

    begun = recorder.begin(
        recording.target,
        dsp_path=str(settings.place.dsp_path),
        rules={"rules": settings.rules.to_text()},
        published_only=recording.published_only,
        rotation=Rotation(recording.max_bytes, recording.max_seconds),
    )
    _log.info("recording", extra={"file": begun.path})
    with closing(begun):
        yield begun


@contextmanager
def _wakeup() -> Iterator[socket.socket]:
    """A socket that becomes readable when SIGINT or SIGTERM comes, for the poller."""
    reader, writer = socket.socketpair()
    writer.setblocking(False)
    handled = (signal.SIGINT, signal.SIGTERM)
    before = {number: signal.signal(number, lambda *_: None) for number in handled}
    descriptor = signal.set_wakeup_fd(writer.fileno(), warn_on_full_buffer=False)
    try:
        yield reader
    finally:
        signal.set_wakeup_fd(descriptor)
        for number, handler in before.items():
            signal.signal(number, handler)
        reader.close()
        writer.close()
