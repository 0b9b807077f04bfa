"""Why a call of ``update`` ended as it did."""

from __future__ import annotations

from enum import Enum


class Reason(str, Enum):
    """Why a call ended as it did; the list is closed."""

    # Decided by the bridge.
    PUBLISHED = "published"  # a new .dsp was written, the plugin reloads
    UNCHANGED = "unchanged"  # the plugin has this very program already
    INAUDIBLE = "inaudible"  # the plugin has a program that sounds the same
    EVERY = "every"  # not one of the every-th calls
    MIN_INTERVAL = "min-interval"  # too soon after the last reload
    RELOAD_COST = "reload-cost"  # too soon, given how long the last program took to compile
    NOT_FOLLOWED = "not-followed"  # the plugin follows another worker
    REFUSED = "refused"  # can't be played
    TOO_LOUD = "too-loud"  # louder than a limit, or suddenly much louder than what plays
    UNSTABLE = "unstable"  # a loop that grows
    MISFIT = "misfit"  # the plugin can't take it: channels, sliders
    TOO_HEAVY = "too-heavy"  # takes more of a core to run than leaves the audio whole
    DOES_NOT_COMPILE = "does-not-compile"  # libfaust refuses it, aborts, hangs, or exceeds a limit
    WRITE_FAILED = "write-failed"  # the disk or its permissions
    # Decided by the publisher.
    NON_FINITE = "non-finite"  # the model holds NaN or infinite values
    NO_BRIDGE = "no-bridge"  # none reached, or none that answers within the timeout
    HANDED_OVER = "handed-over"  # wait=False: on its way, `last` will tell
    SUPERSEDED = "superseded"  # a newer snapshot took its place before its turn came

    def __str__(self) -> str:
        return self.value


# The cause is the model, the disk or the bridge, not the time, and lasts until it is removed.
HOLDS_BACK = frozenset(
    {
        Reason.REFUSED,
        Reason.TOO_LOUD,
        Reason.UNSTABLE,
        Reason.MISFIT,
        Reason.TOO_HEAVY,
        Reason.DOES_NOT_COMPILE,
        Reason.WRITE_FAILED,
        Reason.NON_FINITE,
        Reason.NO_BRIDGE,
    }
)
