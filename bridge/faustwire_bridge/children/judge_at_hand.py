"""Judging small snapshots in the bridge's own process: most of them, in a millisecond or two.

What may take long or much memory, and what bounds do not pass, is for the judging process.
"""

from __future__ import annotations

import importlib
import logging
import os
import sys
import threading
import time
from collections import OrderedDict
from functools import partial
from types import ModuleType
from typing import TYPE_CHECKING

from faustwire_bridge.core.events import Judged
from faustwire_bridge.core.instructions import Judge
from faustwire_bridge.core.sound_limits import Limits

if TYPE_CHECKING:
    from faustwire_bridge.analysis.judge_memory import Memory

_log = logging.getLogger("faustwire.bridge")

# Whoever publishes twice will do so again: numpy is worth a tenth of a second then.
_LOADED_AFTER = 2
# After each snapshot in a row that bounds do not pass, twice as many are not tried.
_MOST_UNTRIED = 64
# So many of those are remembered.
_MOST_SIZES = 256
# One that takes longer, in processor time, was not small: for a hundred times as long none is
# judged here.
_LONG_SECONDS = 0.02
_PAUSE = 100.0
# References that a string has which is never freed, in the Pythons that have such.
_IMMORTAL = 2**30


def keeps_interned_strings() -> bool:
    """Whether this Python keeps interned strings for as long as it runs, as 3.12.1 does.

    msgpack interns the keys of maps. What a stranger's snapshot has in its maps must not be
    unpacked in the bridge then.
    """
    fresh = sys.intern(f"{__name__} {time.monotonic_ns()}")
    return sys.getrefcount(fresh) >= _IMMORTAL


class JudgeAtHand:
    """Judges what it can at once."""

    def __init__(self, limits: Limits) -> None:
        """Nothing is loaded yet.

        Args:
            limits: how loud a program may be.
        """
        self._limits = limits
        self._asked = 0
        self._judgement: ModuleType | None = None
        self._memory: Memory | None = None
        # By size in bytes, which tells most structures apart: (how many in a row bounds have not
        # passed, how many of the next are not tried).
        self._missed: OrderedDict[int, tuple[int, int]] = OrderedDict()
        self._paused_until = 0.0

    def judge(self, judge: Judge) -> Judged | None:
        """Judge a snapshot at once.

        Args:
            judge: the snapshot's bytes, and what plays.

        Returns:
            What came of it; None: it is for the judging process.
        """
        self._asked += 1
        if self._judgement is None or self._memory is None:
            if self._asked == _LOADED_AFTER:
                load = partial(self._load, judge)
                threading.Thread(target=load, name="numpy", daemon=True).start()
            return None
        now, size = time.monotonic(), len(judge.data)
        if size > self._judgement.MAX_BYTES_AT_HAND or now < self._paused_until:
            return None
        misses, untried = self._missed.get(size, (0, 0))
        if untried:
            self._missed[size] = misses, untried - 1
            return None
        judged: Judged | None = None
        # Of processor time: a busy machine makes no snapshot large.
        started = time.thread_time()
        try:
            judged = self._judged(self._judgement, judge, self._memory)
        except Exception:  # noqa: BLE001 - the judging process says what is wrong
            _log.exception("internal error, a snapshot is judged once more")
        taken = time.thread_time() - started
        if taken > _LONG_SECONDS:
            self._paused_until = now + _PAUSE * taken
        self._learn(size, misses, passed=judged is not None)
        return judged

    def _learn(self, size: int, misses: int, *, passed: bool) -> None:
        self._missed.pop(size, None)
        if not passed:
            self._missed[size] = misses + 1, min(2 ** (misses + 1), _MOST_UNTRIED) - 1
            if len(self._missed) > _MOST_SIZES:
                self._missed.popitem(last=False)

    def _judged(self, judgement: ModuleType, judge: Judge, memory: Memory) -> Judged | None:
        judged: Judged | None = judgement.judge_at_hand(
            judge.data,
            limits=self._limits,
            playing=judge.playing,
            playing_db=judge.playing_db,
            played=judge.played,
            memory=memory,
        )
        return judged

    def _load(self, judge: Judge) -> None:
        # Matrices are small; threads that wait for each other would fight for the cores.
        for name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS"):
            os.environ.setdefault(name, "1")
        try:
            judgement = importlib.import_module("faustwire_bridge.analysis.judgement")
            memory = importlib.import_module("faustwire_bridge.analysis.judge_memory").Memory()
            # The first one takes five times as long as the next, and others would wait for it.
            self._judged(judgement, judge, memory)
        except Exception:  # noqa: BLE001 - then the judging process does it all, or says why not
            _log.exception("snapshots can't be judged at hand")
            return
        self._memory = memory
        self._judgement = judgement
