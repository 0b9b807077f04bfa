"""Real bridges in processes of their own, with paths of their own, that end with the test."""

from __future__ import annotations

import json
import os
import secrets
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from faustwire.rendezvous import Rendezvous, rendezvous

DEADLINE = 30.0


def eventually(condition: Callable[[], object], what: str, seconds: float = DEADLINE) -> None:
    """Wait until a condition holds; fail when the deadline has passed."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, f"not within {seconds} s: {what}"
        time.sleep(0.005)


def free_port() -> int:
    """A free TCP port whose successor, for events, is free as well.

    Not one of those that systems hand out themselves: between now and its use no connection and no
    test beside this one gets it by chance.
    """
    dice = secrets.SystemRandom()
    for _ in range(100):
        port = dice.randrange(20_000, 32_000, 2)
        with socket.socket() as one, socket.socket() as next_one, suppress(OSError):
            one.bind(("127.0.0.1", port))
            next_one.bind(("127.0.0.1", port + 1))
            return port
    raise RuntimeError("no two free ports")


@dataclass(frozen=True)
class Plugin:
    """The plugin's two files, and the rendezvous of its workers and bridge."""

    folder: Path

    @property
    def dsp_path(self) -> Path:
        return self.folder / "live.dsp"

    @property
    def config_path(self) -> Path:
        return self.folder / "current-dsp.txt"

    @property
    def place(self) -> Rendezvous:
        return rendezvous(self.dsp_path)

    @property
    def paths(self) -> dict[str, Any]:
        return {"dsp_path": str(self.dsp_path), "config_path": str(self.config_path)}

    def program(self) -> str:
        return self.dsp_path.read_text()

    def bridge_pid(self) -> int | None:
        """Process id of the bridge that owns the ``.dsp``, from its lock file; None: no bridge."""
        try:
            return int(json.loads(self.place.lock_path.read_text())["pid"])
        except (FileNotFoundError, ValueError):
            return None

    def end_bridge(self) -> None:
        """Kill whatever bridge a test has left running, and remove its files."""
        pid = self.bridge_pid()
        if pid is not None:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)
                os.kill(pid, signal.SIGKILL)
            eventually(lambda: not alive(pid), f"bridge {pid} ends")
        for path in (self.place.lock_path, self.place.socket_path, self.place.log_path):
            path.unlink(missing_ok=True)


def alive(pid: int) -> bool:
    """Whether a process runs; a zombie does not."""
    try:
        os.kill(pid, 0)
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except ProcessLookupError:
        return False
    except FileNotFoundError:
        # Gone in between, or a system without /proc, where nothing of ours stays a zombie.
        return not Path("/proc/self").exists()


@dataclass
class ServedBridge:
    """A bridge that was started with ``faustwire serve``."""

    process: subprocess.Popen[str]
    endpoint: str
    stderr: Path

    def log(self) -> str:
        return self.stderr.read_text()


@contextmanager
def served(
    plugin: Plugin,
    *arguments: str,
    bind: str = "tcp://127.0.0.1:0",
    within: Sequence[str] = (),
    restarts: bool = False,
    program: Sequence[str] = ("-m", "faustwire_bridge"),
) -> Iterator[ServedBridge]:
    """Run ``faustwire serve`` for a plugin; yields when it accepts connections.

    ``within`` stands before the command, for instance to run it on another host. With ``restarts``
    the process is the supervisor, and the bridge is a child of it. ``program``: what Python is told
    to run.
    """
    command = [*within, sys.executable, *program, "serve"]
    command += ["--print-ready", "--bind", bind]
    command += [] if restarts else ["--no-restart"]
    command += ["--dsp-path", str(plugin.dsp_path), "--config-path", str(plugin.config_path)]
    stderr = plugin.folder.parent / f"{plugin.folder.name}-bridge.log"
    with stderr.open("w") as log:
        process = subprocess.Popen(
            [*command, *arguments], stdout=subprocess.PIPE, stderr=log, text=True
        )
    assert process.stdout is not None
    try:
        ready = process.stdout.readline()
        assert ready, f"the bridge did not start: {stderr.read_text()}"
        yield ServedBridge(process, json.loads(ready)["endpoints"][0], stderr)
    finally:
        with suppress(ProcessLookupError):
            process.send_signal(signal.SIGCONT)
        process.terminate()
        process.wait(DEADLINE)
        process.stdout.close()
