"""A recording, pushed to a bridge again; needs no torch."""

from faustwire_publisher.replay.played import Played, ReplayError
from faustwire_publisher.replay.player import Replay
from faustwire_publisher.replay.states import Position, RecordedState

# The name that it had at first.
State = RecordedState

__all__ = ["Played", "Position", "RecordedState", "Replay", "ReplayError", "State"]
