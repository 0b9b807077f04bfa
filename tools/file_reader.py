"""Read a file as fast as possible and remember every distinct content.

    python file_reader.py FILE [PAUSE]

says so when it begins and runs until its standard input ends. Then it compiles each distinct
content with libfaust and prints one JSON object: how often it looked, how many contents it saw, and
those that are not programs.
After each hundred looks it pauses for this many seconds (default 0).
"""

from __future__ import annotations

import json
import select
import subprocess
import sys
from pathlib import Path

from faustwire_bridge.children.libfaust import CompileError, compile_program


def start(path: Path, pause: float = 0.0) -> subprocess.Popen[str]:
    """Start a reader in a process of its own, which leaves others the processor; it reads by then.

    Args:
        path: of the file that it reads.
        pause: seconds after each hundred looks.
    """
    reader = subprocess.Popen(
        ["nice", "-n", "19", sys.executable, __file__, str(path), f"{pause}"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert reader.stdout is not None
    reader.stdout.readline()
    return reader


def main(path: Path, pause: float = 0.0) -> None:
    """Read, compile, report."""
    seen: dict[bytes, None] = {}
    # Before it says that it reads: on a busy machine it may have no other turn.
    looks = _look(path, seen)
    sys.stdout.write("reading\n")
    sys.stdout.flush()
    while not select.select([sys.stdin], [], [], pause)[0]:
        looks += _look(path, seen)
    broken = [problem for content in seen if (problem := _problem(content))]
    report = {"looks": looks, "contents": len(seen), "broken": broken}
    sys.stdout.write(json.dumps(report) + "\n")


def _look(path: Path, seen: dict[bytes, None]) -> int:
    """Read the file a hundred times; how often it was there."""
    looks = 0
    for _ in range(100):
        try:
            seen[path.read_bytes()] = None
        except FileNotFoundError:
            continue
        looks += 1
    return looks


def _problem(content: bytes) -> str | None:
    try:
        compile_program(content.decode())
    except (CompileError, UnicodeDecodeError) as problem:
        return f"{problem}: {content[:200]!r}"
    return None


if __name__ == "__main__":
    main(Path(sys.argv[1]), *map(float, sys.argv[2:]))
