"""A snapshot judged: its program, and how that would sound. Pure, and slow for large models."""

from __future__ import annotations

from faustwire.codec import MAX_CODE
from faustwire.errors import FaustwireError
from faustwire.fingerprint import fingerprint
from faustwire.messages import Snapshot
from faustwire_bridge.analysis.assessment import listen
from faustwire_bridge.codegen import generate
from faustwire_bridge.core.events import Judged
from faustwire_bridge.core.sound_limits import Limits


def judge(
    snapshot: Snapshot, *, limits: Limits, playing: str | None, playing_db: float | None
) -> Judged:
    """Write a snapshot in Faust and tell how it would sound.

    Args:
        snapshot: a valid one.
        limits: what may be heard.
        playing: ``fingerprint`` of the text that the plugin has; that one is not judged again.
        playing_db: the peak gain of what plays; None: not known.
    """
    try:
        program = generate(
            snapshot.graph, fs=snapshot.fs, name=snapshot.name, controls=snapshot.controls
        )
    except FaustwireError as problem:
        return Judged(refusal=str(problem))
    if len(program.text) > MAX_CODE:
        # libfaust would not be done with it in time, and everybody would wait for that.
        return Judged(
            refusal=f"the program would have {len(program.text)} characters, at most {MAX_CODE} "
            "are written: shorten the FIRs, or use fewer sections and channels"
        )
    if fingerprint(program.text) == playing:
        return Judged(program.text, warnings=program.warnings)
    sound = listen(snapshot.graph, fs=snapshot.fs, limits=limits, playing_db=playing_db)
    return Judged(program.text, warnings=program.warnings, sound=sound)
