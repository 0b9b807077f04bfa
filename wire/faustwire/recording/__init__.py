"""Recordings: MCAP files of all that a bridge received, sent and decided, see docs/recording.md.

No other module imports this package when it is loaded, so that it costs nothing without recording.
"""

from faustwire.recording.channels import (
    CORE,
    EVENT,
    IN,
    OUT,
    Channel,
    RecordedWorker,
    hello,
    of_bridge,
    of_peer,
    of_worker,
    recorded_worker,
)
from faustwire.recording.damage import Damage
from faustwire.recording.reader import Item, Recording
from faustwire.recording.writer import RecordingWriter, Rotation

__all__ = [
    "CORE",
    "EVENT",
    "IN",
    "OUT",
    "Channel",
    "Damage",
    "Item",
    "RecordedWorker",
    "Recording",
    "RecordingWriter",
    "Rotation",
    "hello",
    "of_bridge",
    "of_peer",
    "of_worker",
    "recorded_worker",
]
