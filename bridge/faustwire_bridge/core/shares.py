"""Judging and compiling time is shared: who has used much of it lately waits for others. Pure."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable

from faustwire_bridge.core.session import Session

# Most models are judged and compiled in a tenth of this; what takes longer makes room for others.
SLICE_SECONDS = 0.5
# Who uses less than a quarter of the time has nothing to make up for.
_FORGIVEN_PER_SECOND = 0.25
# Forgiven after two minutes.
_MAX_USED_SECONDS = 30.0
# Twice as many as can be connected.
_MAX_SENDERS = 2048


def sender(session: Session) -> Hashable:
    """Whose share a worker's publications use: its user's, or its connection's without a key."""
    if session.user is not None:
        return ("user", session.user.name)
    return session.hello.incarnation if session.peer is None else session.peer


class Shares:
    """How much time each sender has used lately."""

    def __init__(self) -> None:
        # Seconds, and as of when.
        self._used: OrderedDict[Hashable, tuple[float, float]] = OrderedDict()

    def used(self, who: Hashable, now: float) -> float:
        """Seconds that a sender has used and that are not forgiven yet.

        Args:
            who: the sender.
            now: seconds on the bridge's clock.

        Returns:
            Those seconds; 0 for less than one slice.
        """
        seconds = self._exact(who, now)
        return seconds if seconds >= 0.99 * SLICE_SECONDS else 0.0

    def add(self, who: Hashable, seconds: float, now: float) -> None:
        """Count time that a sender has used.

        Args:
            who: the sender.
            seconds: how much.
            now: seconds on the bridge's clock.
        """
        used = min(self._exact(who, now) + seconds, _MAX_USED_SECONDS)
        self._used[who] = used, now
        self._used.move_to_end(who)
        if len(self._used) > _MAX_SENDERS:
            self._used.popitem(last=False)

    def _exact(self, who: Hashable, now: float) -> float:
        seconds, then = self._used.get(who, (0.0, now))
        return max(0.0, seconds - (now - then) * _FORGIVEN_PER_SECOND)
