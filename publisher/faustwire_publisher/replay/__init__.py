"""A recording, pushed to a bridge again; needs no torch."""

from faustwire_publisher.replay.player import Played, Replay, ReplayError
from faustwire_publisher.replay.states import Position, State

__all__ = ["Played", "Position", "Replay", "ReplayError", "State"]
