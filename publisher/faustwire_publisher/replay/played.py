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
        timeout: seconds that ``verdict`` waits for the answer.
    """

    state: RecordedState
    seconds: float
    ticket: Ticket
    timeout: float = 0.0

    @property
    def verdict(self) -> Verdict | None:
        """The bridge's answer, waited for if it has not come; None: none came in time."""
        return self.ticket.wait(self.timeout)
