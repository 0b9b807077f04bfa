"""A place in a recording's states that moves forward and back."""

from __future__ import annotations

from faustwire_publisher.replay.states import RecordedBye, RecordedState, States

FORWARD, BACK = 1, -1


class Cursor:
    """The states from some time on, with a way back."""

    def __init__(self, states: States, at_ns: int) -> None:
        """Stand before the first state at or after a time.

        Args:
            states: of the recording.
            at_ns: the time, ns on the recording's clock.
        """
        self._states = states
        self._coming = states.since(at_ns)
        self._next: RecordedState | RecordedBye | None = next(self._coming, None)
        # Seeking the moment after a state means that this one was sent already.
        self._last_ns = at_ns - 1

    def peek(self) -> RecordedState | RecordedBye | None:
        """What comes next; None: nothing does. The cursor stays."""
        return self._next

    def take(self) -> RecordedState | RecordedBye | None:
        """What comes next; the cursor moves past it."""
        taken, self._next = self._next, next(self._coming, None)
        if isinstance(taken, RecordedState):
            self._last_ns = taken.at_ns
        return taken

    def back(self) -> RecordedState | None:
        """The state before the last one, which the cursor moves behind; None: there is none."""
        found = self._states.before(self._last_ns)
        if found is not None:
            self._coming = self._states.since(found.at_ns + 1)
            self._next, self._last_ns = next(self._coming, None), found.at_ns
        return found

    def move(self, direction: int) -> RecordedState | RecordedBye | None:
        """The state, or the worker that leaves, that a move leads to; None: there is none.

        Args:
            direction: ``BACK``; ``FORWARD``: to the next state, past workers that leave; 0: to
                whatever comes next.
        """
        found = self.back() if direction == BACK else self.take()
        while direction == FORWARD and isinstance(found, RecordedBye):
            found = self.take()
        return found
