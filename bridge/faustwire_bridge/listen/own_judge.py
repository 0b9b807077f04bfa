"""Whether a recorded snapshot that has no verdict may be heard: a child process judges it."""

from __future__ import annotations

from faustwire.messages import Reason
from faustwire_bridge.children.judge import JudgeProcess
from faustwire_bridge.core.hearing import Hearing, by_judgement
from faustwire_bridge.core.instructions import Judge
from faustwire_bridge.core.sound_limits import Limits


class OwnJudge:
    """Judges one snapshot at a time; its process is started when it is needed."""

    def __init__(self) -> None:
        self._process: JudgeProcess | None = None

    def judge(self, data: bytes) -> Hearing:
        """Judge a snapshot.

        Args:
            data: the encoded Snapshot.

        Returns:
            Whether it may be heard.
        """
        if self._process is None:
            self._process = JudgeProcess(Limits())
        return by_judgement(self._process.judge(Judge(data, None, None)), Reason.NOT_FOLLOWED)

    def close(self) -> None:
        """End the process."""
        if self._process is not None:
            self._process.close()
