"""The two rooms that the demo's networks learn: where they start, and what they should become."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

FS = 48_000


@dataclass(frozen=True)
class Room:
    """A decay to learn.

    Attributes:
        name: of the worker that learns it.
        delays_samples: of the eight lines; mutually prime, so that echoes don't pile up.
        start_rt60_seconds: of the untrained network, at all frequencies.
        target_hz: centres of octave bands, as an acoustician's table has them.
        target_rt60_seconds: the reverberation time in each of those bands.
    """

    name: str
    delays_samples: tuple[int, ...]
    start_rt60_seconds: float
    target_hz: tuple[float, ...]
    target_rt60_seconds: tuple[float, ...]

    def target_at(self, hz: ArrayLike) -> NDArray[np.float64]:
        """The target's reverberation time in seconds, between the bands by octaves."""
        octaves = np.log2(np.maximum(np.asarray(hz, dtype=np.float64), 1.0))
        return np.interp(octaves, np.log2(self.target_hz), self.target_rt60_seconds)


_OCTAVES = (125.0, 250.0, 500.0, 1000.0, 2000.0, 4000.0, 8000.0, 16000.0)

HALL = Room(
    name="hall",
    delays_samples=(1009, 1201, 1381, 1567, 1777, 1973, 2179, 2377),
    start_rt60_seconds=0.45,
    target_hz=_OCTAVES,
    target_rt60_seconds=(2.4, 2.35, 2.25, 2.1, 1.85, 1.45, 0.95, 0.6),
)
CHAMBER = Room(
    name="chamber",
    delays_samples=(587, 691, 797, 907, 1031, 1151, 1277, 1423),
    start_rt60_seconds=3.0,
    target_hz=_OCTAVES,
    target_rt60_seconds=(0.85, 0.82, 0.78, 0.72, 0.64, 0.52, 0.36, 0.24),
)
ROOMS = {room.name: room for room in (HALL, CHAMBER)}
