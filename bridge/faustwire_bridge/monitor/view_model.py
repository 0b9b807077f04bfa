"""What a watcher has seen of a bridge. Pure: states and times go in, what is new comes out."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

from faustwire.messages import Event, State

# A bridge tells its state once a second at least; two late ones are not an accident.
SILENCE_SECONDS = 3.0
# More than any terminal has lines.
_KEPT = 500


@dataclass(frozen=True)
class Entry:
    """A line about something that happened.

    Attributes:
        at: when, seconds since 1970.
        kind: an event's, or "bridge": what became of the connection to it.
        detail: one line for people.
        worker: whom it is about; empty: nobody.
        call: which of its calls.
    """

    at: float
    kind: str
    detail: str
    worker: str = ""
    call: int | None = None


class ViewModel:
    """What is known of a bridge, whatever becomes of the connection.

    Attributes:
        state: the newest; None: there was none yet.
        trouble: why nothing is heard; None: the bridge is heard.
        entries: what happened, oldest first.
        watched: whether some program watches the ``.dsp``; None: not known. Where none does, a
            program is written, but nothing plays it.
    """

    def __init__(self) -> None:
        self.watched: bool | None = None
        self.state: State | None = None
        self.trouble: str | None = None
        self.entries: deque[Entry] = deque(maxlen=_KEPT)
        self._received = 0.0
        self._seen = 0

    def age(self, now: float) -> float:
        """Seconds since the newest state came."""
        return now - self._received

    def take(self, state: State, now: float, wall: float) -> list[Entry]:
        """A state has come.

        Args:
            state: the bridge's.
            now: seconds on a clock that never goes back.
            wall: seconds since 1970.

        Returns:
            What is new.
        """
        fresh = self._reconnected(state, wall)
        events = [event for event in state.events if event.number > self._seen]
        if self._seen and events and events[0].number > self._seen + 1:
            missed = events[0].number - self._seen - 1
            fresh.append(Entry(wall, "bridge", f"{missed} events came and went unseen"))
        fresh += [_entry(event, state, wall, heard=self.watched is not False) for event in events]
        self._seen = max([self._seen, *(event.number for event in events)])
        self.state, self.trouble, self._received = state, None, now
        self.entries += fresh
        return fresh

    def _reconnected(self, state: State, wall: float) -> list[Entry]:
        if self.state is not None and _is_another(self.state, state):
            self._seen = 0
            return [Entry(wall, "bridge", f"another bridge, pid {state.pid}")]
        if self.trouble is not None:
            return [Entry(wall, "bridge", "heard again")]
        return []

    def miss(self, trouble: str | None, now: float, wall: float) -> list[Entry]:
        """No state has come for a moment.

        Args:
            trouble: why there is no connection, None: there is one.
            now: seconds on a clock that never goes back.
            wall: seconds since 1970.

        Returns:
            What is new.
        """
        if trouble is None and self.state is not None and self.age(now) < SILENCE_SECONDS:
            return []
        known, self.trouble = self.trouble, trouble or "connected, but the bridge says nothing"
        if known is not None or self.state is None:
            return []
        entry = Entry(wall, "bridge", self.trouble)
        self.entries.append(entry)
        return [entry]


def _is_another(before: State, state: State) -> bool:
    # Two bridges of one pid: the machine was started again, and counts from the beginning.
    return (before.pid, before.host) != (state.pid, state.host) or state.number < before.number


def _entry(event: Event, state: State, wall: float, *, heard: bool) -> Entry:
    at = wall - (state.now - event.at)
    # Where it was published to is the same each time; what each reload costs is not.
    detail = "" if event.detail == state.dsp_path else event.detail
    if event.compile_seconds is not None and heard:
        detail = f"{detail} {1000 * event.compile_seconds:.0f} ms of silence".strip()
    return Entry(at, event.kind, detail, event.worker, event.call)
