"""Files of another user, for tests of what is refused."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

# Of nobody on any machine.
STRANGER = 61_234


def give_away(monkeypatch: pytest.MonkeyPatch, *paths: Path) -> None:
    """Have paths, links themselves included, belong to another user.

    Only root can give files away. For anybody else it is this process that becomes another user,
    as far as it asks, so that *all* files that are there now are a stranger's.
    """
    if os.geteuid() == 0:
        for path in paths:
            os.lchown(path, STRANGER, STRANGER)
        return
    for name in ("getuid", "geteuid"):
        monkeypatch.setattr(os, name, lambda: STRANGER)
