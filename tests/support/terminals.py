"""A program on a terminal of its own."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

_ESCAPES = re.compile(rb"\x1b(?:\[[0-9;?]*[A-Za-z]|\][^\x07]*\x07)")


class Terminal:
    """A program's terminal, and what it has written there so far."""

    def __init__(self, process: subprocess.Popen[bytes], screen: int) -> None:
        self.process = process
        self._screen = screen
        self.raw = b""

    def until(self, words: str, seconds: float = 15.0) -> str:
        """Read until some words appear; returns everything since the last ones.

        Escape sequences are removed first, so the words may span several colours.
        """
        begun, end = len(self.raw), time.monotonic() + seconds
        while words not in (said := _ESCAPES.sub(b"", self.raw[begun:]).decode(errors="replace")):
            assert time.monotonic() < end, f"{words!r} did not come: {said[-2000:]}"
            self.read(0.1)
        return said

    def type(self, keys: str) -> None:
        """Send keystrokes."""
        os.write(self._screen, keys.encode())

    def read(self, seconds: float) -> None:
        """Read for a number of seconds."""
        if select.select([self._screen], [], [], seconds)[0]:
            # Linux's way of saying that the program has closed it.
            with suppress(OSError):
                self.raw += os.read(self._screen, 65536)

    def end(self, seconds: float = 15.0) -> int:
        """Read to the end; returns the program's exit code."""
        end = time.monotonic() + seconds
        # A terminal that nobody reads holds up who writes to it.
        while self.process.poll() is None:
            assert time.monotonic() < end, "the program does not end"
            self.read(0.1)
        before = -1
        while before < len(self.raw):
            before = len(self.raw)
            self.read(0.1)
        return int(self.process.returncode)

    def resize(self, columns: int, lines: int) -> None:
        size = struct.pack("HHHH", lines, columns, 0, 0)
        fcntl.ioctl(self._screen, termios.TIOCSWINSZ, size)


@contextmanager
def terminal(*arguments: str, columns: int = 100, lines: int = 30) -> Iterator[Terminal]:
    """Run ``faustwire …`` on a terminal until the block ends."""
    screen, theirs = pty.openpty()
    environment = {name: value for name, value in os.environ.items() if name != "NO_COLOR"}
    process = subprocess.Popen(
        [sys.executable, "-m", "faustwire_bridge", *arguments],
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        env={**environment, "TERM": "xterm-256color"},
        start_new_session=True,
    )
    os.close(theirs)
    shown = Terminal(process, screen)
    shown.resize(columns, lines)
    try:
        yield shown
    finally:
        process.kill()
        process.wait()
        os.close(screen)
