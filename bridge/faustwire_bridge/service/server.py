"""The shell around the core: one thread, one poller; sockets, clock and files."""

from __future__ import annotations

import logging
import os
import signal
import socket
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

import zmq

from faustwire import codec
from faustwire.errors import MessageError
from faustwire.key_ring import KeyRing
from faustwire.messages import ToPeer, Verdict, Welcome
from faustwire.rendezvous import Rendezvous
from faustwire_bridge.children.compile_gate import Checker
from faustwire_bridge.children.compiler import MEMORY_BYTES, TIMEOUT_SECONDS, Compiler
from faustwire_bridge.children.judge import JudgeProcess
from faustwire_bridge.core import events, instructions, state_machine
from faustwire_bridge.core.broadcast import Broadcast
from faustwire_bridge.service.listeners import Came, GoneError, Listeners, check_endpoint, doors
from faustwire_bridge.service.lock import locked, sign
from faustwire_bridge.service.plugin_files import PluginFiles
from faustwire_bridge.service.verdict_log import VerdictLog

if TYPE_CHECKING:
    from faustwire_bridge.recordings.recorder import Recorder

_log = logging.getLogger("faustwire.bridge")

# Messages taken in one go before time is looked at again.
_BATCH = 64
# Events that a verdict says as well, with more figures.
_TOLD_BY_VERDICT = ("published", "held-back")
# A recording closes what a kill would lose at least as often.
_RECORDER_SECONDS = 0.5


@dataclass(frozen=True)
class Recording:
    """What to record.

    Attributes:
        target: a file that ends in ``.mcap``, else a folder; no file is overwritten.
        published_only: leave out the snapshots that are not published.
        max_bytes, max_seconds: when another file is begun.
    """

    target: str
    published_only: bool = False
    max_bytes: int = 2**30
    max_seconds: float = 3600.0


@dataclass(frozen=True)
class Settings:
    """What a bridge is told when it starts.

    Attributes:
        place: the ``.dsp`` and where its workers meet.
        config_path: the plugin's config file.
        rules: how to decide.
        endpoints: ZeroMQ endpoints to bind, beside the local one of ``place``.
        keyring: the keys to ask for at ``endpoints``; None: whoever reaches them comes in.
        insecure: listen beyond loopback without keys though anybody there could then publish.
        compiles: have libfaust check every program.
        faust_libraries: whether the plugin's machine has the Faust libraries.
        compile_timeout: seconds that libfaust may take.
        compile_memory_bytes: that it may take.
        recording: where to record to, and how; None: nowhere.
        on_ready: is called with the bound endpoints once workers can connect.
    """

    place: Rendezvous
    config_path: str
    rules: state_machine.Rules = field(default_factory=state_machine.Rules)
    endpoints: Sequence[str] = ()
    keyring: KeyRing | None = None
    insecure: bool = False
    compiles: bool = True
    faust_libraries: bool = True
    compile_timeout: float = TIMEOUT_SECONDS
    compile_memory_bytes: int = MEMORY_BYTES
    recording: Recording | None = None
    on_ready: Callable[[list[str]], None] | None = None


def serve(settings: Settings) -> None:
    """Run a bridge until SIGINT, SIGTERM, or until the last worker has gone if so told.

    Raises:
        LockedError: another bridge keeps this ``.dsp``.
        BindError: an endpoint can't be bound.
        AuthenticatorError: the keys would not keep strangers out.
        KeyFileError: the keys can't be used.
        PathError: a path names no file.
    """
    files = PluginFiles(settings.place, settings.config_path)
    for endpoint in settings.endpoints:
        check_endpoint(endpoint, safe=settings.insecure or settings.keyring is not None)
    place = settings.place
    with (
        locked(place) as lock,
        _recorder(settings) as recorder,
        _wakeup() as signals,
        doors(place, settings.endpoints, settings.keyring) as opened,
    ):
        sign(lock, opened.endpoints)
        files.clear_leftovers()
        if settings.on_ready is not None:
            settings.on_ready(opened.endpoints)
        _log.info(
            "ready", extra={"dsp": str(files.dsp_path), "endpoints": " ".join(opened.endpoints)}
        )
        with _gates(settings) as gates:
            shell = _Shell(
                opened, signals, files, gates=gates, recorder=recorder, settings=settings
            )
            shell.run()
    if settings.rules.leave_when_idle:
        place.clear()


