"""libfaust in a process of its own, with a deadline and a memory limit; one compile at a time."""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, TypeAlias

from faustwire_bridge.gates.report import Report, from_plain

_CHILD = Path(__file__).with_name("child.py")
# A worker waits five seconds for its verdict, and seconds of silence are no reload.
TIMEOUT_SECONDS = 4.0
# Of address space: libfaust reserves more than 256 MiB for a stack. A dense loop of 32 lines takes
# 65 MiB; delay lines and tables are what can take more.
MEMORY_BYTES = 2**30
# Python and 8 MB of libfaust from a cold disk; it is started long before it is needed.
_START_SECONDS = 10.0
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
    """A child process that compiles what it is asked to.

    It is started when it is needed and stays; one that has died or was killed is started again
    for the next question. Nothing here blocks: the answer makes ``fileno`` readable.
    """

    def __init__(
        self,
        name: str,
        *,
        libraries: bool = True,
        timeout: float = TIMEOUT_SECONDS,
        memory_bytes: int = MEMORY_BYTES,
    ) -> None:
        """Nothing is started yet.

        Args:
            name: the ``.dsp``'s file stem, the top of its sliders' addresses.
            libraries: whether the plugin's machine has the Faust libraries.
            timeout: seconds, on the clock, that a compile may take.
            memory_bytes: that it may take.
        """
        self._name = name
        self._libraries = libraries
        self._timeout = timeout
        self._memory_bytes = memory_bytes
        self._process: subprocess.Popen[bytes] | None = None
        self._control: socket.socket | None = None
        # Texts travel in a file: no child that has stopped reading can block us.
        self._text: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 - until close
        self._said: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115
        self._received = b""
        self._ready = False
        self._deadline: float | None = None

    def start(self) -> None:
        """Have the child there before it is needed.

        Raises:
            OSError: no process can be started.
        """
        if self._process is not None:
            return
        self._control, theirs = socket.socketpair()
        self._control.setblocking(False)
        self._received, self._ready = b"", False
        descriptors = theirs.fileno(), self._text.fileno()
        arguments = [*descriptors, self._memory_bytes, int(self._libraries)]
        with theirs:
            self._process = subprocess.Popen(  # noqa: S603 - our own program
                [sys.executable, os.fspath(_CHILD), *map(str, arguments)],
                pass_fds=descriptors,
                stdin=subprocess.DEVNULL,
                stdout=self._said,
                stderr=self._said,
                # So that it goes with what it has started.
                start_new_session=True,
            )

    def ask(self, program: str, *, play: bool) -> None:
        """Have a program compiled; the last answer must have come.

        Args:
            program: Faust text.
            play: play a second of noise through it as well.

        Raises:
            OSError: no process can be started, or the text finds no room.
        """
        self.start()
        assert self._control is not None  # noqa: S101 - start has seen to it
        text = program.encode()
        self._text.truncate(os.pwrite(self._text.fileno(), text, 0))
        self._said.truncate(0)
        request = {"size": len(text), "name": self._name, "play": play, "seconds": self._timeout}
        self._deadline = time.monotonic() + (self._timeout if self._ready else _START_SECONDS)
        # A child that has just died is noticed by its end of file.
        with suppress(BrokenPipeError):
            self._control.send(json.dumps(request).encode() + b"\n")

    def fileno(self) -> int | None:
        """What becomes readable when there is something to ``receive``; None: no child."""
        return None if self._control is None else self._control.fileno()

    def deadline(self) -> float | None:
        """When ``receive`` wants to be called at the latest, monotonic seconds."""
        return self._deadline

    def receive(self) -> Answer | None:
        """The answer, if it has come or can no longer come."""
        if self._deadline is not None and time.monotonic() >= self._deadline:
            self._end()
            return Failed(
                f"libfaust was not done after {self._timeout:g} s: make the program smaller, or "
                "raise --compile-timeout"
            )
        if not self._read():
            asked, problem = self._deadline is not None, self._end()
            return Failed(problem) if asked else None
        while b"\n" in self._received:
            line, _, self._received = self._received.partition(b"\n")
            answer = self._take(json.loads(line))
            if answer is not None:
                return answer
        return None

    def close(self) -> None:
        """End the child."""
        self._end()
        self._text.close()
        self._said.close()

    def _read(self) -> bool:
        """Take what the child has sent; False: it has ended."""
        if self._control is None:
            return True
        try:
            data = self._control.recv(2**16)
        except BlockingIOError:
            return True
        except ConnectionResetError:
            return False
        self._received += data
        return bool(data)

    def _take(self, said: dict[str, Any]) -> Answer | None:
        if "ready" in said:
            self._ready = True
            if self._deadline is not None:
                self._deadline = time.monotonic() + self._timeout
            return None
        self._deadline = None
        if "missing" in said:
            self._end()
            return Missing(f"there is no libfaust ({said['missing']}): {INSTALL}")
        return from_plain(said)

    def _end(self) -> str:
        """End the child; why it had ended, if it had."""
        self._deadline = None
        if self._process is None or self._control is None:
            return ""
        self._control.close()
        # macOS forbids signals to a group of zombies.
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, signal.SIGKILL)
        code = self._process.wait()
        self._process = self._control = None
        return self._explain(code)

    def _explain(self, code: int) -> str:
        said = os.pread(self._said.fileno(), 2000, 0).decode(errors="replace")
        if "bad_alloc" in said or "MemoryError" in said:
            return (
                f"libfaust needs more than its {self._memory_bytes / 2**20:.0f} MiB: make delays "
                "and tables shorter"
            )
        how = f"ended with {signal.Signals(-code).name}" if code < 0 else f"exited with code {code}"
        words = said.strip().splitlines()
        last = f" ({words[-1][:300]})" if words else ""
        return f"libfaust {how}{last}: it can't take this program, so change it"
