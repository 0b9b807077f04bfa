"""Somebody who watches a bridge: asks for one state after the other."""

from __future__ import annotations

import time
from collections.abc import Callable

import zmq

from faustwire.messages import Message, Rejection, State, Watch
from faustwire.terminal import printable
from faustwire_bridge.monitor.monitor_socket import MonitorSocket, is_unknown_to

# A state comes every second at least; what was lost is asked for again.
_AGAIN_SECONDS = 3.0
# The monitor tells of a connection a little before the socket can send.
_SOON_SECONDS = 0.005


class Watcher(MonitorSocket):
    """A connection over which the states of a bridge come, for as long as ``receive`` is called."""

    def __init__(self, endpoint: str, secure: Callable[[zmq.Socket[bytes]], bytes | None]) -> None:
        """Connect; nobody has to be there.

        Args:
            endpoint: of the bridge.
            secure: as in ``MonitorSocket``.

        Raises:
            KeyFileError: a file of keys can't be used.
            PathError: the directory of the bridge's socket belongs to somebody else.
        """
        super().__init__(endpoint, secure, right="watch")
        self._number = 0
        self._ask_at = 0.0
        self._asked_over = (0.0, 0)
        self._declined: str | None = None

    @property
    def ended(self) -> bool:
        """Whether it was turned away, so that only a new try a little later may succeed."""
        return super().ended or self._declined is not None

    @property
    def trouble(self) -> str | None:
        """One line about why nothing is heard and what to do; None: it is not known."""
        return super().trouble or self._declined

    def receive(self, seconds: float) -> Message | None:
        """The next message, which is asked for; None: none came within this many seconds."""
        end = time.monotonic() + seconds
        while self.settle(max(0.0, end - time.monotonic())) and not self._has_asked():
            if time.monotonic() >= end:
                return None
            time.sleep(_SOON_SECONDS)
        message = super().receive(max(0.0, end - time.monotonic()))
        if isinstance(message, State):
            self._number, self._ask_at, self._declined = message.number, 0.0, None
        elif isinstance(message, Rejection):
            self._declined = f"{self._endpoint} {_declined(message)}"
        return message

    def _has_asked(self) -> bool:
        """Ask for the next state unless it has been asked for; returns whether it has."""
        now = time.monotonic()
        if self._asked_over != self.standing:
            self._number, self._ask_at = 0, now
        if now >= self._ask_at:
            if not self.send(Watch(self._number)):
                return False
            self._ask_at, self._asked_over = now + _AGAIN_SECONDS, self.standing
        return True


def _declined(answer: Rejection) -> str:
    if is_unknown_to(answer):
        return "has a bridge of an older version: install the same faustwire on both sides"
    return f"declines: {printable(answer.detail)}"
