"""Every decision of the bridge: events and a `now` go in, instructions come out.

No socket, no file and no clock is touched here, so the same events give the same instructions
again. The order of the decisions on a snapshot is the order of ``_snapshot``.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from typing import TypeAlias

from faustwire.errors import FaustwireError
from faustwire.messages import (
    Bye,
    Hello,
    Message,
    Ping,
    Pong,
    Reason,
    Rejection,
    Snapshot,
    Source,
    ToWorker,
    Verdict,
    Welcome,
)
from faustwire_bridge.codegen import generate
from faustwire_bridge.throttle import due, turned_down

# Workers ping every second; five lost ones are no accident. It costs nobody anything to be thought
# gone: the next message is answered with the request to say Hello again.
SILENCE_SECONDS = 5.0
# Time for a worker to come at all, its torch import included, and for the next one of a sweep.
FIRST_WORKER_SECONDS = 30.0
NEXT_WORKER_SECONDS = 2.0
# Incarnations remembered after they left, for resends over a lost connection.
MAX_SESSIONS = 256


@dataclass(frozen=True)
class Arrived:
    """A message came from a peer (the routing id that ZeroMQ gave its connection)."""

    peer: bytes
    message: Message


@dataclass(frozen=True)
class Unreadable:
    """Bytes came that are no message; ``seq`` if they were once meant as a numbered one."""

    peer: bytes
    problem: str
    seq: int | None


@dataclass(frozen=True)
class Lost:
    """The peer's connection is no more."""

    peer: bytes


@dataclass(frozen=True)
class Written:
    """The last ``Write`` is done."""


@dataclass(frozen=True)
class WriteFailed:
    """The last ``Write`` could not be done; the files are whole, the old ones or the new."""

    problem: str


@dataclass(frozen=True)
class DspChanged:
    """Somebody else has changed or removed the ``.dsp``."""


@dataclass(frozen=True)
class Tick:
    """Time has passed."""


@dataclass(frozen=True)
class Send:
    """Send a message to a peer; ``again``: the answer to a resend."""

    peer: bytes
    message: ToWorker
    again: bool = False


@dataclass(frozen=True)
class Write:
    """Write the program, and then the config; answer with Written or WriteFailed at once."""

    program: str
    rewrite_config: bool


@dataclass(frozen=True)
class Stop:
    """End the bridge."""

    why: str


Event: TypeAlias = Arrived | Unreadable | Lost | Written | WriteFailed | DspChanged | Tick
Instruction: TypeAlias = Send | Write | Stop


@dataclass
class Session:
    """One incarnation of a worker."""

    hello: Hello
    peer: bytes | None
    heard: float
    answered: Verdict | None = None


@dataclass(frozen=True)
class _Publication:
    """What is being written, and on whose behalf."""

    session: Session
    seq: int
    program: str
    warnings: tuple[str, ...]
    call: int | None


