"""The loop around the core: one thread, one poller; what comes in, and following instructions."""

from __future__ import annotations

import logging
import os
import signal
import socket
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, ParamSpec

import zmq

from faustwire import codec
from faustwire.errors import explained
from faustwire.messages import Bye, Event, Listen, ToPeer, Verdict, Watch, Welcome
from faustwire_bridge.children.gates import Gates
from faustwire_bridge.children.judge import JudgeProcess
from faustwire_bridge.core import events, instructions
from faustwire_bridge.core.rules import Rules
from faustwire_bridge.core.sendable_text import sendable
from faustwire_bridge.core.state_machine import Core
from faustwire_bridge.service.core_events import failure, refused, to_event
from faustwire_bridge.service.earshot import Earshot
from faustwire_bridge.service.listener import GoneError, Received
from faustwire_bridge.service.listeners import Listeners
from faustwire_bridge.service.observers import Observers
from faustwire_bridge.service.plugin_files import PluginFiles
from faustwire_bridge.service.verdict_log import VerdictLog

if TYPE_CHECKING:
    from faustwire_bridge.recordings.recorder import Recorder

_log = logging.getLogger("faustwire.bridge")
_P = ParamSpec("_P")

# Messages handled in one go before time is looked at again.
_BATCH = 64
# Events that a verdict says as well, with more figures.
_TOLD_BY_VERDICT = ("published", "held-back")
# A recording closes what a kill would lose at least as often.
_RECORDER_SECONDS = 0.5


