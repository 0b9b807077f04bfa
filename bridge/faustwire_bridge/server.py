"""The shell around the core: one thread, one poller; sockets, clock and files."""

from __future__ import annotations

import logging
import os
import re
import signal
import socket
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from typing import Any

import zmq

from faustwire import codec
from faustwire.errors import MessageError
from faustwire.messages import HOLDS_BACK, Reason, ToPeer, Verdict, Welcome
from faustwire.rendezvous import Rendezvous
from faustwire_bridge import core, doors, exchange
from faustwire_bridge.checker import Checker
from faustwire_bridge.gates.compiler import MEMORY_BYTES, TIMEOUT_SECONDS, Compiler
from faustwire_bridge.gates.sound import Limits
from faustwire_bridge.lock import locked, sign
from faustwire_bridge.plugin_files import PluginFiles
from faustwire_bridge.throttle import COST_MULTIPLE

_log = logging.getLogger("faustwire.bridge")

# Messages taken in one go before time is looked at again.
_BATCH = 64
_DIGITS = re.compile(r"[\d.]+")


@dataclass(frozen=True)
class Settings:
    """What a bridge is told when it starts.

    Attributes:
        place: the ``.dsp`` and where its workers meet.
        config_path: the plugin's config file.
        endpoints: ZeroMQ endpoints to bind, beside the local one of ``place``.
        insecure: listen beyond loopback though anybody there could then publish.
        leave_when_idle: end when the last worker has gone.
        compiles: have libfaust check every program.
        faust_libraries: whether the plugin's machine has the Faust libraries.
        compile_timeout: seconds that libfaust may take.
        compile_memory_bytes: that it may take.
        limits: what may be heard.
        cost_multiple: reloads of the plugin are at least so many times as long apart as the
            program takes to compile.
        on_ready: is called with the bound endpoints once workers can connect.
    """

    place: Rendezvous
    config_path: str
    endpoints: Sequence[str] = ()
    insecure: bool = False
    leave_when_idle: bool = False
    compiles: bool = True
    faust_libraries: bool = True
    compile_timeout: float = TIMEOUT_SECONDS
    compile_memory_bytes: int = MEMORY_BYTES
    limits: Limits = field(default_factory=Limits)
    cost_multiple: float = COST_MULTIPLE
    on_ready: Callable[[list[str]], None] | None = None


def serve(settings: Settings) -> None:
    """Run a bridge until SIGINT, SIGTERM, or until the last worker has gone if so told.

    Raises:
        LockedError: another bridge keeps this ``.dsp``.
        BindError: an endpoint can't be bound.
        PathError: a path names no file.
    """
    files = PluginFiles(settings.place, settings.config_path)
    for endpoint in settings.endpoints:
        doors.check_endpoint(endpoint, insecure=settings.insecure)
    with (
        locked(settings.place) as lock,
        _wakeup() as signals,
        doors.router(settings.place, settings.endpoints) as router,
    ):
        bound = doors.bind(router, settings.place, settings.endpoints)
        sign(lock, bound)
        files.clear_leftovers()
        if settings.on_ready is not None:
            settings.on_ready(bound)
        _log.info("ready", extra={"dsp": str(files.dsp_path), "endpoints": " ".join(bound)})
        with _checker(settings) as checker:
            _Shell(router, signals, files, checker, settings).run()
    if settings.leave_when_idle:
        settings.place.clear()