class _Gates(NamedTuple):
    checker: Checker
    judge: JudgeProcess


class _Shell:
    def __init__(
        self,
        opened: Listeners,
        signals: socket.socket,
        files: PluginFiles,
        *,
        gates: _Gates,
        recorder: Recorder | None,
        settings: Settings,
    ) -> None:
        self._listeners = opened
        self._signals = signals
        self._files = files
        self._checker, self._judge = gates
        self._recorder = recorder
        now = time.monotonic()
        recording = "" if settings.recording is None else settings.recording.target
        welcome = Welcome(os.getpid(), socket.gethostname(), str(files.dsp_path), recording)
        self._core = state_machine.Core(welcome, now, settings.rules)
        self._broadcast = Broadcast(now)
        self._verdict_log = VerdictLog()
        self._stopping: str | None = None

    def run(self) -> None:
        while self._stopping is None:
            ready = self._wait()
            if self._signals.fileno() in ready:
                names = [signal.Signals(number).name for number in self._signals.recv(64)]
                self._stopping = f"{names[0]}"
            self._receive()
            for outcome in (self._judge.outcome(), self._checker.outcome()):
                if outcome is not None:
                    self._handle_safely(outcome)
            deadline = self._core.deadline()
            if deadline is not None and time.monotonic() >= deadline:
                self._handle_safely(events.Tick())
            self._tell_watchers()
            self._keep_recording()
        _log.info("stopped", extra={"why": self._stopping})

    def _wait(self) -> dict[Any, int]:
        poller = zmq.Poller()
        for door in self._listeners.sockets:
            poller.register(door, zmq.POLLIN)
        poller.register(self._signals, zmq.POLLIN)
        # Others after each start of a child.
        for descriptor in (self._checker.fileno(), self._judge.fileno()):
            if descriptor is not None:
                poller.register(descriptor, zmq.POLLIN)
        return dict(poller.poll(self._patience_ms()))

    def _patience_ms(self) -> int:
        deadlines = [self._core.deadline(), self._checker.deadline(), self._judge.deadline()]
        known = [deadline for deadline in deadlines if deadline is not None]
        if self._recorder is not None:
            known.append(time.monotonic() + _RECORDER_SECONDS)
        soonest = min([self._broadcast.deadline(), self._listeners.deadline(), *known])
        return max(0, int((soonest - time.monotonic()) * 1000) + 1)

    def _receive(self) -> None:
        for _ in range(_BATCH):
            came = self._listeners.receive()
            if came is None:
                return
            self._handle_safely(self._event(came), came)

    def _handle_safely(self, event: events.Event, came: Came | None = None) -> None:
        try:
            if came is not None and self._dsp_was_changed():
                self._handle(events.DspChanged())
            self._handle(event, came)
        except Exception:  # noqa: BLE001 - one message must not end the bridge for everybody else
            _log.exception("internal error, the message is dropped")

    def _event(self, came: Came) -> events.Event:
        peer, frames = came.peer, came.frames
        if len(frames) != 1:
            return events.Unreadable(peer, f"a message is one frame, not {len(frames)}", None)
        try:
            message = codec.decode(frames[0])
        except MessageError as problem:
            return events.Unreadable(peer, str(problem), problem.seq)
        return events.Arrived(peer, message, came.user, len(frames[0]))

    def _handle(self, event: events.Event, came: Came | None = None) -> None:
        # The recording has the same clock, to the digit: a replay decides the same.
        now_ns = time.monotonic_ns()
        if self._recorder is not None:
            if came is not None and len(came.frames) == 1:
                self._recorder.arrived(now_ns, came.peer, came.frames[0], came.user)
            else:
                self._recorder.took(now_ns, event)
        self._broadcast.changed()
        for instruction in self._core.handle(event, now_ns * 1e-9):
            outcome = self._do(instruction, now_ns)
            if outcome is not None:
                self._handle(outcome)

    def _dsp_was_changed(self) -> bool:
        return self._core.pipeline.playing.program is not None and not self._files.intact()

    def _do(self, instruction: instructions.Instruction, now_ns: int) -> events.Event | None:
        """Follow an instruction; what came of it, where that is known at once."""
        match instruction:
            case instructions.Send(peer, message, again):
                if isinstance(message, Verdict) and not again:
                    session = self._core.sessions.at(peer)
                    incarnation = session.hello.incarnation if session else ""
                    self._verdict_log.log(self._core.worker(peer), incarnation, message)
                return self._send(peer, message, now_ns)
            case instructions.Happened(event):
                if self._recorder is not None:
                    self._recorder.happened(now_ns, event)
                if event.kind not in _TOLD_BY_VERDICT:
                    told = {"worker": event.worker} if event.worker else {}
                    _log.info("%s", event.kind, extra={**told, "what": event.detail})
            case instructions.Judge():
                return self._judge.judge(instruction)
            case instructions.Compile(program, play):
                return self._checker.compile(program, play=play)
            case instructions.Write():
                return self._write(instruction)
            case instructions.Stop(why):
                self._stopping = why
        return None

    def _tell_watchers(self) -> None:
        if self._listeners.watched():
            self._broadcast.joined()
        now = time.monotonic()
        if now >= self._broadcast.deadline():
            self._listeners.publish(codec.encode(self._core.state(now)))
            done = time.monotonic()
            self._broadcast.sent(done, done - now)

    def _write(self, write: instructions.Write) -> events.Event:
        try:
            self._files.write(write.program, rewrite_config=write.rewrite_config)
        except OSError as problem:
            return events.WriteFailed(_explain(problem))
        return events.Written()

    def _send(self, peer: bytes, message: ToPeer, now_ns: int) -> events.Lost | None:
        data = codec.encode(message)
        session = self._core.sessions.at(peer)
        if self._recorder is not None and session is not None and isinstance(message, Welcome):
            self._recorder.identified(peer, session.hello, session.user)
        try:
            sent = self._listeners.send(peer, data)
        except GoneError:
            return events.Lost(peer)
        if not sent:
            _log.debug("a worker does not read its verdicts", extra={"peer": peer.hex()})
        elif self._recorder is not None:
            self._recorder.sent(now_ns, peer, data, message)
        return None

    def _keep_recording(self) -> None:
        if self._recorder is None:
            return
        self._recorder.tick(time.monotonic_ns())
        problem = self._recorder.problem
        if problem is not None:
            _log.error("the recording has stopped: %s", problem)
            self._recorder = None
            self._handle_safely(events.Noticed("recording-stopped", problem))


def _explain(problem: OSError) -> str:
    where = problem.filename2 or problem.filename
    what = problem.strerror or type(problem).__name__
    return f"{what}: {where}" if where else what


@contextmanager
def _gates(settings: Settings) -> Iterator[_Gates]:
    """The child processes, started and ended."""
    with closing(JudgeProcess(settings.rules.limits)) as judge:
        judge.start()
        if not settings.compiles:
            yield _Gates(Checker(None), judge)
            return
        compiler = Compiler(
            settings.place.dsp_path.stem,
            libraries=settings.faust_libraries,
            timeout=settings.compile_timeout,
            memory_bytes=settings.compile_memory_bytes,
        )
        with closing(compiler):
            yield _Gates(Checker(compiler), judge)


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
