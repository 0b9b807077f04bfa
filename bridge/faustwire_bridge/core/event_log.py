"""Events of the bridge, numbered; the last ones are kept for watchers who come late."""

from __future__ import annotations

from collections import deque
from typing import Any

from faustwire.messages import Event
from faustwire_bridge.core.sendable_text import sendable
from faustwire_bridge.core.session import Session

# Enough to fill a terminal, and for all that can happen within a tenth of a second at the pace that
# people look at.
KEPT_EVENTS = 32


class EventLog:
    """The events since the bridge started."""

    def __init__(self) -> None:
        self._number = 0
        self._last: deque[Event] = deque(maxlen=KEPT_EVENTS)

    def add(
        self, now: float, kind: str, detail: str = "", session: Session | None = None, **more: Any
    ) -> Event:
        """Add an event.

        Args:
            now: seconds on the bridge's clock.
            kind: one of the list in ``docs/wire.md``.
            detail: one line for people.
            session: the worker that it is about; None: nobody.
            more: further fields of ``faustwire.messages.Event``.

        Returns:
            The event with its number.
        """
        self._number += 1
        worker = "" if session is None else session.name
        incarnation = "" if session is None else session.hello.incarnation
        event = Event(self._number, now, kind, sendable(detail), worker, incarnation, **more)
        self._last.append(event)
        return event

    def last(self) -> tuple[Event, ...]:
        """The last events, oldest first."""
        return tuple(self._last)
