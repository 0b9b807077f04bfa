"""Every decision of the bridge: events and a `now` go in, instructions come out.

No socket, no file and no clock is touched here, so the same events give the same instructions
again. The order of the decisions on a snapshot is a table in ``docs/architecture.md``.
"""

from __future__ import annotations

from dataclasses import replace

from faustwire.messages import (
    Bye,
    Choice,
    Follow,
    Hello,
    OwnProgram,
    Ping,
    Pong,
    Reason,
    Rejection,
    State,
    Welcome,
)
from faustwire.packed_snapshot import PackedSnapshot
from faustwire_bridge.core import overview, rights
from faustwire_bridge.core.admission import Admission
from faustwire_bridge.core.event_log import EventLog
from faustwire_bridge.core.events import (
    Arrived,
    CoreEvent,
    DspChanged,
    FinishedAside,
    Lost,
    Noticed,
    Revoked,
    Tick,
    Unreadable,
)
from faustwire_bridge.core.instructions import Happened, Instruction, Send, Stop
from faustwire_bridge.core.membership import Membership, is_of
from faustwire_bridge.core.pipeline import Pipeline
from faustwire_bridge.core.publication import Conclusion, Publication
from faustwire_bridge.core.room import Room
from faustwire_bridge.core.rules import Rules
from faustwire_bridge.core.scheduler import Scheduler
from faustwire_bridge.core.session import Session
from faustwire_bridge.core.sessions import Sessions
from faustwire_bridge.core.turns import Turns
from faustwire_bridge.core.verdicts import Verdicts