class _Shell:
    def __init__(
        self,
        router: zmq.Socket[bytes],
        signals: socket.socket,
        files: PluginFiles,
        checker: Checker,
        settings: Settings,
    ) -> None:
        self._router = router
        self._signals = signals
        self._files = files
        self._checker = checker
        self._core = core.Core(
            Welcome(os.getpid(), socket.gethostname(), str(files.dsp_path)),
            time.monotonic(),
            leave_when_idle=settings.leave_when_idle,
            cost_multiple=settings.cost_multiple,
            limits=settings.limits,
        )
        self._failing: str | None = None
        self._stopping: str | None = None

    def run(self) -> None:
        while self._stopping is None:
            ready = self._wait()
            if self._signals.fileno() in ready:
                names = [signal.Signals(number).name for number in self._signals.recv(64)]
                self._stopping = f"{names[0]}"
            if self._router in ready:
                self._receive()
            outcome = self._checker.outcome()
            if outcome is not None:
                self._handle_safely(outcome)
            self._handle(exchange.Tick())
        _log.info("stopped", extra={"why": self._stopping})

    def _wait(self) -> dict[Any, int]:
        poller = zmq.Poller()
        poller.register(self._router, zmq.POLLIN)
        poller.register(self._signals, zmq.POLLIN)
        descriptor = self._checker.fileno()  # Another one after each start of the child.
        if descriptor is not None:
            poller.register(descriptor, zmq.POLLIN)
        return dict(poller.poll(self._patience_ms()))

    def _patience_ms(self) -> int | None:
        deadlines = [self._core.deadline(), self._checker.deadline()]
        known = [deadline for deadline in deadlines if deadline is not None]
        if not known:
            return None
        return max(0, int((min(known) - time.monotonic()) * 1000) + 1)

    def _receive(self) -> None:
        for _ in range(_BATCH):
            try:
                peer, *frames = self._router.recv_multipart(zmq.DONTWAIT)
            except zmq.Again:
                return
            self._handle_safely(self._event(peer, frames))

    def _handle_safely(self, event: exchange.Event) -> None:
        try:
            self._handle(event)
        except Exception:  # noqa: BLE001 - one message must not end the bridge for everybody else
            _log.exception("internal error, the message is dropped")

    def _event(self, peer: bytes, frames: list[bytes]) -> exchange.Event:
        if len(frames) != 1:
            return exchange.Unreadable(peer, f"a message is one frame, not {len(frames)}", None)
        try:
            return exchange.Arrived(peer, codec.decode(frames[0]))
        except MessageError as problem:
            return exchange.Unreadable(peer, str(problem), problem.seq)

    def _handle(self, event: exchange.Event) -> None:
        if isinstance(event, exchange.Arrived) and not self._files.intact():
            self._core.handle(exchange.DspChanged(), time.monotonic())
        for instruction in self._core.handle(event, time.monotonic()):
            match instruction:
                case exchange.Send(peer, message, again):
                    if isinstance(message, Verdict) and not again:
                        self._tell(peer, message)
                    self._send(peer, message)
                case exchange.Compile(program, play):
                    outcome = self._checker.compile(program, play=play)
                    if outcome is not None:
                        self._handle(outcome)
                case exchange.Write():
                    self._handle(self._write(instruction))
                case exchange.Stop(why):
                    self._stopping = why

    def _write(self, write: exchange.Write) -> exchange.Event:
        try:
            self._files.write(write.program, rewrite_config=write.rewrite_config)
        except OSError as problem:
            return exchange.WriteFailed(_explain(problem))
        return exchange.Written()

    def _send(self, peer: bytes, message: ToPeer) -> None:
        try:
            self._router.send_multipart([peer, codec.encode(message)], zmq.DONTWAIT)
        except zmq.Again:
            _log.debug("a worker does not read its verdicts", extra={"peer": peer.hex()})
        except zmq.ZMQError as problem:
            if problem.errno != zmq.EHOSTUNREACH:
                raise
            self._handle(exchange.Lost(peer))

    def _tell(self, peer: bytes, verdict: Verdict) -> None:
        """Log a verdict; a cause that holds back step after step is told once."""
        extra = {"worker": self._core.worker(peer), "seq": verdict.seq, **_figures(verdict)}
        if verdict.reason is Reason.PUBLISHED:
            self._failing = None
            _log.info("published", extra=extra)
            for warning in verdict.warnings:
                _log.debug(warning, extra=extra)
        elif verdict.reason in HOLDS_BACK:
            # A figure in the detail changes with every step; the cause is still the same.
            cause = _DIGITS.sub("", verdict.detail)
            if self._failing != cause:
                _log.warning("%s: %s", verdict.reason, verdict.detail, extra=extra)
            self._failing = cause
        else:
            _log.debug("%s", verdict.reason, extra=extra)


def _figures(verdict: Verdict) -> dict[str, str]:
    """What the gates have measured, for the log."""
    compile_ms = None if verdict.compile_seconds is None else 1000 * verdict.compile_seconds
    figures = {
        "compile_ms": compile_ms,
        "peak_db": verdict.peak_db,
        "margin_db": verdict.margin_db,
        "rt60_s": verdict.rt60_seconds,
    }
    return {name: f"{value:.3g}" for name, value in figures.items() if value is not None}


def _explain(problem: OSError) -> str:
    where = problem.filename2 or problem.filename
    what = problem.strerror or type(problem).__name__
    return f"{what}: {where}" if where else what


@contextmanager
def _checker(settings: Settings) -> Iterator[Checker]:
    if not settings.compiles:
        yield Checker(None)
        return
    compiler = Compiler(
        settings.place.dsp_path.stem,
        libraries=settings.faust_libraries,
        timeout=settings.compile_timeout,
        memory_bytes=settings.compile_memory_bytes,
    )
    with closing(compiler):
        yield Checker(compiler)


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
