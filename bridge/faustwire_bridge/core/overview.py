"""What watchers see: the whole of the bridge's state, as a message."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice

from faustwire.messages import Choice, Event, State, Welcome, WorkerState
from faustwire_bridge.core.pipeline import Pipeline
from faustwire_bridge.core.session import Session
from faustwire_bridge.core.sessions import Sessions

# Those who left are shown for as long as somebody may wonder where they are.
_GONE_SHOWN_SECONDS = 600.0
_MAX_GONE = 64
# A thousand workers with as much as they may say must fit into one message (codec.MAX_BYTES).
_MAX_METRICS = 16
_MAX_NAME = 64


def state(
    welcome: Welcome,
    pipeline: Pipeline,
    sessions: Sessions,
    *,
    follow: Choice,
    followed: Sequence[Session],
    events: tuple[Event, ...],
    number: int,
    now: float,
) -> State:
    """The whole state of a bridge, as a message.

    Args:
        welcome: who the bridge is.
        pipeline: what plays.
        sessions: all workers, connected or gone.
        follow: the selection in force.
        followed: the sessions that it selects.
        events: what has happened lately.
        number: of this state; grows by one each time.
        now: seconds on the bridge's clock.
    """
    playing, last_reload = pipeline.playing, pipeline.last_reload
    session = playing.session
    selected = {id(session) for session in followed}
    return State(
        number=number,
        now=now,
        pid=welcome.pid,
        host=welcome.host,
        dsp_path=welcome.dsp_path,
        recording=welcome.recording,
        follow=follow,
        playing_worker="" if session is None else session.name,
        playing_incarnation="" if session is None else session.hello.incarnation,
        playing_call=playing.call,
        reloads=pipeline.reloads,
        reloaded_at=None if last_reload is None else last_reload.at,
        compile_seconds=playing.compile_seconds,
        load=playing.load,
        workers=tuple(
            _worker(session, now, followed=id(session) in selected)
            for session in _shown(sessions, now)
        ),
        events=events,
    )


def _shown(sessions: Sessions, now: float) -> list[Session]:
    gone = [session for session in sessions if session.peer is None]
    lately = [session for session in gone if now - session.left < _GONE_SHOWN_SECONDS]
    shown = [*sessions.connected(), *lately[-_MAX_GONE:]]
    return sorted(shown, key=lambda session: session.joined)


def _worker(session: Session, now: float, *, followed: bool) -> WorkerState:
    hello = session.hello
    metrics = islice(session.metrics.items(), _MAX_METRICS)
    return WorkerState(
        worker=session.name,
        incarnation=hello.incarnation,
        host=hello.host[:_MAX_NAME],
        pid=hello.pid,
        user="" if session.user is None else session.user.name,
        connected=session.peer is not None,
        followed=followed,
        since=session.since,
        last_seen=session.heard,
        newest_call=session.newest_call,
        metrics={name[:_MAX_NAME]: value for name, value in metrics},
        reason=session.reason,
        detail=session.detail,
        counts=dict(session.counts),
        rate=session.rate(now),
    )