class Core:
    """The state of a bridge and its rules.

    Attributes:
        pipeline: what is on its way to the plugin, and what it has.
        sessions: the workers.
        event_log: what has happened.
        welcome: who the bridge is.
    """

    def __init__(self, welcome: Welcome, now: float, rules: Rules | None = None) -> None:
        rules = rules or Rules()
        self.welcome = welcome
        self.pipeline = Pipeline(
            welcome.dsp_path,
            cost_multiple=rules.cost_multiple,
            let_ring=rules.let_ring,
            limits=rules.limits,
        )
        self.sessions = Sessions()
        self.event_log = EventLog()
        self._verdicts = Verdicts(rules, self.pipeline, self.event_log)
        self._membership = Membership(self.sessions, self.event_log, now)
        self._turns = Turns(self.sessions)
        self._admission = Admission(
            rules.follow, sessions=self.sessions, pipeline=self.pipeline, verdicts=self._verdicts
        )
        self._room = Room(
            sessions=self.sessions,
            pipeline=self.pipeline,
            turns=self._turns,
            verdicts=self._verdicts,
        )
        self._scheduler = Scheduler(
            admission=self._admission,
            sessions=self.sessions,
            pipeline=self.pipeline,
            turns=self._turns,
            room=self._room,
            verdicts=self._verdicts,
            event_log=self.event_log,
        )
        self._states = 0
        self._now = now

    def handle(self, event: CoreEvent, now: float) -> list[Instruction]:
        """Decide what follows from one event.

        Args:
            event: what happened.
            now: seconds, on a clock that never goes back.

        Returns:
            What to do, in this order. The outcome of a Write, Judge or Compile comes in its own
            time. Before it comes no other of them, but after a SetAside or Cancel.
        """
        self._now = now
        current = self.pipeline.current
        try:
            instructions = self._decide(event, now)
        except Exception as error:  # noqa: BLE001 - nobody else's publication may be lost
            concerned = self._concerned(event, current)
            instructions = self._scheduler.abandon(concerned, error, now)
        return instructions + self._scheduler.next_steps(now)

    def deadline(self) -> float | None:
        """When ``handle`` wants a Tick; never before."""
        deadlines = [session.silent_at() for session in self.sessions.connected()]
        settles = self._scheduler.settles_at()
        if self._may_leave(settles):
            deadlines.append(self._membership.idle_until)
        makes_room = self._scheduler.makes_room_at(self._now)
        deadlines += [at for at in (settles, makes_room) if at is not None]
        return min(deadlines, default=None)

    def state(self, now: float) -> State:
        """What watchers may know; each state has a number of its own."""
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

    @property
    def follow(self) -> Choice:
        """Whom the plugin follows."""
        return self._admission.follow

    def followed(self) -> list[Session]:
        """The workers that the plugin follows."""
        return self._admission.followed()

    def worker(self, peer: bytes) -> str:
        """What people call the worker at this peer."""
        session = self.sessions.at(peer)
        return "unknown worker" if session is None else session.name

    # -- one event ---------------------------------------------------------------------------

    def _decide(self, event: CoreEvent, now: float) -> list[Instruction]:
        match event:
            case Arrived():
                return self._arrived(event, now)
            case Unreadable():
                return self._unreadable(event, now)
            case Lost(peer):
                return self._leave(peer, "left", "its connection is lost", now)
            case Revoked(user):
                return self._revoked(user, now)
            case DspChanged():
                self.pipeline.forget_program(now)
                return []
            case FinishedAside(outcome):
                return self._scheduler.finish_aside(outcome, now)
            case Noticed(kind, detail):
                return self._noticed(kind, detail, now)
            case Tick():
                return self._tick(now)
            case _:
                return self._scheduler.conclude(self.pipeline.continue_after(event, now), now)

    def _noticed(self, kind: str, detail: str, now: float) -> list[Instruction]:
        if kind == "recording-stopped":
            self.welcome = replace(self.welcome, recording="")
            self._verdicts.rules = replace(self._verdicts.rules, sees_all=False)
        return [Happened(self.event_log.add(now, kind, detail))]

    def _leave(self, peer: bytes, kind: str, detail: str, now: float) -> list[Instruction]:
        session = self.sessions.at(peer)
        if session is not None:
            # Who comes back sends it again.
            self._turns.drop(session)
        return self._membership.leave(peer, kind, detail, now)

    def _revoked(self, user: str, now: float) -> list[Instruction]:
        told = self._room.revoke(user, now)
        for session in self.sessions.connected():
            if session.user is not None and session.user.name == user and session.peer is not None:
                told += self._leave(session.peer, "left", "its key has lost a right", now)
        return told

    def _tick(self, now: float) -> list[Instruction]:
        told: list[Instruction] = []
        for session in self._membership.silent(now):
            assert session.peer is not None, "it is connected"  # noqa: S101
            told += self._leave(session.peer, "gone", "nothing was heard of it", now)
        makes_room = self._scheduler.makes_room_at(now)
        if makes_room is not None and now >= makes_room:
            return told + self._scheduler.make_room(now)
        settles = self._scheduler.settles_at()
        if settles is not None and now >= settles:
            return told + self._scheduler.settle(now)
        if self._may_leave(settles) and now >= self._membership.idle_until:
            return [*told, Stop("the last worker has gone")]
        return told

    def _may_leave(self, settles: float | None) -> bool:
        return (
            self._verdicts.rules.leave_when_idle
            and not len(self.sessions)
            and self.pipeline.current is None
            and self._turns.aside is None
            and settles is None
        )

    # -- when something goes wrong -----------------------------------------------------------

    def _concerned(self, event: CoreEvent, current: Publication | None) -> Publication | None:
        """The publication whose verdict would be missing if an event could not be handled."""
        if isinstance(event, Arrived):
            session, message = self.sessions.at(event.peer), event.message
            if session is None or not isinstance(message, (PackedSnapshot, OwnProgram)):
                return None
            return Publication(session, message.seq)
        if isinstance(event, (FinishedAside, Unreadable, Lost, Revoked, DspChanged, Noticed, Tick)):
            return None
        return current

    # -- messages ----------------------------------------------------------------------------

    def _arrived(self, event: Arrived, now: float) -> list[Instruction]:
        peer, message = event.peer, event.message
        refusal = rights.refusal(message, event.user)
        if refusal is not None:
            return [Send(peer, refusal)]
        if isinstance(message, Hello):
            before = self.sessions.at(peer)
            if before is not None and before.hello.incarnation != message.incarnation:
                # One connection is one worker; who it was before has left.
                self._turns.drop(before)
            told: list[Instruction] = []
            crowd = self._membership.crowd(peer, message, event.user)
            if crowd is not None and crowd.peer is not None:
                told = self._leave(crowd.peer, "left", "others need its place", now)
            waiting = self._turns.waiting()
            joined = self._membership.join(
                peer, message, event.user, welcome=self.welcome, still_needed=waiting, now=now
            )
            return joined + told
        if isinstance(message, Follow):
            return self._scheduler.steer(peer, message.follow, now)
        return self._from_worker(event, now)

    def _from_worker(self, event: Arrived, now: float) -> list[Instruction]:
        here = self.sessions.at(event.peer)
        session = here or self.sessions.gone(event.peer)
        if here is None and isinstance(event.message, Bye):
            return []
        # Another key's, where that has chosen the routing id of a connection that is lost.
        is_its_own = session is not None and is_of(session, event.user)
        if session is None or not is_its_own or (here is None and self._membership.is_full()):
            problem = "the bridge has not met this worker: Hello comes first"
            return [Send(event.peer, Rejection(problem))]
        # It was only silent; a message that takes that long to send must not be lost.
        joined = [] if here else [self._membership.rejoin(event.peer, session, now)]
        return [*joined, *self._said(session, event, now)]

    def _said(self, session: Session, event: Arrived, now: float) -> list[Instruction]:
        peer, message = event.peer, event.message
        session.heard, session.user = now, event.user
        match message:
            case Ping():
                return [Send(peer, Pong())]
            case Bye():
                return self._leave(peer, "left", "", now)
            case PackedSnapshot() | OwnProgram():
                return self._scheduler.submit(session, message, event.size, now)
        problem = f"a {type(message).__name__} is sent by the bridge only"
        return [Send(peer, Rejection(problem))]

    def _unreadable(self, event: Unreadable, now: float) -> list[Instruction]:
        session = self.sessions.at(event.peer)
        if session is None or event.seq is None:
            return [Send(event.peer, Rejection(event.problem))]
        session.heard = now
        publication = Publication(session, event.seq)
        return self._verdicts.answer(Conclusion(publication, Reason.REFUSED, event.problem), now)
