"""States of a bridge, made by hand."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from faustwire.messages import Choice, Event, Reason, State, WorkerState

WORKER = WorkerState(
    worker="anna",
    incarnation="anna-1",
    host="gpu-3",
    pid=7,
    user="",
    connected=True,
    followed=True,
    since=100.0,
    last_seen=200.0,
    newest_call=1204,
    metrics={"loss": 0.0132},
    reason=Reason.PUBLISHED,
    detail="",
    counts={"published": 41, "min-interval": 1163},
    rate=12.1,
)
STATE = State(
    number=9,
    now=200.0,
    pid=4711,
    host="studio",
    dsp_path="/plugins/live.dsp",
    recording="",
    follow=Choice(),
    playing_worker="anna",
    playing_incarnation="anna-1",
    playing_call=1201,
    reloads=41,
    reloaded_at=197.0,
    compile_seconds=0.057,
    workers=(WORKER,),
    events=(),
)


def worker(name: str, **changes: Any) -> WorkerState:
    """``WORKER`` with some fields replaced."""
    return replace(WORKER, worker=name, incarnation=f"{name}-1", **changes)


def state(*workers: WorkerState, **changes: Any) -> State:
    """``STATE`` with some fields replaced."""
    return replace(STATE, **{"workers": workers or STATE.workers, **changes})


def event(number: int, kind: str = "published", **changes: Any) -> Event:
    """An event that happened ten seconds before ``STATE``."""
    return Event(number, 190.0, kind, **changes)
