"""libfaust in a process of its own, with a deadline and a memory limit; one compile at a time."""

from __future__ import annotations

import importlib.util
import math
import os
import shutil
import signal
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from faustwire_bridge.children.child_process import ChildProcess, Ended
from faustwire_bridge.core.compile_report import Report, from_plain

_CHILD = Path(__file__).with_name("compiler_child.py")
# A worker waits five seconds for its verdict, and seconds of silence are not a reload.
TIMEOUT_SECONDS = 4.0
# Of address space: libfaust reserves more than 256 MiB for a stack. A dense loop of 32 lines takes
# 65 MiB; delay lines and tables are what can take more.
MEMORY_BYTES = 2**30
# What a process says when it ends for lack of memory. The last is the C library's: even to report
# that memory is short, C++ needs some for each of its threads.
_OUT_OF_MEMORY = ("bad_alloc", "MemoryError", "cannot allocate memory")
INSTALL = "pip install 'faustwire[faust]', or put the faust program on PATH"


@dataclass(frozen=True)
class Failed:
    """The compile did not come to an end: an abort, the deadline, the memory."""

    problem: str


@dataclass(frozen=True)
class Missing:
    """There is no libfaust on this machine."""

    problem: str


Answer: TypeAlias = Report | Failed | Missing


def missing() -> str | None:
    """Why programs can't be compiled on this machine, and what to do; None: they can."""
    if importlib.util.find_spec("cyfaust") or shutil.which("faust"):
        return None
    return f"there is no libfaust: {INSTALL}"


class Compiler:
    """A child process that compiles what it is asked to; see ``ChildProcess``."""

    def __init__(
        self,
        name: str,
        *,
        libraries: bool = True,
        timeout: float = TIMEOUT_SECONDS,
        memory_bytes: int = MEMORY_BYTES,
        max_load: float = math.inf,
    ) -> None:
        """Nothing is started yet.

        Args:
            name: the ``.dsp``'s file stem, the top of its sliders' addresses.
            libraries: whether the plugin's machine has the Faust libraries.
            timeout: seconds, on the clock, that a compile may take.
            memory_bytes: that it may take.
            max_load: as a part of one core; a program that takes more to run is not played.
        """
        self._name = name
        self._timeout = timeout
        self._memory_bytes = memory_bytes
        options = [str(memory_bytes), str(int(libraries)), str(max_load)]
        self._child = ChildProcess(
            lambda *descriptors: [
                *(sys.executable, os.fspath(_CHILD), *map(str, descriptors), *options)
            ],
            timeout=timeout,
        )
        self.start = self._child.start
        self.fileno = self._child.fileno
        self.deadline = self._child.deadline
        self.cancel = self._child.cancel
        self.close = self._child.close

    def ask(self, program: str, *, play: bool, thorough: bool = False) -> None:
        """Have a program compiled; the last answer must have come.

        Args:
            program: Faust text.
            play: play a second of noise through it as well.
            thorough: play it as ``player.play`` does, at three rates and with its knobs turned.

        Raises:
            OSError: no process can be started, or the text finds no room.
        """
        wanted = {"name": self._name, "play": play, "thorough": thorough}
        self._child.ask(wanted, program.encode())

    def receive(self) -> Answer | None:
        """The answer, if it has come or can no longer come."""
        said = self._child.receive()
        if isinstance(said, Ended):
            return Failed(self._explain(said)) if said.asked else None
        if said is not None and "missing" in said:
            self._child.end()
            return Missing(f"there is no libfaust ({said['missing']}): {INSTALL}")
        if said is None or "size" not in said:
            return None if said is None else from_plain(said)
        try:
            program = self._child.body(said.pop("size")).decode()
        except OSError as problem:
            return Failed(f"the program was lost: {problem}")
        return from_plain({**said, "program": program})

    def _explain(self, ended: Ended) -> str:
        if ended.late:
            return (
                f"libfaust was not done after {self._timeout:g} s: make the program smaller, or "
                "raise --compile-timeout"
            )
        if any(words in ended.said for words in _OUT_OF_MEMORY):
            return (
                f"libfaust needs more than its {self._memory_bytes / 2**20:.0f} MiB: make delays "
                "and tables shorter, or the program smaller"
            )
        if ended.code == -signal.SIGFPE:
            return (
                f"a process {ended.how()}: the program divides a whole number by zero, as the DAW "
                "would, too; keep the divisor of each % and / from zero"
            )
        return f"libfaust {ended.how()}: it can't take this program, so change it"
