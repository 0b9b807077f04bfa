"""A child process that answers one request at a time, with a deadline; nothing here blocks."""

from __future__ import annotations

import errno
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

# Python and its libraries from a cold disk; a child is started long before it is needed.
_START_SECONDS = 10.0


@dataclass(frozen=True)
class Ended:
    """The child has ended.

    Attributes:
        asked: whether an answer was outstanding.
        code: its exit code; negative: the signal that ended it.
        said: the beginning of what it wrote to its standard output and error.
        late: it was ended because its deadline had passed.
    """

    asked: bool
    code: int
    said: str
    late: bool = False

    def how(self) -> str:
        """How it ended, for people: "ended with SIGABRT (last line of its output)"."""
        code = self.code
        how = f"ended with {signal.Signals(-code).name}" if code < 0 else f"exited with code {code}"
        words = self.said.strip().splitlines()
        return how + (f" ({words[-1][:300]})" if words else "")


class ChildProcess:
    """A child process that answers requests.

    It is started when it is needed and stays; one that has ended is started again for the next
    request. Requests and answers are one JSON object per line over a socket; ``fileno`` becomes
    readable when an answer comes. Long data travels in two files, so that a child that has stopped
    reading can't block the bridge: ``{"size": n, …}`` stands for n bytes there.
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
            command: makes the command line from three descriptors: of the socket, of the file that
                holds a request's bytes, and of the one that takes an answer's.
            timeout: wall-clock seconds that an answer may take.
            environment: variables that the child has beside the bridge's.
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
        """Process id of the child; None: there is none."""
        return None if self._process is None else self._process.pid

    def start(self) -> None:
        """Start the child, so that it is ready before it is needed; one that runs goes on.

        Raises:
            OSError: no process can be started.
        """
        if self._process is not None:
            return
        control, theirs = socket.socketpair()
        control.setblocking(False)
        descriptors = theirs.fileno(), self._request.fileno(), self._answer.fileno()
        try:
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
        except BaseException:
            # Its other end is gone, so it would be readable for ever, and the bridge never wait.
            control.close()
            raise
        self._control, self._received, self._ready = control, b"", False

    def ask(self, request: Mapping[str, Any], body: bytes) -> None:
        """Send a request; the last answer must have come.

        Args:
            request: what is asked, as JSON.
            body: bytes that go with it.

        Raises:
            OSError: no process can be started, or there is no room for the body.
        """
        # Before there is a child that may have its last words.
        self._said.truncate(0)
        self.start()
        assert self._control is not None  # noqa: S101 - start has seen to it
        self._request.truncate(0)
        write_whole(self._request.fileno(), body)
        self._deadline = time.monotonic() + (self._timeout if self._ready else _START_SECONDS)
        # A child that has just died is noticed by its end of file.
        with suppress(BrokenPipeError):
            line = {**request, "size": len(body), "seconds": self._timeout}
            self._control.send(json.dumps(line).encode() + b"\n")

    def body(self, size: int) -> bytes:
        """Read the bytes of the last answer.

        Args:
            size: how many the child says there are.

        Returns:
            Exactly that many bytes.

        Raises:
            OSError: there are fewer.
        """
        body = os.pread(self._answer.fileno(), size, 0)
        if len(body) != size:
            raise OSError(errno.EIO, f"an answer of {size} bytes has only {len(body)}")
        return body

    def fileno(self) -> int | None:
        """What is readable when there is something to ``receive``; None: there is no child."""
        return None if self._control is None else self._control.fileno()

    def deadline(self) -> float | None:
        """When ``receive`` must be called at the latest, in monotonic seconds; None: any time."""
        return self._deadline

    def receive(self) -> dict[str, Any] | Ended | None:
        """Take what the child has answered.

        Returns:
            The answer; how the child ended, if it did; None: nothing yet.
        """
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
        """End the child if it lives; the next ``ask`` starts another.

        Args:
            late: it is ended because its deadline has passed.

        Returns:
            How it ended.
        """
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

    def cancel(self) -> None:
        """Give up the request that is being worked on; another child is started for the next."""
        if self._deadline is not None:
            self.end()
            # If it can't be started now, the next `ask` says so.
            with suppress(OSError):
                self.start()

    def close(self) -> None:
        """End the child for good."""
        self.end()
        for file in (self._request, self._answer, self._said):
            file.close()

    def _read(self) -> bool:
        """Read what the child has sent; False: it has ended."""
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


def write_whole(descriptor: int, data: bytes) -> None:
    """Write data at the beginning of a file, all of it.

    On a full disk a write may be short before the next one fails.

    Args:
        descriptor: of the file.
        data: what to write.

    Raises:
        OSError: there is no room.
    """
    done = 0
    while done < len(data):
        done += os.pwrite(descriptor, data[done:], done)


def _scratch() -> IO[bytes]:
    return tempfile.TemporaryFile()


def _append_only(file: IO[bytes]) -> None:
    """Have a child's output begin at the file's beginning again once it was truncated.

    Otherwise it continues where the last child stopped, behind that many null bytes.
    """
    flags = fcntl.fcntl(file, fcntl.F_GETFL)
    fcntl.fcntl(file, fcntl.F_SETFL, flags | os.O_APPEND)
