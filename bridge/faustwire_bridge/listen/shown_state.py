"""A bridge's state as a page is told it."""

from __future__ import annotations

from typing import Any

from faustwire.messages import State, WorkerState


def shown(state: State) -> dict[str, Any]:
    """A bridge's state as a page is told, without the type of its message.

    Args:
        state: the bridge's.

    Returns:
        The fields of a message ``state``.
    """
    playing = state.playing_incarnation
    return {
        "follow": str(state.follow),
        "playing": {"run": playing, "call": state.playing_call} if playing else None,
        "workers": [_row(worker, state) for worker in state.workers],
    }


def _row(worker: WorkerState, state: State) -> dict[str, Any]:
    return {
        "run": worker.incarnation,
        "worker": worker.worker,
        "host": worker.host,
        "standing": _standing(worker, state),
        "call": worker.newest_call,
        "rate": worker.rate,
        "metrics": worker.metrics,
        "reason": "" if worker.reason is None else str(worker.reason),
        "detail": "" if worker.detail == state.dsp_path else worker.detail,
        "published": worker.published,
        "calls": worker.newest_call or 0,
        "seen_seconds": max(0.0, state.now - worker.last_seen),
    }


def _standing(worker: WorkerState, state: State) -> str:
    if not worker.connected:
        return "gone"
    if worker.incarnation == state.playing_incarnation:
        return "plays"
    return "followed" if worker.followed else "not followed"
