"""What a replay tells of itself: a state that was sent, or why it can't go on."""

from __future__ import annotations

from dataclasses import dataclass

from faustwire.errors import FaustwireError
from faustwire.messages import Verdict
from faustwire_publisher.mailbox import Ticket
from faustwire_publisher.replay.states import RecordedState


class ReplayError(FaustwireError, RuntimeError):
    """A replay that can't go on; the text says why."""


@dataclass(frozen=True)
class Played:
    """A state that was sent.

    Attributes:
        state: what it was.
        seconds: where in the recording.
        ticket: on its way, or answered.
    """

    state: RecordedState
    seconds: float
    ticket: Ticket

    @property
    def verdict(self) -> Verdict | None:
        """The bridge's answer; None while there is none."""
        return self.ticket.verdict
