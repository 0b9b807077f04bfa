"""When a call is due: `every` counts a worker's own calls, `min_interval` the plugin's reloads."""

from __future__ import annotations

from faustwire.messages import Due, Reason


def turned_down(
    call: int, now: float, *, every: int, min_interval: float, last_reload: float | None
) -> Reason | None:
    """Why a call that is not forced may not be published now, or None.

    The first call always qualifies, and from it every ``every``-th, whatever became of the ones
    between (as in ``adac.HotReload``).

    Args:
        call: number of the worker's call, from 1.
        now: seconds, on the clock of ``last_reload``.
        every: period in calls.
        min_interval: seconds; exactly so much after a reload is late enough.
        last_reload: when the plugin was last made to reload, by whomever; None: never.
    """
    if (call - 1) % every:
        return Reason.EVERY
    if last_reload is not None and now - last_reload < min_interval:
        return Reason.MIN_INTERVAL
    return None


def due(
    call: int, now: float, *, every: int, min_interval: float, last_reload: float | None
) -> Due:
    """Which of a worker's calls after ``call`` can be due; arguments as in ``turned_down``."""
    after = 0.0 if last_reload is None else max(0.0, last_reload + min_interval - now)
    return Due(call=call + every - (call - 1) % every, every=every, after=after)
