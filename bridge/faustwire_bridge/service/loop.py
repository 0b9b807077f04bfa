"""The loop around the core: one thread, one poller; what comes in, and following instructions."""

from __future__ import annotations

import logging
import os
import signal
import socket
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import zmq

from faustwire import codec
from faustwire.messages import Event, Listen, Verdict, Watch, Welcome
from faustwire_bridge.children.gates import Gates
from faustwire_bridge.children.judge import JudgeProcess
from faustwire_bridge.core import events, instructions
from faustwire_bridge.core.rules import Rules
from faustwire_bridge.core.sendable_text import sendable
from faustwire_bridge.core.state_machine import Core
from faustwire_bridge.service.core_events import failure, is_bye, refused, to_event, write
from faustwire_bridge.service.guarded_recorder import GuardedRecorder
from faustwire_bridge.service.hearers import Hearers
from faustwire_bridge.service.listener import GoneError, Received
from faustwire_bridge.service.listeners import Listeners
from faustwire_bridge.service.observers import Observers
from faustwire_bridge.service.plugin_files import PluginFiles
from faustwire_bridge.service.verdict_log import VerdictLog, log_event

if TYPE_CHECKING:
    from faustwire_bridge.recordings.recorder import Recorder

_log = logging.getLogger("faustwire.bridge")

