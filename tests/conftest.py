"""What every test gets: an environment of its own and a plugin folder that is cleaned up."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from bridges import Plugin


def pytest_configure() -> None:
    """Ctrl-C is tested; what a shell runs in the background would ignore it."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(autouse=True)
def _nothing_from_outside(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No endpoint, no keys but those that a test makes, no size of somebody else's terminal."""
    # What runs tests in parallel states the size of a terminal, though there is none.
    for name in ("FAUSTWIRE_ENDPOINT", "COLUMNS", "LINES"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("FAUSTWIRE_KEYS", str(tmp_path / "default-keys"))


@pytest.fixture
def plugin(tmp_path: Path) -> Iterator[Plugin]:
    """A folder for a plugin's files; whatever bridge is left for it is ended."""
    folder = tmp_path / "plugin"
    folder.mkdir()
    plugin = Plugin(folder)
    yield plugin
    plugin.end_bridge()
