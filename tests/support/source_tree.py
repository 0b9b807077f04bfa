"""Looks into the source tree: who holds a rule that only one module may hold."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
PACKAGES = (
    "wire/faustwire",
    "publisher/faustwire_publisher",
    "bridge/faustwire_bridge",
)


def files_with(pattern: str) -> list[str]:
    """Source files of the three packages in which a regular expression is found."""
    wanted = re.compile(pattern)
    paths = (path for package in PACKAGES for path in sorted((ROOT / package).rglob("*.py")))
    return [
        path.relative_to(ROOT).as_posix()
        for path in paths
        if wanted.search(path.read_text(encoding="utf-8"))
    ]
