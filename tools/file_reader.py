"""Read a file as fast as possible and remember every distinct content.

    python file_reader.py FILE

runs until its standard input ends, then compiles each distinct content with libfaust and prints
one JSON object: how often it looked, how many contents it saw, and those that are no program.
"""

from __future__ import annotations

import json
import select
import sys
from pathlib import Path

from faustwire_bridge.children.libfaust import CompileError, compile_program


def main(path: Path) -> None:
    """Read, compile, report."""
    seen: dict[bytes, None] = {}
    looks = 0
    while not select.select([sys.stdin], [], [], 0)[0]:
        for _ in range(100):
            try:
                seen[path.read_bytes()] = None
            except FileNotFoundError:
                continue
            looks += 1
    broken = [problem for content in seen if (problem := _problem(content))]
    report = {"looks": looks, "contents": len(seen), "broken": broken}
    sys.stdout.write(json.dumps(report) + "\n")


def _problem(content: bytes) -> str | None:
    try:
        compile_program(content.decode())
    except (CompileError, UnicodeDecodeError) as problem:
        return f"{problem}: {content[:200]!r}"
    return None


if __name__ == "__main__":
    main(Path(sys.argv[1]))
