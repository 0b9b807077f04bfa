"""Recordings: MCAP files of all that a bridge heard, said and was told; see ``docs/recording.md``.

Nothing else imports this package on its way in, so that who does not record does not pay for it.
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