class Loop:
    """Waits for messages, outcomes and time, tells the core, and does what it says."""

    def __init__(
        self,
        listeners: Listeners,
        signals: socket.socket,
        files: PluginFiles,
        *,
        gates: Gates,
        listeners_judge: JudgeProcess,
        rules: Rules,
        recorder: Recorder | None = None,
        recording: str = "",
    ) -> None:
        """Nothing is awaited yet.

        Args:
            listeners: where messages come from.
            signals: becomes readable when the bridge is to end.
            files: what the plugin reads.
            gates: the child processes.
            listeners_judge: judges what is only to be listened to.
            rules: how to decide.
            recorder: where everything is recorded; None: nowhere.
            recording: where that is, for workers and watchers.
        """
        self._listeners = listeners
        self._signals = signals
        self._files = files
        self._gates = gates
        self._recorder = recorder
        now = time.monotonic()
        welcome = Welcome(
            os.getpid(), socket.gethostname(), sendable(str(files.dsp_path)), sendable(recording)
        )
        self._core = Core(welcome, now, rules)
        self._observers = Observers(listeners, self._core.state)
        self._earshot = Earshot(listeners, self._core.sessions, listeners_judge)
        self._verdict_log = VerdictLog()
        self._stopping: str | None = None
        # What a recording that misses something is of no use for.
        self._unrecorded: str | None = None

    def run(self) -> None:
        """Go on until a signal comes, or the core says that it is time to stop."""
        while self._stopping is None:
            ready = self._wait()
            if self._signals.fileno() in ready:
                names = [signal.Signals(number).name for number in self._signals.recv(64)]
                self._stopping = f"{names[0]}"
            self._receive()
            self._take_outcomes()
            deadline = self._core.deadline()
            if deadline is not None and time.monotonic() >= deadline:
                # What has waited for its time may be what is in the file, or was.
                self._look_at_dsp()
                self._handle_safely(events.Tick())
            self._tell_audience()
            self._keep_recording()
        _log.info("stopped", extra={"why": self._stopping})

    # -- what comes in -----------------------------------------------------------------------

    def _wait(self) -> dict[Any, int]:
        poller = zmq.Poller()
        for listening in self._listeners.sockets:
            poller.register(listening, zmq.POLLIN)
        poller.register(self._signals, zmq.POLLIN)
        for descriptor in (*self._gates.filenos(), self._earshot.fileno()):
            if descriptor is not None:
                poller.register(descriptor, zmq.POLLIN)
        return dict(poller.poll(self._patience_ms()))

    def _patience_ms(self) -> int:
        deadlines = [each.deadline() for each in (self._core, self._gates, self._earshot)]
        known = [deadline for deadline in deadlines if deadline is not None]
        if self._recorder is not None:
            known.append(time.monotonic() + _RECORDER_SECONDS)
        soonest = min([self._observers.deadline(), self._listeners.deadline(), *known])
        return max(0, int((soonest - time.monotonic()) * 1000) + 1)

    def _receive(self) -> None:
        for number in range(_BATCH):
            received = self._listeners.receive()
            for user in self._listeners.pop_revoked():
                self._earshot.revoked(user)
                self._handle_safely(events.Revoked(user))
            if received is None:
                return
            # Once for all that has come: it takes a system call.
            if number == 0:
                self._look_at_dsp()
            self._sort(received)

    def _sort(self, received: Received) -> None:
        """Hand a message to whom it is for; those who watch or listen are not the core's."""
        try:
            event = to_event(received)
            turned_away = refused(event, received.user)
            if turned_away is not None:
                # It decides nothing, so neither the core nor a recording has to know.
                self._listeners.offer(received.peer, codec.encode(turned_away))
                return
            match event:
                case events.Arrived(peer, Watch() as message, user):
                    self._observers.hear(peer, message, user)
                case events.Arrived(message=Listen() as message):
                    self._earshot.hear(received, message, self._recorder)
                case _:
                    self._handle_safely(event, received)
        except Exception:  # noqa: BLE001 - one message must not end the bridge for everybody else
            _log.exception("internal error, a message is dropped")

    def _tell_audience(self) -> None:
        """Tell those who watch or listen; what goes wrong there is nothing to the workers."""
        try:
            self._observers.tell()
            self._earshot.tell(self._recorder)
        except Exception:  # noqa: BLE001 - as above
            _log.exception("internal error, somebody who watches or listens is not told")

    def _take_outcomes(self) -> None:
        """Take what the child processes have answered."""
        for outcome in self._gates.outcomes():
            self._handle_safely(outcome)

    def _handle_safely(self, event: events.CoreEvent, received: Received | None = None) -> None:
        try:
            self._handle(event, received)
        except Exception:  # noqa: BLE001 - one message must not end the bridge for everybody else
            _log.exception("internal error, the message is dropped")

    def _handle(self, event: events.CoreEvent, received: Received | None = None) -> None:
        # The recording has the same clock, to the digit: a replay decides the same.
        now_ns = time.monotonic_ns()
        if self._recorder is not None:
            if received is not None and len(received.frames) == 1:
                peer, user = received.peer, received.user
                self._record(self._recorder.arrived, now_ns, peer, received.frames[0], user)
            else:
                self._record(self._recorder.took, now_ns, event)
        self._observers.changed()
        for instruction in self._core.handle(event, now_ns * 1e-9):
            outcome = self._follow(instruction, now_ns)
            if outcome is not None:
                self._handle(outcome)
        if self._recorder is not None and _is_bye(event):
            # Whoever has trained opens the recording now, and what comes may be long in coming.
            self._record(self._recorder.flush)

    def _look_at_dsp(self) -> None:
        if self._core.pipeline.playing.program is not None and not self._files.intact():
            self._handle_safely(events.DspChanged())

    # -- instructions ------------------------------------------------------------------------

    def _follow(
        self, instruction: instructions.Instruction, now_ns: int
    ) -> events.CoreEvent | None:
        """Follow an instruction; whatever goes wrong is an outcome that ends its publication."""
        try:
            return self._do(instruction, now_ns)
        except Exception as problem:  # noqa: BLE001 - others wait for their verdicts
            _log.exception("internal error, an instruction could not be followed")
            return failure(instruction, problem)

    def _do(self, instruction: instructions.Instruction, now_ns: int) -> events.CoreEvent | None:
        """Follow an instruction; what came of it, where that is known at once."""
        match instruction:
            case instructions.Send(peer, message, again):
                if isinstance(message, Verdict) and not again:
                    self._log_verdict(peer, message)
                    self._earshot.decided(self._core.sessions.at(peer), message)
                return self._send(peer, message, now_ns)
            case instructions.Happened(event):
                self._tell(event, now_ns)
            case instructions.Judge() | instructions.Compile():
                return self._gates.begin(instruction)
            case instructions.SetAside():
                return self._gates.set_aside()
            case instructions.Cancel(aside):
                self._gates.cancel(aside=aside)
            case instructions.Write():
                return self._write(instruction)
            case instructions.LogInternalError(error):
                _log.error("internal error, the publication is refused", exc_info=error)
            case instructions.Stop(why):
                self._stopping = why
        return None

    def _log_verdict(self, peer: bytes, verdict: Verdict) -> None:
        session = self._core.sessions.at(peer)
        incarnation = session.hello.incarnation if session else ""
        self._verdict_log.log(self._core.worker(peer), incarnation, verdict)

    def _tell(self, event: Event, now_ns: int) -> None:
        if self._recorder is not None:
            self._record(self._recorder.happened, now_ns, event)
        if event.kind not in _TOLD_BY_VERDICT:
            worker = {"worker": event.worker} if event.worker else {}
            _log.info("%s", event.kind, extra={**worker, "what": event.detail})

    def _write(self, write: instructions.Write) -> events.CoreEvent:
        try:
            self._files.write(write.program, rewrite_config=write.rewrite_config)
        except OSError as problem:
            return events.WriteFailed(explained(problem))
        return events.Written()

    def _send(self, peer: bytes, message: ToPeer, now_ns: int) -> events.Lost | None:
        data = codec.encode(message)
        session = self._core.sessions.at(peer)
        if self._recorder is not None and session is not None and isinstance(message, Welcome):
            self._record(self._recorder.identified, peer, session.hello, session.user)
        try:
            sent = self._listeners.send(peer, data)
        except GoneError:
            return events.Lost(peer)
        if not sent:
            _log.debug("a worker does not read its verdicts", extra={"peer": peer.hex()})
        elif self._recorder is not None:
            self._record(self._recorder.sent, now_ns, peer, data, message)
        return None

    def _record(self, take: Callable[_P, None], *what: _P.args, **more: _P.kwargs) -> None:
        """Have something recorded; should that fail, it is decided all the same."""
        try:
            take(*what, **more)
        except Exception as problem:  # noqa: BLE001 - an outcome that the core misses ends nothing
            _log.exception("internal error, something could not be recorded")
            self._unrecorded = f"internal error: {problem!r}"

    def _keep_recording(self) -> None:
        if self._recorder is None:
            return
        self._record(self._recorder.tick, time.monotonic_ns())
        problem = self._recorder.problem or self._unrecorded
        if problem is not None:
            _log.error("the recording has stopped: %s", problem)
            self._recorder = None
            self._handle_safely(events.Noticed("recording-stopped", problem))


def _is_bye(event: events.CoreEvent) -> bool:
    return isinstance(event, events.Arrived) and isinstance(event.message, Bye)
