"""Decoding and judging snapshots in a process of its own: the bridge answers others meanwhile.

Small ones that bounds pass are judged at hand: that is done sooner than another process wakes up.
"""

from __future__ import annotations

import select
import sys
import time
from dataclasses import asdict
from typing import Any

from faustwire.messages import Reason
from faustwire_bridge.children.child_process import ChildProcess, Ended
from faustwire_bridge.children.judge_at_hand import JudgeAtHand
from faustwire_bridge.core.events import Judged, JudgeFailed
from faustwire_bridge.core.instructions import Judge
from faustwire_bridge.core.refusal import Refusal
from faustwire_bridge.core.sound_limits import Assessment, Limits

# The hardest models within the wire's limits took four seconds on an idle machine.
TIMEOUT_SECONDS = 10.0
# Of address space, libraries and their arenas included; the hardest took a quarter of it.
MEMORY_BYTES = 4 * 2**30


class JudgeProcess:
    """A child process that judges what it is asked to; see ``ChildProcess``."""

    def __init__(
        self,
        limits: Limits,
        *,
        timeout: float = TIMEOUT_SECONDS,
        memory_bytes: int = MEMORY_BYTES,
        niceness: int = 0,
        at_hand: JudgeAtHand | None = None,
    ) -> None:
        """Nothing is started yet.

        Args:
            limits: how loud a program may be.
            timeout: wall-clock seconds that a judgement may take.
            memory_bytes: address space that it may take.
            niceness: by so much it stands back behind other processes, see ``os.nice``.
            at_hand: judges small snapshots in this process; None: the child judges all.
        """
        self._at_hand = at_hand
        # What has come of the last `begin` already.
        self._judged_at_hand: Judged | None = None
        self._limits = asdict(limits)
        self._timeout = timeout
        module = "faustwire_bridge.children.judge_child"
        self._child = ChildProcess(
            lambda *descriptors: [
                *(sys.executable, "-m", module, *map(str, (*descriptors, memory_bytes, niceness)))
            ],
            timeout=timeout,
            # Its matrices are small; threads that wait for each other would fight for the cores.
            environment={"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"},
        )
        self.start = self._child.start
        self.fileno = self._child.fileno
        self.close = self._child.close

    def begin(self, judge: Judge) -> JudgeFailed | None:
        """Have a snapshot judged; the last one must be done.

        Args:
            judge: the snapshot's bytes, and what plays.

        Returns:
            Why it can't begin; None: it has, and ``outcome`` will tell.
        """
        self._judged_at_hand = None if self._at_hand is None else self._at_hand.judge(judge)
        if self._judged_at_hand is not None:
            return None
        known = {"playing": judge.playing, "playing_db": judge.playing_db}
        played = None if judge.played is None else len(judge.played)
        try:
            self._child.ask(
                {"limits": self._limits, **known, "played": played},
                judge.data + (judge.played or b""),
            )
        except OSError as problem:
            return JudgeFailed(f"it can't be judged: {problem}")
        return None

    def outcome(self) -> Judged | JudgeFailed | None:
        """What came of the last ``begin``; None: it is not done, or has been asked for already."""
        if self._judged_at_hand is not None:
            judged, self._judged_at_hand = self._judged_at_hand, None
            return judged
        said = self._child.receive()
        if isinstance(said, Ended):
            return JudgeFailed(self._explain(said)) if said.asked else None
        return None if said is None else self._judged(said)

    def deadline(self) -> float | None:
        """When ``outcome`` must be asked at the latest, in monotonic seconds; None: any time."""
        return self._child.deadline() if self._judged_at_hand is None else 0.0

    def cancel(self) -> None:
        """Give up the snapshot that is being judged."""
        self._judged_at_hand = None
        self._child.cancel()

    def judge(self, judge: Judge) -> Judged | JudgeFailed:
        """Judge a snapshot and wait for it, for programs that have nothing else to do.

        Args:
            judge: the snapshot's bytes, and what plays.

        Returns:
            What came of it.
        """
        outcome: Judged | JudgeFailed | None = self.begin(judge)
        while outcome is None:
            descriptor, deadline = self.fileno(), self.deadline()
            patience = None if deadline is None else max(0.0, deadline - time.monotonic())
            select.select([] if descriptor is None else [descriptor], [], [], patience)
            outcome = self.outcome()
        return outcome

    def _judged(self, said: dict[str, Any]) -> Judged | JudgeFailed:
        if "problem" in said:
            return JudgeFailed(said["problem"])
        try:
            program = self._child.body(said["size"]).decode()
        except OSError as problem:
            return JudgeFailed(f"its program was lost: {problem}")
        assessment = said["assessment"]
        return Judged(
            program,
            _refusal(said["refusal"]),
            tuple(said["warnings"]),
            None if assessment is None else _assessment(**assessment),
            said["change_db"],
            bytes.fromhex(said["structure"]),
            said["fs"],
        )

    def _explain(self, ended: Ended) -> str:
        if ended.late:
            return f"it was not judged after {self._timeout:g} s: make the model smaller"
        return f"its judge {ended.how()}: make the model smaller"


def _refusal(said: dict[str, str] | None) -> Refusal | None:
    return None if said is None else Refusal(Reason(said["reason"]), said["detail"])


def _assessment(*, refusal: dict[str, str] | None, warnings: list[str], **more: Any) -> Assessment:
    return Assessment(_refusal(refusal), tuple(warnings), **more)
