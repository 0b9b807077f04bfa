"""Settling: a snapshot that only time turned down is published when time allows it. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from faustwire.packed_snapshot import PackedSnapshot
from faustwire_bridge.core.pipeline import Pipeline
from faustwire_bridge.core.session import Session
from faustwire_bridge.core.throttle import due_at


class Unsettled(NamedTuple):
    """A snapshot that waits for its time.

    Attributes:
        session: the worker.
        snapshot: its snapshot.
        arrival: arrival index across all workers.
    """

    session: Session
    snapshot: PackedSnapshot
    arrival: int


def newest_unsettled(followed: Iterable[Session]) -> Unsettled | None:
    """The newest snapshot that waits for its time.

    Args:
        followed: the workers that the plugin follows.

    Returns:
        That snapshot; None: nothing waits.
    """
    found = [
        Unsettled(session, *session.unsettled)
        for session in followed
        if session.unsettled is not None
    ]
    return max(found, key=lambda unsettled: unsettled.arrival, default=None)


def settles_at(pipeline: Pipeline, followed: Iterable[Session]) -> float | None:
    """When the next snapshot is to be published that waits for its time.

    Args:
        pipeline: what is on its way to the plugin.
        followed: the workers that the plugin follows.

    Returns:
        Seconds on the bridge's clock; None: nothing waits, or something is being published.
    """
    if pipeline.current is not None or pipeline.last_reload is None:
        return None
    unsettled = newest_unsettled(followed)
    if unsettled is None:
        return None
    return due_at(unsettled.session.hello.min_interval, pipeline.last_reload)
