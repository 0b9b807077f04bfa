"""Frozen recordings give the programs and verdicts that were blessed last."""

from __future__ import annotations

from pathlib import Path

import pytest

from faustwire.codec import VERSION
from faustwire.messages import Reason
from faustwire_bridge.recordings.offline import decide_again

FROZEN = sorted((Path(__file__).parents[1] / "recordings").glob("*/*.mcap"))
# Reasons that the bridge never gives.
_OTHERS = {Reason.NON_FINITE, Reason.NO_BRIDGE, Reason.HANDED_OVER}


def contents(folder: Path) -> dict[str, str]:
    return {path.name: path.read_text() for path in folder.iterdir()}


@pytest.mark.parametrize("frozen", FROZEN, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_a_frozen_recording_gives_what_was_blessed(frozen: Path, tmp_path: Path) -> None:
    """If it is meant to be otherwise: ``make bless``, and look at ``git diff``."""
    decide_again([frozen], tmp_path / "now")
    assert contents(tmp_path / "now") == contents(frozen.with_suffix(""))


def test_there_is_one_for_this_version_of_the_wire_and_it_knows_every_reason() -> None:
    blessed = [path.with_suffix("") for path in FROZEN if path.parent.name == f"v{VERSION}"]
    verdicts = "".join((folder / "verdicts.jsonl").read_text() for folder in blessed)
    missing = [reason for reason in Reason if f'"reason": "{reason}"' not in verdicts]
    assert set(missing) == _OTHERS
