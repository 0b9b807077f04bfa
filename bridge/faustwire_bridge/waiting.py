"""What arrived while something was being published: one slot a worker, the newest wins."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import replace
from typing import TypeAlias

from faustwire.messages import Snapshot, Source

Submission: TypeAlias = Snapshot | Source


class Waiting:
    """Workers take turns in the order in which they came to wait."""

    def __init__(self) -> None:
        self._slots: OrderedDict[str, Submission] = OrderedDict()

    def __len__(self) -> int:
        return len(self._slots)

    def __contains__(self, incarnation: str) -> bool:
        return incarnation in self._slots

    def put(self, incarnation: str, submission: Submission) -> Submission | None:
        """Have a worker's message wait in the place of its last one.

        Returns:
            The one that it supersedes; None also for the same one, sent again.
        """
        old = self._slots.get(incarnation)
        if old is not None and submission.seq <= old.seq:
            return None
        # A forced call stays forced, whichever snapshot is published in the end.
        if isinstance(old, Snapshot) and old.force and isinstance(submission, Snapshot):
            submission = replace(submission, force=True)
        self._slots[incarnation] = submission
        return old

    def take(self) -> tuple[str, Submission]:
        """Whose turn it is, and with what."""
        return self._slots.popitem(last=False)
