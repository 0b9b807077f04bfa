"""What peers make a bridge hold: measured, bounded, and waited for until it is freed."""

from __future__ import annotations

from faustwire_bridge.service.resource_limits import give_back_small_blocks, resident_bytes

# All peers together, beside what the bridge holds anyway. libzmq bounds neither the parts of a
# message nor the number of connections, so above this all are cut. Sixty-four workers with the
# largest graph (8 MiB) each stay below it.
MAX_HELD_BYTES = 2**30
# Queues of small messages leave their blocks behind; to give those back takes some milliseconds.
_GIVE_BACK_SECONDS = 2.0
_GIVE_BACK_BYTES = 32 * 2**20
# libzmq frees what it held for connections that are cut on a thread of its own: a gibibyte of small
# messages in a second or two. What is not free by then is not the peers'.
_FREEING_SECONDS = 5.0


class HeldMemory:
    """The memory of this process, beside what it holds when nobody is connected.

    Attributes:
        anyway: bytes that it holds when nobody is connected.
    """

    def __init__(self, most: int) -> None:
        """Measure what is held anyway.

        Args:
            most: bytes that peers may make it hold, all together.
        """
        self._most = most
        self._at_first = self.anyway = resident_bytes()
        self._next_give_back = 0.0
        self._freed_until = 0.0

    def of_peers(self) -> int:
        """Bytes that peers make it hold now."""
        held = resident_bytes()
        # What was not freed when the last connections were cut may be by now.
        self.anyway = max(self._at_first, min(self.anyway, held))
        return max(0, held - self.anyway)

    def too_much(self) -> bool:
        """Whether peers make it hold more than they may."""
        return self.of_peers() > self._most

    def is_tight(self) -> bool:
        """Whether peers make it hold half of what they may: nothing large is queued for them."""
        return self.of_peers() > self._most // 2

    def give_back(self, now: float) -> None:
        """Return to the system what queues have left behind, if it is much.

        Args:
            now: monotonic seconds.
        """
        if now >= self._next_give_back and self.of_peers() > _GIVE_BACK_BYTES:
            give_back_small_blocks()
            self._next_give_back = now + _GIVE_BACK_SECONDS

    def cut(self, now: float) -> None:
        """All connections were cut; what they held is being freed.

        Args:
            now: monotonic seconds.
        """
        self._freed_until = now + _FREEING_SECONDS

    def is_free_again(self, now: float) -> bool:
        """Whether connections may come again after a cut.

        Until most of what the last ones held is free, the next ones would add to it.

        Args:
            now: monotonic seconds.
        """
        if self._freed_until == 0.0:
            return True
        give_back_small_blocks()
        if self.of_peers() > self._most // 4 and now < self._freed_until:
            return False
        self._freed_until = 0.0
        self.anyway = max(self._at_first, resident_bytes())
        return True
