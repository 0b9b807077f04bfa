"""A snapshot judged: decoded, written in Faust, and assessed. Pure, and slow for large models."""

from __future__ import annotations

from functools import partial

from faustwire import codec
from faustwire.codec import MAX_PROGRAM
from faustwire.errors import FaustwireError
from faustwire.fingerprint import fingerprint
from faustwire.messages import Reason, Snapshot
from faustwire_bridge.analysis.assessment import assess
from faustwire_bridge.analysis.change import WrittenModel, WrittenModels, change_db
from faustwire_bridge.analysis.knob_positions import knobs_of_model
from faustwire_bridge.codegen import Program, generate
from faustwire_bridge.core.events import Judged
from faustwire_bridge.core.refusal import Refusal
from faustwire_bridge.core.sound_limits import Limits


def judge(
    data: bytes,
    *,
    limits: Limits,
    playing: str | None,
    playing_db: float | None,
    played: bytes | None = None,
    models: WrittenModels | None = None,
) -> Judged:
    """Write a snapshot in Faust and assess how it would sound.

    Args:
        data: the encoded Snapshot, as a worker sent it; it is decoded and validated here.
        limits: how loud it may be.
        playing: ``fingerprint`` of the program that plays; that one is not assessed again.
        playing_db: the level of what plays, in dB; None: not known.
        played: the encoded Snapshot that plays, to be compared with; None: nothing is compared.
        models: knows the models that were compared last; None: none.

    Returns:
        The program and its assessment, or why there is none.
    """
    try:
        snapshot = codec.decode(data)
        if not isinstance(snapshot, Snapshot):
            return _refused(f"a snapshot is wanted, not a {type(snapshot).__name__}")
        model, program = _written(snapshot)
    except FaustwireError as problem:
        return _refused(str(problem))
    except (ArithmeticError, ValueError) as problem:
        return _refused(f"its numbers are too large or too small to be computed with: {problem}")
    if len(program.text) > MAX_PROGRAM:
        # libfaust would not be done with it in time, and everybody would wait for that.
        return _refused(
            f"the program would have {len(program.text)} characters, at most {MAX_PROGRAM} "
            "are written: shorten the FIRs, or use fewer sections and channels"
        )
    if fingerprint(program.text) == playing:
        return Judged(program.text, warnings=program.warnings)
    assessment = assess(
        snapshot.graph,
        fs=snapshot.fs,
        limits=limits,
        playing_db=playing_db,
        program=program.text,
        controls=model.controls,
    )
    change = None
    if played is not None and assessment.refusal is None:
        models = models or WrittenModels()
        before = models.get(played, partial(_played, played))
        after = models.get(data, lambda: model)
        change = change_db(before, after, assessment.rt60_seconds)
    return Judged(program.text, warnings=program.warnings, assessment=assessment, change_db=change)


def _played(data: bytes) -> WrittenModel:
    """The model of a snapshot that was judged before."""
    snapshot = codec.decode(data)
    assert isinstance(snapshot, Snapshot)  # noqa: S101 - it plays
    return _written(snapshot)[0]


def _written(snapshot: Snapshot) -> tuple[WrittenModel, Program]:
    graph, fs = snapshot.graph, snapshot.fs
    knobs = knobs_of_model(graph, snapshot.controls, fs=fs)
    program = generate(graph, fs=fs, name=snapshot.name, controls=knobs)
    return WrittenModel(program.text, graph, fs, knobs), program


def _refused(detail: str) -> Judged:
    return Judged(refusal=Refusal(Reason.REFUSED, detail))
