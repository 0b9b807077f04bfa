"""What goes wrong in the bridge itself, beside the publications, keeps no worker waiting."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from bridges import Plugin, alive, served
from faustwire.messages import State, Watch
from peers import peer

# A bridge in which a function raises.
BROKEN = """
import importlib, sys
module, name = sys.argv[1].rsplit(".", 1)
if name != "nothing":
    def broken(*_, **__):
        raise ZeroDivisionError
    setattr(importlib.import_module(module), name, broken)
sys.argv = sys.argv[4:]
from faustwire_bridge.cli import main
sys.exit(main())
"""


def broken(function: str) -> tuple[str, ...]:
    return sys.executable, "-c", BROKEN, f"faustwire_bridge.{function}"


@pytest.mark.parametrize("function", ["recordings.journal.encode", "recordings.journal.nothing"])
def test_what_cannot_be_recorded_is_decided_all_the_same(
    plugin: Plugin, tmp_path: Path, function: str
) -> None:
    """The core never heard of an outcome, and nobody had a verdict any more."""
    with (
        served(plugin, "--record", str(tmp_path / "r"), within=broken(function)) as bridge,
        peer(bridge.endpoint, "anna") as anna,
    ):
        assert anna.update(0.5).published
        assert anna.update(0.25).published
    assert ("the recording has stopped" in bridge.log()) is function.endswith("encode")


@pytest.mark.parametrize("function", ["core.overview.state", "core.overview.nothing"])
def test_a_state_that_cannot_be_told_ends_no_bridge(plugin: Plugin, function: str) -> None:
    with (
        served(plugin, within=broken(function)) as bridge,
        peer(bridge.endpoint, "anna") as anna,
        peer(bridge.endpoint, "eve") as eve,
    ):
        eve.send(Watch(0))
        assert anna.update(0.5).published
        assert alive(bridge.process.pid)
        if function.endswith("nothing"):
            assert isinstance(eve.receive(), State)
    assert ("is not told" in bridge.log()) is function.endswith("state")