# Messages handled in one go before time is looked at again.
_BATCH = 64
# What waits is written in a row for as long; then others are heard. Most write one file at a time.
_WRITING_SECONDS = 0.02
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
        self._recording = GuardedRecorder(recorder)
        now = time.monotonic()
        welcome = Welcome(
            os.getpid(), socket.gethostname(), sendable(str(files.dsp_path)), sendable(recording)
        )
        self._core = Core(welcome, now, rules)
        self._observers = Observers(listeners, self._core.state)
        self._hearers = Hearers(listeners, self._core.sessions, listeners_judge)
        self._verdict_log = VerdictLog()
        self._stopping: str | None = None
        # What has come of a Write, if that is told to the core when others have been heard.
        self._written: events.CoreEvent | None = None

    def run(self) -> None:
        """Go on until a signal comes, or the core says that it is time to stop."""
        while self._stopping is None:
            ready = self._wait()
            if self._signals.fileno() in ready:
                names = [signal.Signals(number).name for number in self._signals.recv(64)]
                self._stopping = f"{names[0]}"
            self._receive()
            self._take_outcomes()
            self._tick()
            self._tell_audience()
            self._keep_recording()
            self._files.tidy()
        self._tell_what_was_written()
        _log.info("stopped", extra={"why": self._stopping})

    # -- what comes in -----------------------------------------------------------------------

    def _wait(self) -> dict[Any, int]:
        poller = zmq.Poller()
        for listening in self._listeners.sockets:
            poller.register(listening, zmq.POLLIN)
        poller.register(self._signals, zmq.POLLIN)
        for descriptor in (*self._gates.filenos(), self._hearers.fileno()):
            if descriptor is not None:
                poller.register(descriptor, zmq.POLLIN)
        return dict(poller.poll(self._patience_ms()))

    def _patience_ms(self) -> int:
        if self._written is not None:
            return 0
        deadlines = [each.deadline() for each in (self._core, self._gates, self._hearers)]
        known = [deadline for deadline in deadlines if deadline is not None]
        if self._recording.recorder is not None:
            known.append(time.monotonic() + _RECORDER_SECONDS)
        soonest = min([self._observers.deadline(), self._listeners.deadline(), *known])
        return max(0, int((soonest - time.monotonic()) * 1000) + 1)

    def _receive(self) -> None:
        for number in range(_BATCH):
            received = self._listeners.receive()
            for user in self._listeners.pop_revoked():
                self._hearers.revoked(user)
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
                    self._hearers.hear(received, message, self._recording.recorder)
                case _:
                    self._handle_safely(event, received)
        except Exception:  # noqa: BLE001 - one message must not end the bridge for everybody else
            _log.exception("internal error, a message is dropped")

    def _tell_audience(self) -> None:
        """Tell those who watch or listen; what goes wrong there is nothing to the workers."""
        try:
            self._observers.tell()
            self._hearers.tell(self._recording.recorder)
        except Exception:  # noqa: BLE001 - as above
            _log.exception("internal error, somebody who watches or listens is not told")

    def _take_outcomes(self) -> None:
        """Take what has come of Writes, and what the child processes have answered."""
        self._tell_what_was_written()
        for outcome in self._gates.outcomes():
            self._handle_safely(outcome)

    def _tick(self) -> None:
        deadline = self._core.deadline()
        if deadline is not None and time.monotonic() >= deadline:
            # What has waited for its time may be what is in the file, or was.
            self._look_at_dsp()
            self._handle_safely(events.Tick())

    def _tell_what_was_written(self) -> None:
        written, self._written = self._written, None
        if written is not None:
            self._handle_safely(written)

    def _handle_safely(self, event: events.CoreEvent, received: Received | None = None) -> None:
        try:
            self._handle(event, received)
        except Exception:  # noqa: BLE001 - one message must not end the bridge for everybody else
            _log.exception("internal error, the message is dropped")

    def _handle(self, event: events.CoreEvent, received: Received | None = None) -> None:
        # Each outcome of a Write may make the core write what waited. For a thousand that wait this
        # must not be a thousand calls deep, and others must have their answers meanwhile.
        until = time.monotonic() + _WRITING_SECONDS
        to_do = [self._decided(event, received)]
        while to_do:
            instruction, now_ns = next(to_do[-1], (None, 0))
            if instruction is None:
                to_do.pop()
                continue
            outcome = self._follow(instruction, now_ns)
            if isinstance(instruction, instructions.Write) and time.monotonic() > until:
                self._written = outcome
            elif outcome is not None:
                to_do.append(self._decided(outcome))
        if is_bye(event):
            # Whoever has trained opens the recording now, and what comes may be long in coming.
            self._recording.take(lambda recorder: recorder.flush())

    def _decided(
        self, event: events.CoreEvent, received: Received | None = None
    ) -> Iterator[tuple[instructions.Instruction, int]]:
        """What the core decides on an event, with the time at which it does, in ns."""
        # The recording has the same clock, to the digit: a replay decides the same.
        now_ns = time.monotonic_ns()
        if received is not None and len(received.frames) == 1:
            came = received.peer, received.frames[0], received.user
            self._recording.take(lambda recorder: recorder.arrived(now_ns, *came))
        else:
            self._recording.take(lambda recorder: recorder.took(now_ns, event))
        self._observers.changed()
        return iter([(each, now_ns) for each in self._core.handle(event, now_ns * 1e-9)])

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
            case instructions.Send():
                return self._send(instruction, now_ns)
            case instructions.Happened(event):
                self._tell(event, now_ns)
            case instructions.Judge() | instructions.Compile():
                return self._gates.begin(instruction)
            case instructions.SetAside():
                return self._gates.set_aside()
            case instructions.Cancel(aside):
                return self._cancel(aside=aside)
            case instructions.Write():
                return write(self._files, instruction)
            case instructions.LogInternalError(error):
                _log.error("internal error, the publication is refused", exc_info=error)
            case instructions.Stop(why):
                self._stopping = why
        return None

    def _tell(self, event: Event, now_ns: int) -> None:
        self._recording.take(lambda recorder: recorder.happened(now_ns, event))
        log_event(event)

    def _cancel(self, *, aside: bool) -> events.DspChanged | None:
        self._gates.cancel(aside=aside)
        if aside or self._written is None:
            return None
        # It is in the file, and the core will not hear of it.
        self._written = None
        return events.DspChanged()

    def _send(self, send: instructions.Send, now_ns: int) -> events.Lost | None:
        peer, message = send.peer, send.message
        session = self._core.sessions.at(peer)
        if isinstance(message, Verdict) and not send.again:
            incarnation = session.hello.incarnation if session else ""
            self._verdict_log.log(self._core.worker(peer), incarnation, message)
            self._hearers.decided(session, message)
        data = codec.encode(message)
        if session is not None and isinstance(message, Welcome):
            who = session.hello, session.user
            self._recording.take(lambda recorder: recorder.identified(peer, *who))
        try:
            sent = self._listeners.send(peer, data)
        except GoneError:
            return events.Lost(peer)
        if not sent:
            _log.debug("a worker does not read its verdicts", extra={"peer": peer.hex()})
        else:
            self._recording.take(lambda recorder: recorder.sent(now_ns, peer, data, message))
        return None

    def _keep_recording(self) -> None:
        problem = self._recording.keep()
        if problem is not None:
            self._handle_safely(events.Noticed("recording-stopped", problem))
