"""A recorder that may fail: the recording ends then, and nothing else does."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from faustwire_bridge.recordings.recorder import Recorder

_log = logging.getLogger("faustwire.bridge")


class GuardedRecorder:
    """Hands on what is to be recorded, as long as that works.

    Attributes:
        recorder: where to; None: nowhere, or not any more.
    """

    def __init__(self, recorder: Recorder | None) -> None:
        """Nothing is recorded yet.

        Args:
            recorder: where to; None: nowhere.
        """
        self.recorder = recorder
        # Why recording has to stop: a recording with a gap can't be decided again.
        self._missed: str | None = None

    def take(self, record: Callable[[Recorder], None]) -> None:
        """Have something recorded; should that fail, it is decided all the same.

        Args:
            record: calls a method of the recorder.
        """
        if self.recorder is None:
            return
        try:
            record(self.recorder)
        except Exception as problem:  # noqa: BLE001 - an outcome that the core misses ends nothing
            _log.exception("internal error, something could not be recorded")
            self._missed = f"internal error: {problem!r}"

    def keep(self) -> str | None:
        """Write what is half a second old.

        Returns:
            Why the recording has ended, once; None: it goes on, or there is none.
        """
        self.take(lambda recorder: recorder.tick(time.monotonic_ns()))
        problem = self._missed if self.recorder is None else self.recorder.problem or self._missed
        self._missed = None
        if problem is not None:
            _log.error("the recording has stopped: %s", problem)
            self.recorder = None
        return problem
