"""Those who watch: they take part in no decision, so the core and the recording don't hear them."""

from __future__ import annotations

import time
from collections.abc import Callable

from faustwire import codec
from faustwire.messages import Rejection, State, Watch
from faustwire_bridge.core import rights
from faustwire_bridge.core.events import User
from faustwire_bridge.core.watchers import Watchers
from faustwire_bridge.service.listeners import Listeners

# As if telling had taken that long: the next state is made ten times as late.
_AFTER_ERROR_SECONDS = 0.1


class Observers:
    """Answers those who watch."""

    def __init__(self, listeners: Listeners, state: Callable[[float], State]) -> None:
        """Nobody watches yet.

        Args:
            listeners: where messages are sent.
            state: makes the State of the bridge at a time.
        """
        self._listeners = listeners
        self._state = state
        self._watchers = Watchers()

    def hear(self, peer: bytes, message: Watch, user: User | None) -> None:
        """Take a message of somebody who watches.

        Args:
            peer: its connection.
            message: what came.
            user: whose key it was; None: it needed none.
        """
        answer = rights.refusal(message, user)
        if answer is None:
            name = None if user is None else user.name
            problem = self._watchers.ask(peer, name, message.number)
            answer = None if problem is None else Rejection(problem)
        if answer is not None:
            self._listeners.offer(peer, codec.encode(answer))

    def changed(self) -> None:
        """Note that the state of the bridge has changed."""
        self._watchers.changed()

    def deadline(self) -> float:
        """When ``tell`` should be called, in monotonic seconds; infinite: nobody waits."""
        return self._watchers.deadline()

    def tell(self) -> None:
        """Send the State to those who wait for it, if it is due."""
        now = time.monotonic()
        if now < self._watchers.deadline():
            return
        try:
            state = self._state(now)
            data = codec.encode(state)
            for peer in self._watchers.pop_due(now, state.number):
                self._listeners.offer(peer, data)
        except Exception:
            # Not again at once: the others would wait.
            self._watchers.told(now, _AFTER_ERROR_SECONDS)
            raise
        done = time.monotonic()
        self._watchers.told(done, done - now)
