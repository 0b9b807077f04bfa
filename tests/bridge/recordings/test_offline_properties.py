"""Whatever happened at a bridge in whatever order: recorded and decided again it is the same."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from core_by_hand import WELCOME, encoded
from core_world import BEGUN_NS, World, play
from faustwire import codec
from faustwire.messages import Welcome
from faustwire.recording import RecordingWriter
from faustwire_bridge.core import events, instructions
from faustwire_bridge.core.state_machine import Core
from faustwire_bridge.recordings.offline import decide_again
from faustwire_bridge.recordings.recorder import Recorder
from seeds import seeds

OFFSET_NS = 1_795_000_000 * 10**9


def record(world: World, folder: Path, *, published_only: bool) -> list[str]:
    """Record a world as the shell does; SHA-256 of the programs that were written."""
    said = {"rules": world.rules.to_text(), "monotonic_offset_ns": str(OFFSET_NS)}
    said |= {"kept": "published" if published_only else "all", "dsp_path": WELCOME.dsp_path}
    writer = RecordingWriter(folder, OFFSET_NS + BEGUN_NS, said)
    recorder = Recorder(writer, OFFSET_NS, published_only=published_only)
    core = Core(WELCOME, BEGUN_NS * 1e-9, world.rules)
    programs: list[str] = []
    for now, event in world.log:
        now_ns = round(now * 1e9)
        if isinstance(event, events.Arrived):
            recorder.arrived(now_ns, event.peer, encoded(event.message))
        else:
            recorder.took(now_ns, event)
        for told in core.handle(event, now):
            if isinstance(told, instructions.Happened):
                recorder.happened(now_ns, told.event)
                programs += filter(None, [told.event.program])
            elif isinstance(told, instructions.Send):
                session = core.sessions.at(told.peer)
                if isinstance(told.message, Welcome) and session is not None:
                    recorder.identified(told.peer, session.hello, session.user)
                recorder.sent(now_ns, told.peer, codec.encode(told.message), told.message)
    recorder.close()
    return programs


@pytest.mark.parametrize("seed", seeds(6, 100))
def test_verdicts_events_and_programs_are_the_same(seed: int, tmp_path: Path) -> None:
    programs = record(play(seed), tmp_path / "run", published_only=False)
    outcome = decide_again([tmp_path / "run"], tmp_path / "again")
    assert outcome.differences == []
    assert outcome.notes == []
    assert outcome.programs == programs
    files = sorted((tmp_path / "again").glob("*.dsp"))
    assert [hashlib.sha256(file.read_bytes()).hexdigest() for file in files] == programs


@pytest.mark.parametrize("seed", seeds(6, 100))
def test_of_what_was_published_the_programs_are_the_same(seed: int, tmp_path: Path) -> None:
    """What a worker that does not wait for verdicts has made the recorder let go is told."""
    programs = record(play(seed), tmp_path / "run", published_only=True)
    outcome = decide_again([tmp_path / "run"], tmp_path / "again")
    assert all(told.endswith("now nothing") for told in outcome.differences)
    assert len(outcome.programs) == len(programs) - outcome.differing
    rest = iter(programs)
    assert all(program in rest for program in outcome.programs), "in the same order"
