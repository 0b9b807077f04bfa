"""When a call is due: by its number (`every`) and by the time since the plugin's last reload."""

from __future__ import annotations

from dataclasses import dataclass

from faustwire.messages import Due, Reason

# A model that rings for ages is heard all the same, and nobody waits for longer.
_LONGEST_RING_SECONDS = 60.0


@dataclass(frozen=True)
class LastReload:
    """The plugin's last reload, whichever worker caused it.

    Attributes:
        at: seconds.
        cost_seconds: the least time after it that its compile, or its tail, asks for.
    """

    at: float
    cost_seconds: float = 0.0


def cost_seconds(
    compile_seconds: float | None,
    rt60_seconds: float | None,
    *,
    cost_multiple: float,
    let_ring: float,
) -> float:
    """Find for how long after a reload the next one would cost too much.

    Args:
        compile_seconds: how long the plugin was silent for it; None: not known.
        rt60_seconds: how long the program rings, which the next reload cuts; None: not known.
        cost_multiple: least time between two reloads, in compile times.
        let_ring: least time between two reloads, in RT60s.

    Returns:
        Seconds.
    """
    ring = min(let_ring * (rt60_seconds or 0.0), _LONGEST_RING_SECONDS)
    return max(cost_multiple * (compile_seconds or 0.0), ring)


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
        min_interval: seconds; exactly this long after a reload is late enough. 0 switches off every
            time throttle, the cost of the last reload included.
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
