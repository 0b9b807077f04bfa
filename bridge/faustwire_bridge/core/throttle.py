"""When a call is due: by its number (`every`) and by the time since the plugin's last reload."""

from __future__ import annotations

from dataclasses import dataclass

from faustwire.messages import Due, Reason


@dataclass(frozen=True)
class LastReload:
    """The plugin's last reload, whichever worker caused it.

    Attributes:
        at: seconds.
        cost_seconds: the least time after it that its compile asks for.
    """

    at: float
    cost_seconds: float = 0.0


def turned_down(
    call: int, now: float, *, every: int, min_interval: float, last_reload: LastReload | None
) -> Reason | None:
    """Decide whether a call that is not forced is throttled.

    The first call always qualifies, and from it every ``every``-th, whatever became of the ones
    between (as in ``adac.HotReload``).

    Args:
        call: number of the worker's call, from 1.
        now: seconds, on the clock of ``last_reload``.
        every: period in calls.
        min_interval: seconds; exactly so much after a reload is late enough. 0 switches every time
            throttle off, the cost of the last reload included.
        last_reload: None: there was none.

    Returns:
        Why it is not published now; None: it is due.
    """
    if (call - 1) % every:
        return Reason.EVERY
    if last_reload is None or min_interval == 0:
        return None
    elapsed = now - last_reload.at
    if elapsed < min_interval:
        return Reason.MIN_INTERVAL
    return Reason.RELOAD_COST if elapsed < last_reload.cost_seconds else None


def due(
    call: int, now: float, *, every: int, min_interval: float, last_reload: LastReload | None
) -> Due:
    """Predict which of a worker's next calls can be due.

    Args:
        call: number of the last call.
        now: seconds, on the clock of ``last_reload``.
        every: period in calls.
        min_interval: seconds.
        last_reload: None: there was none.

    Returns:
        The first one by number, and the least time until then.
    """
    number = call + every - (call - 1) % every
    if last_reload is None or min_interval == 0:
        return Due(number, every, 0.0)
    costly = last_reload.cost_seconds > min_interval
    interval = last_reload.cost_seconds if costly else min_interval
    reason = Reason.RELOAD_COST if costly else Reason.MIN_INTERVAL
    return Due(number, every, max(0.0, last_reload.at + interval - now), reason)


def due_at(min_interval: float, last_reload: LastReload) -> float:
    """Find when calls are no longer throttled by time.

    Args:
        min_interval: seconds.
        last_reload: the plugin's last reload.

    Returns:
        Seconds on the clock of ``last_reload``.
    """
    return last_reload.at + max(min_interval, last_reload.cost_seconds)
