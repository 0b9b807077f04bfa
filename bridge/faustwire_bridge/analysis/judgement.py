"""A snapshot judged: decoded, written in Faust, and assessed. Pure, and slow for large models."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from functools import partial

from faustwire.codec import MAX_PROGRAM
from faustwire.controls import Slider
from faustwire.errors import FaustwireError, MessageError
from faustwire.fingerprint import fingerprint
from faustwire.messages import Reason, Snapshot
from faustwire_bridge.analysis.assessment import assess
from faustwire_bridge.analysis.bounded import certified
from faustwire_bridge.analysis.change import (
    WrittenModel,
    certain_change_db,
    change_db,
)
from faustwire_bridge.analysis.judge_memory import Memory
from faustwire_bridge.analysis.knob_positions import (
    at_first,
    knobs_by_bounds,
    knobs_of_model,
)
from faustwire_bridge.analysis.workload import is_small
from faustwire_bridge.codegen import Program, generate
from faustwire_bridge.core.events import Judged
from faustwire_bridge.core.refusal import Refusal
from faustwire_bridge.core.sound_limits import Assessment, Limits

# Of a message that is judged where it arrives: a dense loop of 32 lines in double precision.
MAX_BYTES_AT_HAND = 2**14
# What plays is only decoded, to see whether it may be like a small one.
_MAX_BYTES_DECODED = 2**17


def judge(
    data: bytes,
    *,
    limits: Limits,
    playing: str | None,
    playing_db: float | None,
    played: bytes | None = None,
    memory: Memory | None = None,
) -> Judged:
    """Write a snapshot in Faust and assess how it would sound.

    Args:
        data: the encoded Snapshot, as a worker sent it; it is decoded and validated here.
        limits: how loud it may be.
        playing: ``fingerprint`` of the program that plays; that one is not assessed again.
        playing_db: the level of what plays, or a lower bound on it, in dB; None: not known.
        played: the encoded Snapshot that plays, to be compared with; None: nothing is compared.
        memory: of the last snapshots; None: of none.

    Returns:
        The program and its assessment, or why there is none.
    """
    memory = memory or Memory()
    try:
        snapshot = memory.reader.read(data)
        knobs = knobs_of_model(snapshot.graph, snapshot.controls, fs=snapshot.fs)
        model, program = _written(snapshot, knobs, memory)
    except FaustwireError as problem:
        return _refused(str(problem))
    except (ArithmeticError, ValueError) as problem:
        return _refused(f"its numbers are too large or too small to be computed with: {problem}")
    if fingerprint(program.text) == playing:
        return Judged(program.text, warnings=program.warnings, fs=model.fs)
    assessment = assess(
        snapshot.graph,
        fs=snapshot.fs,
        limits=limits,
        playing_db=playing_db,
        program=program.text,
        controls=knobs,
        levels=memory.levels,
    )
    change = None
    if played is not None and assessment.refusal is None:
        before = memory.models.get(played, partial(_played, played, memory))
        after = memory.models.get(data, lambda: model)
        change = certain_change_db(before, after, limits.min_change_db)
        if change is None:
            change = change_db(before, after, assessment.rt60_seconds)
    return _judged(program, assessment, model, change)


def judge_at_hand(
    data: bytes,
    *,
    limits: Limits,
    playing: str | None,
    playing_db: float | None,
    played: bytes | None,
    memory: Memory,
) -> Judged | None:
    """Judge a snapshot like ``judge``, if that takes a few milliseconds at most.

    Args:
        data: the encoded Snapshot, as a worker sent it; it is decoded and validated here.
        limits: how loud it may be.
        playing: ``fingerprint`` of the program that plays; that one is not assessed again.
        playing_db: the level of what plays, or a lower bound on it, in dB; None: not known.
        played: the encoded Snapshot that plays, to be compared with; None: nothing is compared.
        memory: of the last snapshots.

    Returns:
        What ``judge`` would say; None: it is too large, malformed, or bounds do not tell.
    """
    try:
        small = _written_if_small(data, memory)
        before = None if played is None else _model_if_small(played, memory)
    except (FaustwireError, ArithmeticError, ValueError):
        return None
    if small is None:
        return None
    model, program = small
    if fingerprint(program.text) == playing:
        return Judged(program.text, warnings=program.warnings, fs=model.fs)
    passed = certified(
        model.graph,
        fs=model.fs,
        limits=limits,
        playing_db=playing_db,
        program=program.text,
        levels=memory.levels,
        at_first=at_first(model.graph, model.controls, fs=model.fs),
    )
    if passed is None:
        return None
    model = replace(model, gain_bound=passed.gain_bound)
    if played is None:
        return _judged(program, passed.assessment, model, None)
    if before is None:
        return (
            _judged(program, passed.assessment, model, math.inf)
            if _is_large(played, memory)
            else None
        )
    memory.models.get(played, lambda: before)
    after = memory.models.get(data, lambda: model)
    change = certain_change_db(before, after, limits.min_change_db)
    return None if change is None else _judged(program, passed.assessment, model, change)


def _written_if_small(data: bytes, memory: Memory) -> tuple[WrittenModel, Program] | None:
    if len(data) > MAX_BYTES_AT_HAND:
        return None
    snapshot = memory.reader.read(data)
    if not is_small(snapshot.graph):
        return None
    knobs = knobs_by_bounds(snapshot.graph, snapshot.controls)
    return None if knobs is None else _written(snapshot, knobs, memory)


def _model_if_small(data: bytes, memory: Memory) -> WrittenModel | None:
    known = memory.models.known(data)
    if known is not None:
        return known
    small = _written_if_small(data, memory)
    return None if small is None else small[0]


def _is_large(data: bytes, memory: Memory) -> bool:
    """Whether a snapshot that was published has another layout than any small one."""
    return len(data) <= _MAX_BYTES_DECODED and not is_small(memory.reader.read(data).graph)


def _played(data: bytes, memory: Memory) -> WrittenModel:
    """The model of a snapshot that was judged before."""
    snapshot = memory.reader.read(data)
    knobs = knobs_of_model(snapshot.graph, snapshot.controls, fs=snapshot.fs)
    return _written(snapshot, knobs, memory)[0]


def _written(
    snapshot: Snapshot, knobs: Mapping[str, Slider], memory: Memory
) -> tuple[WrittenModel, Program]:
    program = generate(
        snapshot.graph,
        fs=snapshot.fs,
        name=snapshot.name,
        controls=knobs,
        written=memory.written,
    )
    if len(program.text) > MAX_PROGRAM:
        # libfaust would not be done with it in time, and everybody would wait for that.
        raise MessageError(
            f"the program would have {len(program.text)} characters, at most {MAX_PROGRAM} "
            "are written: shorten the FIRs, or use fewer sections and channels"
        )
    return WrittenModel(program.text, snapshot.graph, snapshot.fs, knobs, program.example), program


def _judged(
    program: Program, assessment: Assessment, model: WrittenModel, change: float | None
) -> Judged:
    return Judged(
        program.text,
        warnings=program.warnings,
        assessment=assessment,
        change_db=change,
        structure=model.structure,
        fs=model.fs,
    )


def _refused(detail: str) -> Judged:
    return Judged(refusal=Refusal(Reason.REFUSED, detail))
