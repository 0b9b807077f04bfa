"""Seeds of random tests: a few in the suite, the others among the slow tests."""

from __future__ import annotations

import os
from typing import Any

import pytest


def seeds(suite: int, slow: int) -> list[Any]:
    """Seeds 0 to ``slow`` - 1 for ``parametrize``; the suite runs the first ``suite``."""
    later = (pytest.param(seed, marks=pytest.mark.slow) for seed in range(suite, slow))
    return [*range(suite), *later]


def many(cases: int) -> int:
    """How many cases a slow test has: this many, or FAUSTWIRE_TIMES times as many."""
    return cases * int(os.environ.get("FAUSTWIRE_TIMES", "1"))
