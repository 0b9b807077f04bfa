"""What watchers see: the whole of the bridge's state, as a message."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING

from faustwire.messages import State, WorkerState
from faustwire_bridge.sessions import Session

if TYPE_CHECKING:
    from faustwire_bridge.core import Core

# Those who left are shown for as long as somebody may wonder where they are.
_GONE_SHOWN_SECONDS = 600.0
_MAX_GONE = 64
# A line of a table; the verdict has the whole.
_MAX_DETAIL = 200
# A thousand workers with as much as they may say must fit into one message (codec.MAX_BYTES).
_MAX_METRICS = 16
_MAX_NAME = 64


def state(core: Core, number: int, now: float) -> State:
    """The state of a bridge.

    Args:
        core: the bridge.
        number: of this state.
        now: seconds on its clock.
    """
    playing, last_reload = core.pipeline.playing, core.pipeline.last_reload
    session = playing.session
    followed = {id(session) for session in core.followed()}
    return State(
        number=number,
        now=now,
        pid=core.welcome.pid,
        host=core.welcome.host,
        dsp_path=core.welcome.dsp_path,
        recording=core.welcome.recording,
        follow=core.follow,
        playing_worker="" if session is None else session.name,
        playing_incarnation="" if session is None else session.hello.incarnation,
        playing_call=playing.call,
        reloads=core.pipeline.reloads,
        reloaded_at=None if last_reload is None else last_reload.at,
        compile_seconds=playing.compile_seconds,
        workers=tuple(
            _worker(session, now, followed=id(session) in followed) for session in _shown(core, now)
        ),
        events=core.chronicle.last(),
    )


def _shown(core: Core, now: float) -> list[Session]:
    gone = [session for session in core.sessions if session.peer is None]
    lately = [session for session in gone if now - session.left < _GONE_SHOWN_SECONDS]
    shown = [*core.sessions.connected(), *lately[-_MAX_GONE:]]
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
        detail=session.detail[:_MAX_DETAIL],
        counts=dict(session.counts),
        rate=session.rate(now),
    )
