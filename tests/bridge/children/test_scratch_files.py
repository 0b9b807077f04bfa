"""Scratch files on a full disk: nothing that was cut short is compiled, judged or written."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from bridges import Plugin, served
from faustwire import codec
from faustwire.graph import FIR
from faustwire.messages import OwnProgram, Reason, Snapshot, Verdict
from faustwire_bridge.analysis.judgement import judge
from faustwire_bridge.core.sound_limits import Limits
from peers import Peer, peer
from small_disk import small_disk

# Valid at any length, so that its head alone compiles as well.
LONG_TEXT = "process = _,_;\n" + "// a comment that goes on and on\n" * 8000


def ask(worker: Peer, message: Snapshot | OwnProgram) -> Verdict:
    verdict = worker.ask(message)
    assert isinstance(verdict, Verdict)
    return verdict


def test_a_text_that_finds_no_room_is_not_published(
    plugin: Plugin, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path / "disk"))
    with (
        small_disk(tmp_path / "disk"),
        served(plugin) as bridge,
        peer(bridge.endpoint, "anna") as anna,
    ):
        verdict = ask(anna, OwnProgram(1, LONG_TEXT))
        assert verdict.reason is Reason.DOES_NOT_COMPILE
        assert "No space left" in verdict.detail
        assert ask(anna, OwnProgram(2, "process = _,_;")).published


def test_a_program_that_finds_no_room_is_not_written_even_without_the_compile_gate(
    plugin: Plugin, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    taps = np.linspace(0.1, 0.2, 4000, dtype=np.float32).astype(float).reshape(-1, 1)
    data = codec.encode(snapshot := Snapshot(1, 1, 48000.0, FIR("long", taps)))
    program = judge(data, limits=Limits(), playing=None, playing_db=None).program
    assert len(data) < 40_000 < 64 * 1024 < len(program), "the request has room, the program not"
    monkeypatch.setenv("TMPDIR", str(tmp_path / "disk"))
    with (
        small_disk(tmp_path / "disk"),
        served(plugin, "--no-compile-gate") as bridge,
        peer(bridge.endpoint, "anna") as anna,
    ):
        verdict = ask(anna, snapshot)
        assert verdict.reason is Reason.REFUSED
        assert "No space left" in verdict.detail
        assert not plugin.dsp_path.exists()
        anna.call = 1
        assert anna.update(0.5).published
