"""The demo's child processes: started, read line by line, and always ended."""

from __future__ import annotations

import json
import os
import queue
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any, TypeAlias

EXAMPLES = Path(__file__).parents[1]
_GRACE_SECONDS = 10.0

# A line of a program, or None when it has closed its output.
Line: TypeAlias = tuple[str, dict[str, Any] | None]


class ProgramError(RuntimeError):
    """A child process ended when it should not have; the text says which and why."""


class Program:
    """A Python program of the demo, whose JSON lines arrive in a queue. Call ``end`` in any case.

    Args:
        name: what its lines are marked with.
        arguments: after ``python``.
        lines: where they go; several programs may share one.
        log_path: gets its stderr.
    """

    def __init__(
        self, name: str, arguments: list[str], lines: queue.Queue[Line], log_path: Path
    ) -> None:
        self.name = name
        self._lines = lines
        self._log_path = log_path
        search = os.pathsep.join(filter(None, [str(EXAMPLES), os.environ.get("PYTHONPATH")]))
        with log_path.open("w") as log:
            self._process = subprocess.Popen(
                [sys.executable, *arguments],
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                env=os.environ | {"PYTHONPATH": search},
            )
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def end(self) -> int:
        """SIGTERM, or worse if that does not help; returns the exit code."""
        self._process.terminate()
        try:
            self._process.wait(_GRACE_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._reader.join()
        return self._process.returncode

    def check(self) -> None:
        """Wait for its end, which is due.

        Raises:
            ProgramError: it failed.
        """
        if code := self._process.wait(_GRACE_SECONDS):
            raise self.failure(f"ended with exit code {code}")

    def failure(self, what: str) -> ProgramError:
        """An error that quotes the end of its log."""
        tail = "\n".join(self._log_path.read_text(errors="replace").splitlines()[-15:])
        return ProgramError(f"{self.name} {what} ({self._log_path}):\n{tail}")

    def _read(self) -> None:
        assert self._process.stdout is not None  # noqa: S101  (for the type checker)
        with self._process.stdout as stdout:
            for line in stdout:
                self._lines.put((self.name, json.loads(line)))
        self._lines.put((self.name, None))


def await_line(program: Program, lines: queue.Queue[Line], key: str, seconds: float) -> Any:
    """The value of the first line that has a key.

    Raises:
        ProgramError: none came in time, or the program ended.
    """
    while True:
        try:
            _, line = lines.get(timeout=seconds)
        except queue.Empty:
            raise program.failure(f"said nothing for {seconds:g} s") from None
        if line is None:
            raise program.failure("ended before it was ready")
        if key in line:
            return line[key]
