"""How much longer things take because the machine has other work to do."""

from __future__ import annotations

import time

# Of computing, to see what part of a processor a thread gets.
_LOOK_SECONDS = 0.1


def as_idle(seconds: float) -> float:
    """Seconds that passed, as they would have been had this thread a processor to itself.

    Args:
        seconds: just measured, on the machine as busy as it is.

    Returns:
        Seconds, at most what was given.
    """
    begun, used = time.monotonic(), time.thread_time()
    while time.thread_time() - used < _LOOK_SECONDS:
        pass
    return seconds * min(1.0, _LOOK_SECONDS / (time.monotonic() - begun))
