"""Messages that wait while something is being published: one slot per worker, the newest wins."""

from __future__ import annotations

from collections import Counter, OrderedDict
from collections.abc import Callable, Hashable, Iterator, KeysView
from dataclasses import replace
from typing import TypeAlias

from faustwire.messages import OwnProgram
from faustwire.packed_snapshot import PackedSnapshot

Submission: TypeAlias = PackedSnapshot | OwnProgram

# In bytes as they came. A sweep's snapshots have some tens of kilobytes each.
MAX_WAITING_BYTES = 128 * 2**20


class Waiting:
    """Workers take turns in the order in which they came to wait."""

    def __init__(self, sender_of: Callable[[str], Hashable]) -> None:
        """Nothing waits yet.

        Args:
            sender_of: finds whose share the messages of an incarnation use.
        """
        self._sender_of = sender_of
        self._slots: OrderedDict[str, tuple[Submission, int]] = OrderedDict()
        self._bytes = 0

    def __len__(self) -> int:
        return len(self._slots)

    def incarnations(self) -> KeysView[str]:
        """Incarnations of the workers that have something waiting."""
        return self._slots.keys()

    def put(
        self, incarnation: str, submission: Submission, size: int
    ) -> list[tuple[str, Submission]]:
        """Have a worker's message wait, in place of its last one.

        Args:
            incarnation: the worker's.
            submission: its message.
            size: of that, in bytes on the wire.

        Returns:
            The messages that are superseded by it, with their workers' incarnations: this worker's
            last one, then those that there is no room for: of the sender of which most waits, the
            newest first. None for one that was sent again.
        """
        old, old_size = self._slots.get(incarnation, (None, 0))
        if old is not None and submission.seq <= old.seq:
            return []
        # A forced call stays forced, whichever snapshot is published in the end.
        if isinstance(old, PackedSnapshot) and old.force and isinstance(submission, PackedSnapshot):
            submission = replace(submission, force=True)
        self._slots[incarnation] = submission, size
        self._bytes += size - old_size
        dropped = [] if old is None else [(incarnation, old)]
        while self._bytes > MAX_WAITING_BYTES and len(self._slots) > 1:
            last = self._newest_of_largest()
            submission, size = self._slots.pop(last)
            self._bytes -= size
            dropped.append((last, submission))
        return dropped

    def _newest_of_largest(self) -> str:
        """The message to go where there is no room: nobody else's than who sends too much."""
        waits: Counter[Hashable] = Counter()
        for incarnation, (_, size) in self._slots.items():
            waits[self._sender_of(incarnation)] += size
        largest = max(waits, key=lambda sender: waits[sender])
        return next(each for each in reversed(self._slots) if self._sender_of(each) == largest)

    def pop_ready(
        self, used: Callable[[str], float], is_ready: Callable[[str], bool]
    ) -> Iterator[tuple[str, Submission, int]]:
        """Remove messages in their turn; nothing else may be removed before the last one.

        Args:
            used: how much time the sender of an incarnation has used; the least comes first, and of
                equals the one that has waited longest.
            is_ready: whether an incarnation may have a turn.

        Yields:
            The worker's incarnation, its message, and the message's size in bytes; it is removed
            when it is yielded.
        """
        for incarnation in sorted(filter(is_ready, self._slots), key=used):
            submission, size = self._slots.pop(incarnation)
            self._bytes -= size
            yield incarnation, submission, size

    def items(self) -> list[tuple[str, Submission]]:
        """What waits, with the workers' incarnations."""
        return [(incarnation, submission) for incarnation, (submission, _) in self._slots.items()]

    def newest_seq(self, incarnation: str) -> int | None:
        """The number of the message that waits of a worker; None: nothing waits."""
        slot = self._slots.get(incarnation)
        return None if slot is None else slot[0].seq

    def drop(self, incarnation: str) -> None:
        """Drop what waits of a worker, if anything does."""
        _, size = self._slots.pop(incarnation, (None, 0))
        self._bytes -= size