class Core:
    """The state of a bridge and its rules.

    Attributes:
        program: the text that the plugin has now, None where that is not known.
        last_reload: when the plugin was last made to reload.
    """

    def __init__(self, welcome: Welcome, now: float, *, leave_when_idle: bool = False) -> None:
        self.program: str | None = None
        self.last_reload: float | None = None
        self._welcome = welcome
        self._leave_when_idle = leave_when_idle
        self._idle_until = now + FIRST_WORKER_SECONDS
        self._sessions: OrderedDict[str, Session] = OrderedDict()
        self._peers: dict[bytes, Session] = {}
        self._config_is_due = True
        self._publication: _Publication | None = None

    def handle(self, event: Event, now: float) -> list[Instruction]:
        """Take one event.

        Args:
            event: what happened.
            now: seconds, on a clock that never goes back.

        Returns:
            What to do, in this order. After a Write comes its outcome, before any other event.
        """
        match event:
            case Arrived(peer, message):
                return self._arrived(peer, message, now)
            case Unreadable():
                return self._unreadable(event, now)
            case Lost(peer):
                self._part(peer, now)
            case Written():
                return self._written(now)
            case WriteFailed(problem):
                return self._write_failed(problem)
            case DspChanged():
                self.program = None
            case Tick():
                return self._tick(now)
        return []

    def deadline(self) -> float | None:
        """When ``handle`` wants a Tick at the latest."""
        deadlines = [session.heard + SILENCE_SECONDS for session in self._peers.values()]
        if self._leave_when_idle and not self._peers:
            deadlines.append(self._idle_until)
        return min(deadlines, default=None)

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
                if isinstance(message, Snapshot):
                    return self._snapshot(session, message, now)
                return self._source(session, message)
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
        away = [key for key, session in self._sessions.items() if session.peer is None]
        for incarnation in away[: max(0, len(self._sessions) - MAX_SESSIONS)]:
            del self._sessions[incarnation]

    def _part(self, peer: bytes, now: float) -> None:
        session = self._peers.pop(peer, None)
        if session is not None:
            session.peer = None
            self._idle_until = now + NEXT_WORKER_SECONDS

    def _tick(self, now: float) -> list[Instruction]:
        for peer, session in list(self._peers.items()):
            if now - session.heard >= SILENCE_SECONDS:
                self._part(peer, now)
        if self._leave_when_idle and not self._peers and now >= self._idle_until:
            return [Stop("the last worker has gone")]
        return []

    # -- what to publish ---------------------------------------------------------------------

    def _snapshot(self, session: Session, snapshot: Snapshot, now: float) -> list[Instruction]:
        hello = session.hello
        if not snapshot.force:
            reason = turned_down(
                snapshot.call,
                now,
                every=hello.every,
                min_interval=hello.min_interval,
                last_reload=self.last_reload,
            )
            if reason is not None:
                return self._answer(session, snapshot.seq, reason, now=now, call=snapshot.call)
        try:
            program = generate(
                snapshot.graph, fs=snapshot.fs, name=snapshot.name, controls=snapshot.controls
            )
        except FaustwireError as problem:
            return self._answer(session, snapshot.seq, Reason.REFUSED, str(problem))
        return self._publish(
            _Publication(session, snapshot.seq, program.text, program.warnings, snapshot.call), now
        )

    def _source(self, session: Session, source: Source) -> list[Instruction]:
        if not source.code.strip():
            # The plugin crashes its host on an empty file.
            return self._answer(session, source.seq, Reason.REFUSED, "the program is empty")
        return self._publish(_Publication(session, source.seq, source.code, (), None), now=None)

    def _publish(self, publication: _Publication, now: float | None) -> list[Instruction]:
        if publication.program == self.program:
            return self._answer(
                publication.session,
                publication.seq,
                Reason.UNCHANGED,
                warnings=publication.warnings,
                now=now,
                call=publication.call,
            )
        self._publication = publication
        return [Write(publication.program, rewrite_config=self._config_is_due)]

    def _written(self, now: float) -> list[Instruction]:
        publication, self._publication = self._publication, None
        assert publication is not None, "Written without a Write"  # noqa: S101 - the shell's fault
        self.program = publication.program
        self.last_reload = now
        self._config_is_due = False
        return self._answer(
            publication.session,
            publication.seq,
            Reason.PUBLISHED,
            self._welcome.dsp_path,
            warnings=publication.warnings,
            now=now,
            call=publication.call,
        )

    def _write_failed(self, problem: str) -> list[Instruction]:
        publication, self._publication = self._publication, None
        assert publication is not None, "WriteFailed without a Write"  # noqa: S101
        self.program = None
        return self._answer(publication.session, publication.seq, Reason.WRITE_FAILED, problem)

    def _unreadable(self, event: Unreadable, now: float) -> list[Instruction]:
        session = self._peers.get(event.peer)
        if session is None or event.seq is None:
            return [Send(event.peer, Rejection(event.problem))]
        session.heard = now
        return self._answer(session, event.seq, Reason.REFUSED, event.problem)

    def _answer(
        self,
        session: Session,
        seq: int,
        reason: Reason,
        detail: str = "",
        *,
        warnings: tuple[str, ...] = (),
        now: float | None = None,
        call: int | None = None,
    ) -> list[Instruction]:
        """The verdict, remembered for a resend; with ``now`` and ``call`` it tells what is due."""
        next_due = None
        if now is not None and call is not None:
            next_due = due(
                call,
                now,
                every=session.hello.every,
                min_interval=session.hello.min_interval,
                last_reload=self.last_reload,
            )
        verdict = Verdict(seq, reason is Reason.PUBLISHED, reason, detail, warnings, next_due)
        session.answered = verdict
        return [Send(session.peer, verdict)] if session.peer is not None else []


def _again(answered: Verdict, seq: int) -> Verdict:
    """The verdict on a resend over a new connection: answered again, not done again."""
    return answered if seq == answered.seq else Verdict(seq, False, Reason.SUPERSEDED)
