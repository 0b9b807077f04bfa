"""Judging in a process of its own, so that the bridge answers others meanwhile."""

from __future__ import annotations

import sys
from dataclasses import asdict
from typing import Any

from faustwire import codec
from faustwire.messages import Reason
from faustwire_bridge.children.child_process import ChildProcess, Ended
from faustwire_bridge.core.events import Judged, JudgeFailed
from faustwire_bridge.core.instructions import Judge
from faustwire_bridge.core.sound_limits import Limits, Sound

# The hardest models within the wire's limits took four seconds on an idle machine.
TIMEOUT_SECONDS = 10.0
# Of address space, libraries and their arenas included; the hardest took a quarter of it.
MEMORY_BYTES = 4 * 2**30


class JudgeProcess:
    """A child process that judges what it is asked to; see ``ChildProcess``."""

    def __init__(
        self, limits: Limits, *, timeout: float = TIMEOUT_SECONDS, memory_bytes: int = MEMORY_BYTES
    ) -> None:
        """Nothing is started yet.

        Args:
            limits: what may be heard.
            timeout: seconds, on the clock, that a judgement may take.
            memory_bytes: that it may take.
        """
        self._limits = asdict(limits)
        self._timeout = timeout
        module = "faustwire_bridge.children.judge_child"
        self._child = ChildProcess(
            lambda *descriptors: [
                *(sys.executable, "-m", module, *map(str, descriptors), str(memory_bytes))
            ],
            timeout=timeout,
            # Its matrices are small; threads that wait for each other would fight for the cores.
            environment={"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"},
        )
        self.start = self._child.start
        self.fileno = self._child.fileno
        self.deadline = self._child.deadline
        self.close = self._child.close

    def judge(self, judge: Judge) -> JudgeFailed | None:
        """Have a snapshot judged; None: ``outcome`` will tell."""
        known = {"playing": judge.playing, "playing_db": judge.playing_db}
        try:
            self._child.ask({"limits": self._limits, **known}, codec.encode(judge.snapshot))
        except OSError as problem:
            return JudgeFailed(f"it can't be judged: {problem}")
        return None

    def outcome(self) -> Judged | JudgeFailed | None:
        """How the judgement ended, if there was one and it has."""
        said = self._child.receive()
        if isinstance(said, Ended):
            return JudgeFailed(self._explain(said)) if said.asked else None
        return None if said is None else self._judged(said)

    def _judged(self, said: dict[str, Any]) -> Judged:
        sound = said["sound"]
        program = self._child.body(said["size"]).decode()
        return Judged(program, said["refusal"], tuple(said["warnings"]), sound and _sound(**sound))

    def _explain(self, ended: Ended) -> str:
        if ended.late:
            return f"it was not judged after {self._timeout:g} s: make the model smaller"
        return f"its judge {ended.how()}: make the model smaller"


def _sound(*, refusal: list[str] | None, warnings: list[str], **more: Any) -> Sound:
    known = None if refusal is None else (Reason(refusal[0]), refusal[1])
    return Sound(known, tuple(warnings), **more)
