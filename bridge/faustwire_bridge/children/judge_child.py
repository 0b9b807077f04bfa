"""The process in which snapshots are decoded and judged, under a memory limit and a deadline.

    python -m faustwire_bridge.children.judge_child CONTROL_FD REQUEST_FD ANSWER_FD MEMORY NICENESS

Started by ``judge``; the protocol is that of ``child_process``. A request's body is an encoded
Snapshot as the worker sent it, and behind it the one that plays, if there is something to compare.
An answer's body is the program's text. The process ends when the bridge's end of its socket closes.
"""

from __future__ import annotations

import json
import os
import resource
import signal
import socket
import sys
import tempfile
from contextlib import suppress
from dataclasses import asdict
from typing import Any

from faustwire_bridge.analysis.judge_memory import Memory
from faustwire_bridge.analysis.judgement import judge
from faustwire_bridge.children.child_process import write_whole
from faustwire_bridge.core.events import Judged
from faustwire_bridge.core.sound_limits import Limits

# In a training one snapshot is much like the last.
_MEMORY = Memory()


def main() -> None:
    """Answer requests until there are no more."""
    control_fd, request_fd, answer_fd, memory_bytes, niceness = map(int, sys.argv[1:])
    os.nice(niceness)
    # Ctrl-C in the bridge's terminal is for the bridge.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with suppress(ValueError, OSError):  # macOS knows no such limit
        resource.setrlimit(resource.RLIMIT_AS, (memory_bytes, memory_bytes))
    control = socket.socket(fileno=control_fd)
    control.sendall(b'{"ready": true}\n')
    with control.makefile("r") as requests:
        for line in requests:
            request = json.loads(line)
            # Should the bridge be killed meanwhile, nobody else ends a judgement that takes ages.
            signal.setitimer(signal.ITIMER_REAL, request["seconds"] + 1)
            answer = _answer(request, request_fd, answer_fd)
            signal.setitimer(signal.ITIMER_REAL, 0)
            control.sendall(json.dumps(answer).encode() + b"\n")


def _answer(request: dict[str, Any], request_fd: int, answer_fd: int) -> dict[str, Any]:
    data = os.pread(request_fd, request["size"], 0)
    judged = _judged(data, request)
    text = judged.program.encode()
    try:
        write_whole(answer_fd, text)
    except OSError as problem:
        return {"problem": f"its program finds no room in {tempfile.gettempdir()}: {problem}"}
    plain = {**asdict(judged), "program": None, "structure": judged.structure.hex()}
    return {**plain, "size": len(text)}


def _judged(body: bytes, request: dict[str, Any]) -> Judged:
    size = len(body) - (request["played"] or 0)
    return judge(
        body[:size],
        limits=Limits(**request["limits"]),
        playing=request["playing"],
        playing_db=request["playing_db"],
        played=None if request["played"] is None else body[size:],
        memory=_MEMORY,
    )


if __name__ == "__main__":
    main()
