"""How much longer things take because the machine has other work to do."""

from __future__ import annotations

import time

# Of computing, to see what part of a processor a thread gets.
_LOOK_SECONDS = 0.1


def as_idle(seconds: float) -> float:
    """What took so long, or came so often, as it would have been on an idle machine.

    Args:
        seconds: just measured, on the machine as busy as it is; or what an idle one would do, to
            know what can be asked of this one.

    Returns:
        That multiplied by the part of a processor that this thread gets, 1 at most.
    """
    begun, used = time.monotonic(), time.thread_time()
    while time.thread_time() - used < _LOOK_SECONDS:
        pass
    return seconds * min(1.0, _LOOK_SECONDS / (time.monotonic() - begun))
