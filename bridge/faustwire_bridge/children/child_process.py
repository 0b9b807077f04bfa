"""A child process that answers one request at a time, with a deadline; nothing here blocks."""

from __future__ import annotations

import fcntl
import json
import os
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import IO, Any

# Python and its libraries from a cold disk; a servant is started long before it is needed.
_START_SECONDS = 10.0


@dataclass(frozen=True)
class Ended:
    """The child is no more.

    Attributes:
        asked: whether it owed an answer.
        code: its exit code; negative: the signal that ended it.
        said: the beginning of what it wrote to its standard output and error.
        late: it was ended because its deadline had passed.
    """

    asked: bool
    code: int
    said: str
    late: bool = False

    def how(self) -> str:
        """How it ended, for people: "ended with SIGABRT (its last words)"."""
        code = self.code
        how = f"ended with {signal.Signals(-code).name}" if code < 0 else f"exited with code {code}"
        words = self.said.strip().splitlines()
        return how + (f" ({words[-1][:300]})" if words else "")


class ChildProcess:
    """A child process that does what it is asked to.

    It is started when it is needed and stays; one that has died or was killed is started again
    for the next request. Its answer makes ``fileno`` readable. Requests and answers are a JSON
    object a line over a socket; what is long travels in two files, so that no child that has
    stopped reading can block us: ``{"size": n, …}`` stands for n bytes there.
    """

    def __init__(
        self,
        command: Callable[[int, int, int], Sequence[str]],
        *,
        timeout: float,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        """Nothing is started yet.

        Args:
            command: the command line, of the descriptors of the socket, of the file that holds a
                request's bytes, and of the one that takes an answer's.
            timeout: seconds, on the clock, that an answer may take.
            environment: what the child's differs in from ours.
        """
        self._command = command
        self._timeout = timeout
        self._environment = {**os.environ, **(environment or {})}
        self._process: subprocess.Popen[bytes] | None = None
        self._control: socket.socket | None = None
        self._request, self._answer, self._said = (_scratch() for _ in range(3))
        _append_only(self._said)
        self._received = b""
        self._ready = False
        self._deadline: float | None = None

    @property
    def pid(self) -> int | None:
        """The child's process; None: there is none."""
        return None if self._process is None else self._process.pid

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
        descriptors = theirs.fileno(), self._request.fileno(), self._answer.fileno()
        with theirs:
            self._process = subprocess.Popen(  # noqa: S603 - our own program
                self._command(*descriptors),
                pass_fds=descriptors,
                stdin=subprocess.DEVNULL,
                stdout=self._said,
                stderr=self._said,
                env=self._environment,
                # So that it goes with what it has started.
                start_new_session=True,
            )

    def ask(self, request: Mapping[str, Any], body: bytes) -> None:
        """Send a request; the last answer must have come.

        Raises:
            OSError: no process can be started, or the body finds no room.
        """
        self.start()
        assert self._control is not None  # noqa: S101 - start has seen to it
        self._request.truncate(os.pwrite(self._request.fileno(), body, 0))
        self._said.truncate(0)
        self._deadline = time.monotonic() + (self._timeout if self._ready else _START_SECONDS)
        # A child that has just died is noticed by its end of file.
        with suppress(BrokenPipeError):
            line = {**request, "size": len(body), "seconds": self._timeout}
            self._control.send(json.dumps(line).encode() + b"\n")

    def body(self, size: int) -> bytes:
        """The bytes of the last answer."""
        return os.pread(self._answer.fileno(), size, 0)

    def fileno(self) -> int | None:
        """What becomes readable when there is something to ``receive``; None: no child."""
        return None if self._control is None else self._control.fileno()

    def deadline(self) -> float | None:
        """When ``receive`` wants to be called at the latest, monotonic seconds."""
        return self._deadline

    def receive(self) -> dict[str, Any] | Ended | None:
        """An answer, if one has come, or that none will."""
        if self._deadline is not None and time.monotonic() >= self._deadline:
            return self.end(late=True)
        if not self._read():
            return self.end()
        while b"\n" in self._received:
            line, _, self._received = self._received.partition(b"\n")
            answer: dict[str, Any] = json.loads(line)
            if "ready" not in answer:
                self._deadline = None
                return answer
            self._ready = True
            if self._deadline is not None:
                self._deadline = time.monotonic() + self._timeout
        return None

    def end(self, *, late: bool = False) -> Ended:
        """End the child, should it live; the next ``ask`` starts another."""
        asked, self._deadline = self._deadline is not None, None
        if self._process is None or self._control is None:
            return Ended(asked, 0, "", late)
        self._control.close()
        # macOS forbids signals to a group of zombies.
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, signal.SIGKILL)
        code = self._process.wait()
        self._process = self._control = None
        said = os.pread(self._said.fileno(), 2000, 0).decode(errors="replace")
        return Ended(asked, code, said, late)

    def close(self) -> None:
        """End the child for good."""
        self.end()
        for file in (self._request, self._answer, self._said):
            file.close()

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


def _scratch() -> IO[bytes]:
    return tempfile.TemporaryFile()


def _append_only(file: IO[bytes]) -> None:
    """Have a child's output begin at the file's beginning again once it was truncated.

    Otherwise it continues where the last child stopped, behind that many null bytes.
    """
    flags = fcntl.fcntl(file, fcntl.F_GETFL)
    fcntl.fcntl(file, fcntl.F_SETFL, flags | os.O_APPEND)
