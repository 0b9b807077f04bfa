"""The page's own tests, which run under node."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from page_engine import NODE, needs_node

FOLDER = Path(__file__).parent
FILES = sorted(path.name for path in FOLDER.glob("*.test.mjs"))


@needs_node
@pytest.mark.parametrize("name", FILES)
def test_under_node(name: str) -> None:
    done = subprocess.run(
        [str(NODE), "--expose-gc", "--test", "--test-reporter=tap", str(FOLDER / name)],
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
    )
    if "# pass 0" in done.stdout and done.returncode == 0:
        pytest.skip(next(line for line in done.stdout.splitlines() if "# SKIP" in line))
    assert done.returncode == 0, done.stdout
