"""What has happened, numbered, and the last of it for watchers who come late."""

from __future__ import annotations

from collections import deque
from typing import Any

from faustwire.codec import MAX_TEXT
from faustwire.messages import Event
from faustwire_bridge.core.sessions import Session

# Enough to fill a terminal, and for all that can happen within a tenth of a second at the pace that
# people look at.
_KEPT = 32


class EventLog:
    """The events of one bridge's life."""

    def __init__(self) -> None:
        self._number = 0
        self._last: deque[Event] = deque(maxlen=_KEPT)

    def add(
        self, now: float, kind: str, detail: str = "", session: Session | None = None, **more: Any
    ) -> Event:
        """Write an event down; the arguments are its fields."""
        self._number += 1
        worker = "" if session is None else session.name
        incarnation = "" if session is None else session.hello.incarnation
        event = Event(self._number, now, kind, detail[:MAX_TEXT], worker, incarnation, **more)
        self._last.append(event)
        return event

    def last(self) -> tuple[Event, ...]:
        """The last ones, oldest first."""
        return tuple(self._last)
