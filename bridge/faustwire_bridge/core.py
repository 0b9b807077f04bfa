"""Every decision of the bridge: events and a `now` go in, instructions come out.

No socket, no file and no clock is touched here, so the same events give the same instructions
again. The order of the decisions on a snapshot is the order of ``_snapshot``.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field, replace

from faustwire.errors import FaustwireError
from faustwire.messages import (
    Bye,
    Due,
    Hello,
    Message,
    Ping,
    Pong,
    Reason,
    Rejection,
    Snapshot,
    Source,
    Verdict,
    Welcome,
)
from faustwire_bridge.codegen import generate
from faustwire_bridge.exchange import (
    Arrived,
    Compile,
    Compiled,
    CompileFailed,
    DspChanged,
    Event,
    Instruction,
    Lost,
    Send,
    Stop,
    Tick,
    Unchecked,
    Unreadable,
    Write,
    WriteFailed,
    Written,
)
from faustwire_bridge.gates.fits import misfit, remarks
from faustwire_bridge.gates.known import Known
from faustwire_bridge.gates.report import Control, Report
from faustwire_bridge.gates.sound import Limits, Sound, heard, listen
from faustwire_bridge.gates.structure import structure, text_identity
from faustwire_bridge.throttle import COST_MULTIPLE, LastReload, due, turned_down
from faustwire_bridge.waiting import Submission, Waiting

# Workers ping every second; five lost ones are no accident. It costs nobody anything to be thought
# gone: the next message is answered with the request to say Hello again.
SILENCE_SECONDS = 5.0
# Time for a worker to come at all, its torch import included, and for the next one of a sweep.
FIRST_WORKER_SECONDS = 30.0
NEXT_WORKER_SECONDS = 2.0
# Incarnations remembered after they left, for resends over a lost connection.
MAX_SESSIONS = 256
# A compile that did not come to an end may have met a busy machine: its structure gets another
# chance, but not at every step of a training.
RETRY_SECONDS = 10.0
# After these the number of the call and the clock are all that decides on the next.
_TELLS_DUE = (
    Reason.PUBLISHED,
    Reason.UNCHANGED,
    Reason.EVERY,
    Reason.MIN_INTERVAL,
    Reason.RELOAD_COST,
)


@dataclass
class Session:
    """One incarnation of a worker."""

    hello: Hello
    peer: bytes | None
    heard: float
    answered: Verdict | None = None


@dataclass(frozen=True)
class _Publication:
    """A call on its way to its verdict.

    Attributes:
        session, seq: whose it is, and which.
        call: number of the call of ``update``; None: text of the caller's own.
        program: Faust text, once there is one.
        warnings: what is not as the worker has it, a line each.
        sound: what is known of the model.
        report: what libfaust says of the program's structure.
    """

    session: Session
    seq: int
    call: int | None = None
    program: str = ""
    warnings: tuple[str, ...] = ()
    sound: Sound = field(default_factory=Sound)
    report: Report | None = None

    @property
    def unjudged(self) -> bool:
        """Only playing it can tell how it sounds, so it is known as a whole or not at all."""
        return self.call is None or not self.sound.certain


class Core:
    """The state of a bridge and its rules.

    Attributes:
        program: the text that the plugin has now, None where that is not known.
        last_reload: when the plugin was last made to reload.
    """

    def __init__(
        self,
        welcome: Welcome,
        now: float,
        *,
        leave_when_idle: bool = False,
        cost_multiple: float = COST_MULTIPLE,
        limits: Limits | None = None,
    ) -> None:
        self.program: str | None = None
        self.last_reload: LastReload | None = None
        self._welcome = welcome
        self._leave_when_idle = leave_when_idle
        self._cost_multiple = cost_multiple
        self._limits = limits or Limits()
        self._idle_until = now + FIRST_WORKER_SECONDS
        self._sessions: OrderedDict[str, Session] = OrderedDict()
        self._peers: dict[bytes, Session] = {}
        self._config_is_due = True
        self._publication: _Publication | None = None
        self._waiting = Waiting()
        self._known: Known[Report | str] = Known()
        self._controls: tuple[Control, ...] = ()
        self._playing_db: float | None = None

    def handle(self, event: Event, now: float) -> list[Instruction]:
        """Take one event.

        Args:
            event: what happened.
            now: seconds, on a clock that never goes back.

        Returns:
            What to do, in this order. After a Write comes its outcome, before any other event;
            after a Compile its outcome comes in its own time, and no Write or Compile before it.
        """
        instructions = self._take(event, now)
        while self._publication is None and self._waiting:
            incarnation, submission = self._waiting.take()
            instructions += self._consider(self._sessions[incarnation], submission, now)
        return instructions

    def _take(self, event: Event, now: float) -> list[Instruction]:
        match event:
            case Arrived(peer, message):
                return self._arrived(peer, message, now)
            case Unreadable():
                return self._unreadable(event, now)
            case Lost(peer):
                self._part(peer, now)
            case Compiled() | CompileFailed() | Unchecked():
                return self._compiled(event, now)
            case Written():
                return self._written(now)
            case WriteFailed(problem):
                return self._write_failed(problem, now)
            case DspChanged():
                self.program = None
            case Tick():
                return self._tick(now)
        return []

    def deadline(self) -> float | None:
        """When ``handle`` wants a Tick at the latest."""
        deadlines = [session.heard + SILENCE_SECONDS for session in self._peers.values()]
        if self._may_leave():
            deadlines.append(self._idle_until)
        return min(deadlines, default=None)

    def _may_leave(self) -> bool:
        return self._leave_when_idle and not self._peers and self._publication is None

    def worker(self, peer: bytes) -> str:
        """What people call the worker at this peer."""
        return self._peers[peer].hello.worker if peer in self._peers else "unknown worker"

    # -- who is there ------------------------------------------------------------------------

    def _arrived(self, peer: bytes, message: Message, now: float) -> list[Instruction]:
        if isinstance(message, Hello):
            return self._meet(peer, message, now)
        session = self._peers.get(peer)
        if session is None:
            if isinstance(message, Bye):
                return []
            return [Send(peer, Rejection("the bridge has not met this worker: Hello comes first"))]
        session.heard = now
        match message:
            case Ping():
                return [Send(peer, Pong())]
            case Bye():
                self._part(peer, now)
                return []
            case Snapshot() | Source():
                if session.answered is not None and message.seq <= session.answered.seq:
                    return [Send(peer, _again(session.answered, message.seq), again=True)]
                return self._submit(session, message, now)
        return [Send(peer, Rejection(f"a {type(message).__name__} is the bridge's to send"))]

    def _meet(self, peer: bytes, hello: Hello, now: float) -> list[Instruction]:
        session = self._sessions.get(hello.incarnation)
        if session is None:
            session = Session(hello, peer, now)
        elif session.peer is not None:
            self._peers.pop(session.peer, None)
        before = self._peers.get(peer)
        if before is not None and before is not session:
            # One connection is one worker; who it was before has left.
            before.peer = None
        session.hello, session.peer, session.heard = hello, peer, now
        self._sessions[hello.incarnation] = session
        self._sessions.move_to_end(hello.incarnation)
        self._peers[peer] = session
        self._forget_the_oldest()
        return [Send(peer, self._welcome)]

    def _forget_the_oldest(self) -> None:
        away = [key for key, session in self._sessions.items() if self._has_left(session)]
        for incarnation in away[: max(0, len(self._sessions) - MAX_SESSIONS)]:
            del self._sessions[incarnation]

    def _has_left(self, session: Session) -> bool:
        return session.peer is None and session.hello.incarnation not in self._waiting

    def _part(self, peer: bytes, now: float) -> None:
        session = self._peers.pop(peer, None)
        if session is not None:
            session.peer = None
            self._idle_until = now + NEXT_WORKER_SECONDS

    def _tick(self, now: float) -> list[Instruction]:
        for peer, session in list(self._peers.items()):
            if now - session.heard >= SILENCE_SECONDS:
                self._part(peer, now)
        if self._may_leave() and now >= self._idle_until:
            return [Stop("the last worker has gone")]
        return []

    # -- what to publish ---------------------------------------------------------------------

    def _submit(self, session: Session, message: Submission, now: float) -> list[Instruction]:
        """One publication at a time: what comes meanwhile waits, and is judged in its turn."""
        current = self._publication
        if current is None:
            return self._consider(session, message, now)
        if current.session is session and message.seq <= current.seq:
            return []  # Sent again; its verdict is on its way.
        old = self._waiting.put(session.hello.incarnation, message)
        if old is None:
            return []
        return self._answer(_Publication(session, old.seq), Reason.SUPERSEDED, now)

    def _consider(self, session: Session, message: Submission, now: float) -> list[Instruction]:
        if isinstance(message, Snapshot):
            return self._snapshot(session, message, now)
        return self._source(session, message, now)

    def _snapshot(self, session: Session, snapshot: Snapshot, now: float) -> list[Instruction]:
        hello = session.hello
        publication = _Publication(session, snapshot.seq, snapshot.call)
        if not snapshot.force:
            reason = turned_down(
                snapshot.call,
                now,
                every=hello.every,
                min_interval=hello.min_interval,
                last_reload=self.last_reload,
            )
            if reason is not None:
                return self._answer(publication, reason, now)
        try:
            program = generate(
                snapshot.graph, fs=snapshot.fs, name=snapshot.name, controls=snapshot.controls
            )
        except FaustwireError as problem:
            return self._answer(publication, Reason.REFUSED, now, str(problem))
        publication = replace(publication, program=program.text, warnings=program.warnings)
        if program.text == self.program:
            return self._answer(publication, Reason.UNCHANGED, now)
        sound = listen(
            snapshot.graph, fs=snapshot.fs, limits=self._limits, playing_db=self._playing_db
        )
        warnings = (*program.warnings, *sound.warnings)
        publication = replace(publication, sound=sound, warnings=warnings)
        if sound.refusal is not None:
            return self._answer(publication, sound.refusal[0], now, sound.refusal[1])
        return self._check(publication, now)

    def _source(self, session: Session, source: Source, now: float) -> list[Instruction]:
        publication = _Publication(session, source.seq, program=source.code)
        if not source.code.strip():
            # The plugin crashes its host on an empty file.
            return self._answer(publication, Reason.REFUSED, now, "the program is empty")
        if source.code == self.program:
            return self._answer(publication, Reason.UNCHANGED, now)
        return self._check(publication, now)

    # -- what libfaust says ------------------------------------------------------------------

    def _check(self, publication: _Publication, now: float) -> list[Instruction]:
        known = self._recall(publication, now)
        if known is not None:
            return self._judge(publication, known, now)
        self._publication = publication
        return [Compile(publication.program, play=publication.unjudged)]

    def _recall(self, publication: _Publication, now: float) -> Report | str | None:
        """What is known of a program."""
        known = self._known.get(text_identity(publication.program), now)
        if known is None and not publication.unjudged:
            known = self._known.get(structure(publication.program), now)
        return known

    def _compiled(
        self, event: Compiled | CompileFailed | Unchecked, now: float
    ) -> list[Instruction]:
        publication, self._publication = self._publication, None
        assert publication is not None, "an answer without a Compile"  # noqa: S101 - the shell's fault
        text = text_identity(publication.program)
        key = text if publication.unjudged else structure(publication.program)
        match event:
            case Compiled(report):
                # Constants may well be what libfaust refuses: that holds for this text alone.
                self._known.put(text if report.problem else key, report)
                return self._judge(publication, report, now)
            case CompileFailed(problem):
                self._known.put(key, problem, now + RETRY_SECONDS)
                return self._judge(publication, problem, now)
            case Unchecked(why):
                warnings = (*publication.warnings, f"not checked: {why}")
                return self._write(replace(publication, warnings=warnings))

    def _judge(
        self, publication: _Publication, said: Report | str, now: float
    ) -> list[Instruction]:
        if isinstance(said, str):
            return self._answer(publication, Reason.DOES_NOT_COMPILE, now, said)
        publication = replace(publication, report=said)
        if said.problem:
            return self._answer(publication, Reason.DOES_NOT_COMPILE, now, said.problem)
        problem = misfit(said)
        if problem is not None:
            return self._answer(publication, Reason.MISFIT, now, problem)
        refusal = None if said.peak is None else heard(said.peak, self._limits)
        if refusal is not None:
            return self._answer(publication, refusal[0], now, refusal[1])
        told = remarks(said.controls, self._controls)
        return self._write(replace(publication, warnings=(*publication.warnings, *told)))

    # -- the files ---------------------------------------------------------------------------

    def _write(self, publication: _Publication) -> list[Instruction]:
        self._publication = publication
        return [Write(publication.program, rewrite_config=self._config_is_due)]

    def _written(self, now: float) -> list[Instruction]:
        publication, self._publication = self._publication, None
        assert publication is not None, "Written without a Write"  # noqa: S101 - the shell's fault
        report = publication.report
        self.program = publication.program
        self.last_reload = LastReload(now, self._cost_multiple * report.seconds if report else 0.0)
        self._controls = report.controls if report else ()
        self._playing_db = publication.sound.peak_db
        self._config_is_due = False
        return self._answer(publication, Reason.PUBLISHED, now, self._welcome.dsp_path)

    def _write_failed(self, problem: str, now: float) -> list[Instruction]:
        publication, self._publication = self._publication, None
        assert publication is not None, "WriteFailed without a Write"  # noqa: S101
        self.program = None
        return self._answer(publication, Reason.WRITE_FAILED, now, problem)

    # -- the verdict -------------------------------------------------------------------------

    def _unreadable(self, event: Unreadable, now: float) -> list[Instruction]:
        session = self._peers.get(event.peer)
        if session is None or event.seq is None:
            return [Send(event.peer, Rejection(event.problem))]
        session.heard = now
        return self._answer(_Publication(session, event.seq), Reason.REFUSED, now, event.problem)

    def _answer(
        self, publication: _Publication, reason: Reason, now: float, detail: str = ""
    ) -> list[Instruction]:
        """The verdict, remembered for a resend."""
        session, report = publication.session, publication.report
        verdict = Verdict(
            publication.seq,
            reason is Reason.PUBLISHED,
            reason,
            detail,
            publication.warnings,
            self._due(publication, now) if reason in _TELLS_DUE else None,
            compile_seconds=report.seconds if report else None,
            peak_db=publication.sound.peak_db,
            margin_db=publication.sound.margin_db,
            rt60_seconds=publication.sound.rt60_seconds,
        )
        if session.answered is None or session.answered.seq < verdict.seq:
            session.answered = verdict
        return [Send(session.peer, verdict)] if session.peer is not None else []

    def _due(self, publication: _Publication, now: float) -> Due | None:
        if publication.call is None:
            return None
        hello = publication.session.hello
        return due(
            publication.call,
            now,
            every=hello.every,
            min_interval=hello.min_interval,
            last_reload=self.last_reload,
        )


def _again(answered: Verdict, seq: int) -> Verdict:
    """The verdict on a resend over a new connection: answered again, not done again."""
    return answered if seq == answered.seq else Verdict(seq, False, Reason.SUPERSEDED)
