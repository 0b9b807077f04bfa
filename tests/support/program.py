"""The program ``faustwire``, run to its end."""

from __future__ import annotations

import subprocess
import sys

from bridges import DEADLINE


def faustwire(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a command; its exit code is the caller's to check."""
    return subprocess.run(
        [sys.executable, "-m", "faustwire_bridge", *arguments],
        capture_output=True,
        text=True,
        timeout=DEADLINE,
        check=False,
    )
