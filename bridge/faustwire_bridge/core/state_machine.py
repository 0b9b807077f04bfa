"""Every decision of the bridge: events and a `now` go in, instructions come out.

No socket, no file and no clock is touched here, so the same events give the same instructions
again. The order of the decisions on a snapshot is a table in ``docs/architecture.md``.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field, replace

from faustwire.messages import (
    HOLDS_BACK,
    Bye,
    Choice,
    Due,
    Follow,
    Hello,
    Ping,
    Pong,
    Reason,
    Rejection,
    Snapshot,
    Source,
    State,
    Steered,
    Verdict,
    Welcome,
)
from faustwire_bridge.core import events, overview
from faustwire_bridge.core.event_log import EventLog
from faustwire_bridge.core.events import Arrived, DspChanged, Lost, Noticed, Tick, Unreadable, User
from faustwire_bridge.core.instructions import Compile, Happened, Instruction, Send, Stop, Write
from faustwire_bridge.core.pipeline import Ended, Pipeline, Publication
from faustwire_bridge.core.selection import followed, why_unheard
from faustwire_bridge.core.sessions import MAX_WORKERS, Session, Sessions
from faustwire_bridge.core.sound_limits import Limits
from faustwire_bridge.core.throttle import COST_MULTIPLE, due, due_at, turned_down
from faustwire_bridge.core.waiting import Submission, Waiting

# Time for a worker to come at all, its torch import included, and for the next one of a sweep.
FIRST_WORKER_SECONDS = 30.0
NEXT_WORKER_SECONDS = 2.0
# After these the number of the call and the clock are all that decides on the next.
_TELLS_DUE = (
    Reason.PUBLISHED,
    Reason.UNCHANGED,
    Reason.EVERY,
    Reason.MIN_INTERVAL,
    Reason.RELOAD_COST,
    Reason.NOT_FOLLOWED,
)
_OF_TIME = (Reason.MIN_INTERVAL, Reason.RELOAD_COST)


@dataclass(frozen=True)
class Rules:
    """What a bridge is told about deciding.

    Attributes:
        follow: whom the plugin follows at first.
        settle: every worker's newest snapshot that time alone turned down is written later.
        leave_when_idle: end when the last worker has gone.
        cost_multiple: reloads are at least so many times as long apart as the program takes to
            compile.
        limits: what may be heard.
        sees_all: workers are to send even what would be turned down anyway, for a recording.
    """

    follow: Choice = field(default_factory=Choice)
    settle: bool = False
    leave_when_idle: bool = False
    cost_multiple: float = COST_MULTIPLE
    limits: Limits = field(default_factory=Limits)
    sees_all: bool = False

    def to_text(self) -> str:
        """The rules as a recording keeps them; ``from_text`` reads them again."""
        return json.dumps(asdict(self))

    @classmethod
    def from_text(cls, text: str) -> Rules:
        """The rules that ``to_text`` has written.

        Raises:
            ValueError: the text is no such thing.
            TypeError: the same.
        """
        known = json.loads(text)
        return cls(
            **{**known, "follow": Choice(**known["follow"]), "limits": Limits(**known["limits"])}
        )


class Core:
    """The state of a bridge and its rules.

    Attributes:
        pipeline: what is on its way to the plugin, and what it has.
        sessions: who is there.
        follow: whom the plugin follows.
        event_log: what has happened.
        welcome: who we are.
    """

    def __init__(self, welcome: Welcome, now: float, rules: Rules | None = None) -> None:
        self._rules = rules or Rules()
        self.welcome = welcome
        self.pipeline = Pipeline(
            welcome.dsp_path,
            cost_multiple=self._rules.cost_multiple,
            limits=self._rules.limits,
        )
        self.sessions = Sessions()
        self.follow = self._rules.follow
        self.event_log = EventLog()
        self._idle_until = now + FIRST_WORKER_SECONDS
        self._waiting = Waiting()
        self._chosen_is_due = False
        self._states = 0

    def handle(self, event: events.Event, now: float) -> list[Instruction]:
        """Take one event.

        Args:
            event: what happened.
            now: seconds, on a clock that never goes back.

        Returns:
            What to do, in this order. After a Write comes its outcome, before any other event;
            after a Judge or Compile its outcome comes in its own time, and no Write, Judge or
            Compile before it.
        """
        instructions = self._take(event, now)
        while self.pipeline.current is None and (self._chosen_is_due or self._waiting):
            instructions += self._next(now)
        return instructions

    def _take(self, event: events.Event, now: float) -> list[Instruction]:
        match event:
            case Arrived():
                return self._arrived(event, now)
            case Unreadable():
                return self._unreadable(event, now)
            case Lost(peer):
                return self._part(peer, "left", "its connection is lost", now)
            case DspChanged():
                self.pipeline.forget()
                return []
            case Noticed(kind, detail):
                if kind == "recording-stopped":
                    self.welcome = replace(self.welcome, recording="")
                    self._rules = replace(self._rules, sees_all=False)
                return [self._happened(now, kind, detail)]
            case Tick():
                return self._tick(now)
            case _:
                return self._go_on(self.pipeline.take(event, now), now)

    def deadline(self) -> float | None:
        """When ``handle`` wants a Tick; never before."""
        deadlines = [session.silent_at() for session in self.sessions.connected()]
        if self._may_leave():
            deadlines.append(self._idle_until)
        settles_at = self._settles_at()
        if settles_at is not None:
            deadlines.append(settles_at)
        return min(deadlines, default=None)

    def state(self, now: float) -> State:
        """What watchers may know; each has a number of its own."""
        self._states += 1
        return overview.state(
            self.welcome,
            self.pipeline,
            self.sessions,
            follow=self.follow,
            followed=self.followed(),
            events=self.event_log.last(),
            number=self._states,
            now=now,
        )

    def followed(self) -> list[Session]:
        """Those whom the plugin follows."""
        return followed(self.follow, self.sessions)

    def worker(self, peer: bytes) -> str:
        """What people call the worker at this peer."""
        session = self.sessions.at(peer)
        return "unknown worker" if session is None else session.name

    # -- who is there ------------------------------------------------------------------------

    def _arrived(self, event: Arrived, now: float) -> list[Instruction]:
        peer, message = event.peer, event.message
        right = "steer" if isinstance(message, Follow) else "publish"
        if event.user is not None and right not in event.user.rights:
            problem = f"the key of {event.user.name!r} is not enrolled to {right}"
            return [Send(peer, Rejection(f"{problem}: faustwire keys enrol --rights … there"))]
        if isinstance(message, Hello):
            return self._meet(peer, message, event.user, now)
        if isinstance(message, Follow):
            return self._steer(peer, message.follow, now)
        session = self.sessions.at(peer)
        if session is not None:
            return self._said(session, event, now)
        if isinstance(message, Bye):
            return []
        gone = self.sessions.gone(peer)
        if gone is None or len(self.sessions) >= MAX_WORKERS:
            return [Send(peer, Rejection("the bridge has not met this worker: Hello comes first"))]
        # It was only silent; a message that takes so long to send must not be in vain.
        self.sessions.meet(peer, gone.hello, gone.user, now)
        return [self._happened(now, "joined", "", gone), *self._said(gone, event, now)]

    def _said(self, session: Session, event: Arrived, now: float) -> list[Instruction]:
        peer, message = event.peer, event.message
        session.heard = now
        match message:
            case Ping():
                return [Send(peer, Pong())]
            case Bye():
                return self._part(peer, "left", "", now)
            case Snapshot() | Source():
                return self._submitted(session, message, event.size, now)
        return [Send(peer, Rejection(f"a {type(message).__name__} is the bridge's to send"))]

    def _meet(self, peer: bytes, hello: Hello, user: User | None, now: float) -> list[Instruction]:
        known = self.sessions.of(hello.incarnation)
        if known is not None and _name(known.user) != _name(user):
            return [Send(peer, Rejection("this incarnation is another user's"))]
        if len(self.sessions) >= MAX_WORKERS and self.sessions.at(peer) is None:
            return [Send(peer, Rejection(f"{MAX_WORKERS} workers are here; no more are taken"))]
        was_here = known is not None and known.peer is not None
        session = self.sessions.meet(peer, hello, user, now)
        self.sessions.forget(self._waiting.incarnations())
        told = [] if was_here else [self._happened(now, "joined", "", session)]
        return [Send(peer, self.welcome), *told]

    def _part(self, peer: bytes, kind: str, detail: str, now: float) -> list[Instruction]:
        session = self.sessions.part(peer, now, silent=kind == "gone")
        if session is None:
            return []
        self._idle_until = now + NEXT_WORKER_SECONDS
        return [self._happened(now, kind, detail, session)]

    def _tick(self, now: float) -> list[Instruction]:
        told = []
        for session in self.sessions.connected():
            if now >= session.silent_at() and session.peer is not None:
                told += self._part(session.peer, "gone", "nothing was heard of it", now)
        settles_at = self._settles_at()
        if settles_at is not None and now >= settles_at:
            return told + self._settle()
        if self._may_leave() and now >= self._idle_until:
            return [*told, Stop("the last worker has gone")]
        return told

    def _may_leave(self) -> bool:
        return (
            self._rules.leave_when_idle
            and not len(self.sessions)
            and self.pipeline.current is None
            and self._settles_at() is None
        )

    # -- whom the plugin follows -------------------------------------------------------------

    def _steer(self, peer: bytes, choice: Choice, now: float) -> list[Instruction]:
        self.follow = choice
        self._chosen_is_due = True
        told = f"the plugin follows {choice}"
        return [Send(peer, Steered(told)), self._happened(now, "followed", str(choice))]

    def _next(self, now: float) -> list[Instruction]:
        if not self._chosen_is_due:
            incarnation, submission = self._waiting.take()
            session = self.sessions.of(incarnation)
            assert session is not None, "what waits is needed"  # noqa: S101
            return self._consider(session, submission, now)
        self._chosen_is_due = False
        newest = [session for session in self.followed() if session.newest]
        if not newest:
            return []
        session = max(newest, key=lambda session: session.arrived)
        assert session.newest is not None  # noqa: S101 - just looked
        return self._judge(session, session.newest, "followed", session.arrived)

    # -- settling ----------------------------------------------------------------------------

    def _settling(self) -> tuple[Session, Snapshot, int] | None:
        """The newest snapshot that only waits for its time, of those whom the plugin follows."""
        found = [
            (session, *session.unsettled)
            for session in self.followed()
            if session.unsettled is not None
        ]
        return max(found, key=lambda waits: waits[2], default=None)

    def _settles_at(self) -> float | None:
        settling = None if self.pipeline.current is not None else self._settling()
        if settling is None or self.pipeline.last_reload is None:
            return None
        return due_at(settling[0].hello.min_interval, self.pipeline.last_reload)

    def _settle(self) -> list[Instruction]:
        settling = self._settling()
        assert settling is not None, "it has a deadline"  # noqa: S101
        session, snapshot, arrived = settling
        session.unsettled = None
        return self._judge(session, snapshot, "settled", arrived)

    # -- what to publish ---------------------------------------------------------------------

    def _submitted(
        self, session: Session, message: Submission, size: int, now: float
    ) -> list[Instruction]:
        """One publication at a time: what comes meanwhile waits, and is judged in its turn."""
        if session.answered is not None and message.seq <= session.answered.seq:
            again = _again(session.answered, message.seq)
            return [Send(session.peer, again, again=True)] if session.peer is not None else []
        current = self.pipeline.current
        if current is not None and current.session is session and message.seq <= current.seq:
            return []  # Sent again; its verdict is on its way.
        if isinstance(message, Snapshot) and message.seq > session.newest_seq():
            self.sessions.take(session, message, size, now)
        if current is None:
            return self._consider(session, message, now)
        instructions: list[Instruction] = []
        for incarnation, old in self._waiting.put(session.hello.incarnation, message, size):
            whose = self.sessions.of(incarnation)
            assert whose is not None, "what waits is needed"  # noqa: S101
            instructions += self._answer(Publication(whose, old.seq), Reason.SUPERSEDED, now)
        return instructions

    def _consider(self, session: Session, message: Submission, now: float) -> list[Instruction]:
        if isinstance(message, Snapshot):
            return self._snapshot(session, message, now)
        return self._source(session, message, now)

    def _snapshot(self, session: Session, snapshot: Snapshot, now: float) -> list[Instruction]:
        publication = Publication(session, snapshot.seq, call=snapshot.call)
        reason = None
        if not snapshot.force:
            reason = turned_down(
                snapshot.call,
                now,
                every=session.hello.every,
                min_interval=session.hello.min_interval,
                last_reload=self.pipeline.last_reload,
            )
        if reason in _OF_TIME and self._settles(session):
            session.unsettled = snapshot, session.arrived
        if reason is not None:
            return self._answer(publication, reason, now)
        session.unsettled = None
        unheard = why_unheard(self.follow, session, self.sessions)
        if unheard is not None:
            return self._answer(publication, Reason.NOT_FOLLOWED, now, unheard)
        return self._judge(session, snapshot, "call", session.arrived)

    def _settles(self, session: Session) -> bool:
        return self._rules.settle or session.hello.settle

    def _judge(
        self, session: Session, snapshot: Snapshot, kind: str, arrived: int
    ) -> list[Instruction]:
        publication = Publication(session, snapshot.seq, kind, snapshot.call, arrived)
        return [self.pipeline.snapshot(publication, snapshot)]

    def _source(self, session: Session, source: Source, now: float) -> list[Instruction]:
        arrived = self.sessions.arrived
        publication = Publication(session, source.seq, arrived=arrived, program=source.code)
        unheard = why_unheard(self.follow, session, self.sessions)
        if unheard is not None:
            return self._answer(publication, Reason.NOT_FOLLOWED, now, unheard)
        return self._go_on(self.pipeline.source(publication, now), now)

    def _go_on(self, step: Compile | Write | Ended, now: float) -> list[Instruction]:
        """What comes after a step of the pipeline."""
        if not isinstance(step, Ended):
            return [step]
        if step.reason is Reason.PUBLISHED:
            self.sessions.settled(step.publication.arrived)
        return self._answer(step.publication, step.reason, now, step.detail)

    # -- the verdict -------------------------------------------------------------------------

    def _unreadable(self, event: Unreadable, now: float) -> list[Instruction]:
        session = self.sessions.at(event.peer)
        if session is None or event.seq is None:
            return [Send(event.peer, Rejection(event.problem))]
        session.heard = now
        return self._answer(Publication(session, event.seq), Reason.REFUSED, now, event.problem)

    def _answer(
        self, publication: Publication, reason: Reason, now: float, detail: str = ""
    ) -> list[Instruction]:
        """The verdict, remembered for a resend, and what watchers should hear of it."""
        session, report = publication.session, publication.report
        told = self._told(publication, reason, now, detail)
        if publication.kind != "call":
            return told
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
        session.count(verdict)
        return [*([] if session.peer is None else [Send(session.peer, verdict)]), *told]

    def _told(
        self, publication: Publication, reason: Reason, now: float, detail: str
    ) -> list[Instruction]:
        session, call = publication.session, publication.call
        if reason is Reason.PUBLISHED:
            return [
                self._happened(
                    now,
                    "settled" if publication.kind == "settled" else "published",
                    detail,
                    session,
                    call=call,
                    program=self.pipeline.playing.program,
                    compile_seconds=self.pipeline.playing.compile_seconds,
                )
            ]
        if reason in HOLDS_BACK and session.reason is not reason:
            # Once a cause, not once a step.
            return [self._happened(now, "held-back", detail, session, call=call, reason=reason)]
        return []

    def _happened(
        self,
        now: float,
        kind: str,
        detail: str = "",
        session: Session | None = None,
        **more: object,
    ) -> Happened:
        return Happened(self.event_log.add(now, kind, detail, session, **more))

    def _due(self, publication: Publication, now: float) -> Due | None:
        if publication.call is None or self._rules.sees_all:
            return None
        hello = publication.session.hello
        told = due(
            publication.call,
            now,
            every=hello.every,
            min_interval=hello.min_interval,
            last_reload=self.pipeline.last_reload,
        )
        # What time turns down is needed as well, to settle with.
        return replace(told, after=0.0) if self._settles(publication.session) else told


def _name(user: User | None) -> str | None:
    return None if user is None else user.name


def _again(answered: Verdict, seq: int) -> Verdict:
    """The verdict on a resend over a new connection: answered again, not done again."""
    return answered if seq == answered.seq else Verdict(seq, False, Reason.SUPERSEDED)
