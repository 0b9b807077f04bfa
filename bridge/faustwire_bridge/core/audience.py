"""Who listens to which worker, and what they may hear next. Pure.

A listener has one request outstanding: it waits for a snapshot of one worker that is newer than the
one it has, and that was judged. What nobody has asked for meanwhile is passed over, so nothing
queues. The snapshots that the plugin's pipeline has judged are known by their verdicts; those that
it turned down unjudged, or did not follow, are judged for the listeners, one at a time.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import NamedTuple

from faustwire.limits import MAX_BYTES
from faustwire.messages import Heard, Listen, Verdict
from faustwire.packed_snapshot import PackedSnapshot
from faustwire_bridge.core.events import Judged, JudgeFailed
from faustwire_bridge.core.hearing import Hearing, by_judgement, by_verdict
from faustwire_bridge.core.session import Session
from faustwire_bridge.core.sessions import Sessions
from faustwire_bridge.core.text_size import text_bytes

# Of one user, or of all who need no key.
MAX_LISTENERS = 64
# Who still listens asks again every few seconds.
LEASE_SECONDS = 10.0
# The newest judged snapshots are kept, one for each of so many runs, and so many bytes with what is
# said of them. Whatever is not kept is judged again.
MAX_KEPT = 1024
MAX_KEPT_BYTES = 64 * 2**20
# Of a message, beside the snapshot in it.
_ENVELOPE_BYTES = 2**14


class _Request(NamedTuple):
    """What a connection waits for."""

    incarnation: str
    after: int
    user: str | None
    until: float


class Audience:
    """The listeners of a bridge; times are seconds on a clock that never goes back."""

    def __init__(self, sessions: Sessions) -> None:
        """Nobody listens yet.

        Args:
            sessions: the workers, with their newest snapshots.
        """
        self._sessions = sessions
        # In the order in which they asked.
        self._requests: OrderedDict[bytes, _Request] = OrderedDict()
        # The newest judged snapshot of each worker, those that were used last at the end.
        self._known: OrderedDict[str, Heard] = OrderedDict()
        self._bytes = 0
        self._judging: tuple[Session, PackedSnapshot] | None = None

    def ask(self, peer: bytes, user: str | None, listen: Listen, now: float) -> str | None:
        """Note what somebody waits for, in place of what it has waited for.

        Args:
            peer: its connection.
            user: the name its key was enrolled under; None: it needed none.
            listen: what it asked.
            now: when.

        Returns:
            Why it gets nothing; None: it waits.
        """
        self._drop_late(now)
        self._requests.pop(peer, None)
        if sum(request.user == user for request in self._requests.values()) >= MAX_LISTENERS:
            return f"{MAX_LISTENERS} connections listen already, and no more can"
        until = now + LEASE_SECONDS
        self._requests[peer] = _Request(listen.incarnation, listen.heard_call, user, until)
        return None

    def forget(self, user: str) -> None:
        """A user has lost a right: what it waits for is not answered."""
        for peer in [peer for peer, asked in self._requests.items() if asked.user == user]:
            del self._requests[peer]

    def decided(self, session: Session, verdict: Verdict) -> None:
        """A worker was given a verdict.

        Args:
            session: the worker.
            verdict: what it was told.
        """
        newest = session.newest
        if newest is None or newest.seq != verdict.seq:
            return
        hearing = by_verdict(verdict)
        if hearing is not None:
            self._keep(session, newest, hearing)

    def pop_answers(self, most_bytes: int) -> list[tuple[bytes, Heard]]:
        """Who gets what now; they no longer wait.

        Args:
            most_bytes: of the snapshots together; the first answer may have more.

        Returns:
            The connections that asked first, each with its answer; later ones may be left.
        """
        answered: list[tuple[bytes, Heard]] = []
        for peer, asked in self._requests.items():
            known = self._known.get(asked.incarnation)
            if known is None or known.call <= asked.after:
                continue
            most_bytes -= len(known.snapshot)
            if answered and most_bytes < 0:
                break
            answered.append((peer, known))
        for peer, known in answered:
            del self._requests[peer]
            self._known.move_to_end(known.incarnation)
        return answered

    def begin_judging(self, now: float) -> PackedSnapshot | None:
        """Choose a snapshot to be judged for a listener.

        Args:
            now: when.

        Returns:
            The newest one of a worker that somebody waits for; None: there is none that the
            pipeline has done with, or another one is being judged.
        """
        self._drop_late(now)
        if self._judging is not None:
            return None
        for peer, asked in self._requests.items():
            session = self._sessions.of(asked.incarnation)
            newest = None if session is None else session.newest
            if session is None or newest is None or not self._is_wanted(session, newest, asked):
                continue
            self._judging = session, newest
            # Others first, next time.
            self._requests.move_to_end(peer)
            return newest
        return None

    def end_judging(self, outcome: Judged | JudgeFailed) -> None:
        """The snapshot that was chosen last is judged.

        Args:
            outcome: what came of it.
        """
        if self._judging is None:
            return
        (session, snapshot), self._judging = self._judging, None
        assert session.reason is not None, "it had a verdict"  # noqa: S101
        self._keep(session, snapshot, by_judgement(outcome, session.reason))

    def _is_wanted(self, session: Session, newest: PackedSnapshot, asked: _Request) -> bool:
        known = self._known.get(asked.incarnation)
        is_new = newest.call > max(asked.after, 0 if known is None else known.call)
        # Until then the pipeline may judge it itself.
        return is_new and session.answered is not None and session.answered.seq >= newest.seq

    def _keep(self, session: Session, snapshot: PackedSnapshot, hearing: Hearing) -> None:
        incarnation = session.hello.incarnation
        before = self._known.pop(incarnation, None)
        if before is not None and before.call > snapshot.call:
            self._known[incarnation] = before
            return
        self._bytes -= 0 if before is None else _size(before)
        heard = _heard(incarnation, snapshot, hearing)
        self._known[incarnation] = heard
        self._bytes += _size(heard)
        while self._is_full() and len(self._known) > 1:
            _, oldest = self._known.popitem(last=False)
            self._bytes -= _size(oldest)

    def _is_full(self) -> bool:
        return self._bytes > MAX_KEPT_BYTES or len(self._known) > MAX_KEPT

    def _drop_late(self, now: float) -> None:
        for peer in [peer for peer, asked in self._requests.items() if asked.until < now]:
            del self._requests[peer]


def _size(heard: Heard) -> int:
    return len(heard.snapshot) + text_bytes(heard.detail)


def _heard(incarnation: str, snapshot: PackedSnapshot, hearing: Hearing) -> Heard:
    fits = len(snapshot.data) <= MAX_BYTES - _ENVELOPE_BYTES
    return Heard(
        incarnation,
        snapshot.call,
        hearing.reason,
        hearing.detail if fits else "it is too large to be sent on",
        hearing.margin_db,
        hearing.rt60_seconds,
        snapshot.data if hearing.audible and fits else b"",
    )
