"""How a model would sound: whether it grows, and how loud it gets."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from faustwire.controls import Slider
from faustwire.graph import Node
from faustwire.messages import Reason
from faustwire_bridge.analysis import stability
from faustwire_bridge.analysis.bounded import certified
from faustwire_bridge.analysis.circle_bounds import gain_bound
from faustwire_bridge.analysis.knob_growth import grows_turned
from faustwire_bridge.analysis.knob_positions import (
    at_first,
    attenuated,
    rest_seconds,
    rt60_positions,
)
from faustwire_bridge.analysis.level_bounds import LevelEstimator
from faustwire_bridge.analysis.lone_modes import hidden_peak_db, lone_angles
from faustwire_bridge.analysis.peak_gain import (
    gains_on_circle,
    late_level_db,
    level_db,
    measure,
)
from faustwire_bridge.analysis.played_graph import through_plugin
from faustwire_bridge.analysis.silent_growth import growth_db, offset_db
from faustwire_bridge.analysis.single_precision import cancelling_loop, overflow
from faustwire_bridge.core.refusal import Refusal
from faustwire_bridge.core.sound_limits import Assessment, Limits, check_gain, to_db

# At worst (32 lines of a second together) three seconds of computing, in which the bridge answers
# nobody else; what takes more is told from a second of noise.
_MAX_POINTS = 2**18
# What beats may add up to without growing for ever.
_MAX_GROWTH_DB = 20.0
# Between the main positions of the rt60 knob a peak that is so much above what a few frequencies
# show is left to those.
_FEW_ANGLES = np.pi * np.linspace(0.02, 1.0, 32) ** 2
_NARROW_DB = 30.0
# A position of the rt60 knob above which no peak is looked for.
_LONGEST_SECONDS = 60.0


def assess(
    graph: Node,
    *,
    fs: float,
    limits: Limits,
    playing_db: float | None,
    program: str = "",
    controls: Mapping[str, Slider] | None = None,
    levels: LevelEstimator | None = None,
    bounds: bool = True,
) -> Assessment:
    """Assess how a model would sound: by bounds if they suffice, else by exact searches.

    Args:
        graph: one that ``faustwire.validation.check`` accepts.
        fs: sampling rate in Hz.
        limits: how loud it may be.
        playing_db: level that a jump is measured from, in dB; None: not known.
        program: its Faust text, whose constants are looked at.
        controls: its knobs, by the control's name.
        levels: knows the levels of the last graphs; None: of none.
        bounds: whether bounds may decide; if not, exact searches alone do.

    Returns:
        What is known of its sound, and why it is refused if it is.
    """
    first = at_first(graph, controls, fs=fs)
    passed = None
    if bounds:
        passed = certified(
            graph,
            fs=fs,
            limits=limits,
            playing_db=playing_db,
            program=program,
            levels=LevelEstimator() if levels is None else levels,
            at_first=first,
        )
    if passed is not None:
        return passed.assessment
    heard = [graph] if first is None else [graph, first]
    knob = (controls or {}).get("rt60")
    try:
        assessment = _assess(graph, fs, limits, playing_db, heard)
        if assessment.refusal is not None or limits.allow_unstable:
            return assessment
        said = _single_precision(graph, fs, program, assessment.rt60_seconds)
        return _with(assessment, said or _turned(graph, fs, limits, knob))
    except (ArithmeticError, np.linalg.LinAlgError) as problem:
        # A frequency that hits a mode to the last digit; what it does, a second of noise tells.
        return Assessment(None, (f"its sound could not be computed: {problem}",), certain=False)


def _assess(
    graph: Node, fs: float, limits: Limits, playing_db: float | None, heard: list[Node]
) -> Assessment:
    stable = stability.classify(graph, fs=fs, max_points=_MAX_POINTS)
    verdict, margin_db = stable.verdict, stable.margin_db
    unstable = None if limits.allow_unstable else _why_unstable(graph, stable)
    if unstable is not None:
        return Assessment(Refusal(Reason.UNSTABLE, unstable), margin_db=margin_db)
    decays = verdict is stability.StabilityClass.STABLE
    # Without decay a peak is as high as one waits; there is no figure for it.
    played, rt60_seconds = through_plugin(graph), stable.rt60_seconds
    peak_db = _peak_db(played, fs, limits, rt60_seconds) if decays else -math.inf
    offset = _offset(played, limits, verdict)
    level = max(level_db(through_plugin(each), fs=fs) for each in heard)
    known = level if math.isfinite(level) else None
    return Assessment(
        offset or check_gain(peak_db, max(level, late_level_db(played, fs=fs)), limits, playing_db),
        () if decays else (stable.detail,),
        peak_db if math.isfinite(peak_db) else None,
        margin_db,
        rt60_seconds,
        certain=verdict is not stability.StabilityClass.UNDECIDED,
        level_db=known,
        loudest_db=known,
    )


def _peak_db(graph: Node, fs: float, limits: Limits, rt60_seconds: float | None) -> float:
    """The peak of a graph; with modes that stand alone, where one above the limit may."""
    peak_db, limit_db = measure(graph, fs=fs).peak_db, limits.max_gain_db
    hidden_db = hidden_peak_db(peak_db, fs=fs, rt60_seconds=rt60_seconds)
    if peak_db > limit_db or hidden_db <= limit_db or to_db(gain_bound(graph)) <= limit_db:
        return peak_db
    return measure(graph, fs=fs, also=lone_angles(graph)).peak_db


def _with(assessment: Assessment, said: Refusal | str | None) -> Assessment:
    """The assessment with a refusal or a warning more."""
    if isinstance(said, str):
        return replace(assessment, warnings=(*assessment.warnings, said))
    return replace(assessment, refusal=said)


def _why_unstable(graph: Node, stable: stability.Stability) -> str | None:
    """Why a model is refused for what it does in silence, and what to do; None: it is not."""
    if stable.verdict is stability.StabilityClass.UNSTABLE:
        margin_db = stable.margin_db
        figure = "" if margin_db is None else f", loop gain {-margin_db:+.3g} dB"
        return f"{stable.detail}{figure}; lower its gain, or say --allow-unstable"
    if stable.verdict is stability.StabilityClass.MARGINAL:
        grown_db = growth_db(graph)
        if not grown_db <= _MAX_GROWTH_DB:
            return (
                f"{stable.path} rings for ever, and what rings grows by {grown_db:.0f} dB in 100 s "
                "of silence: loops without loss feed each other; make one of them decay, or say "
                "--allow-unstable"
            )
    return None


def _offset(graph: Node, limits: Limits, verdict: stability.StabilityClass) -> Refusal | None:
    """Why a model that rings for ever is refused for what an offset of its input adds up to."""
    if verdict is not stability.StabilityClass.MARGINAL or limits.allow_unstable:
        return None
    added_db = offset_db(graph, limits.max_gain_db)
    if added_db == -math.inf:
        return None
    return Refusal(
        Reason.TOO_LOUD,
        f"it adds up a constant input, also the slightest offset, by {added_db:.1f} dB in ten "
        f"seconds and on, and the limit is {limits.max_gain_db:g} dB: let it leak (a feedback of "
        "0.999, say), or raise --max-gain-db",
    )


def _single_precision(
    graph: Node, fs: float, program: str, rt60_seconds: float | None
) -> Refusal | None:
    if problem := overflow(graph, program):
        advice = (
            f"{problem} is beyond single precision, in which the plugin computes: scale the gains "
            "so that no stage is that large"
        )
        return Refusal(Reason.UNSTABLE, advice)
    if problem := cancelling_loop(graph, fs=fs, rt60_seconds=rt60_seconds):
        advice = (
            f"{problem}: in single precision, in which the plugin computes, their rounding adds "
            "more with each pass than the loop loses; make them smaller"
        )
        return Refusal(Reason.UNSTABLE, advice)
    return None


def _turned(graph: Node, fs: float, limits: Limits, knob: Slider | None) -> Refusal | str | None:
    """What is wrong with a model while its rt60 knob is turned, as ``grows_turned`` tells it."""
    grows = grows_turned(graph, fs, knob)
    if isinstance(grows, Refusal):
        return grows
    return _turned_too_loud(graph, fs, limits, knob) or grows


def _turned_too_loud(graph: Node, fs: float, limits: Limits, knob: Slider | None) -> Refusal | None:
    """Whether the rt60 knob makes it too loud: paths may cancel until one of them is attenuated."""
    if knob is None:
        return None
    middle = min(rt60_positions(knob), key=lambda at: abs(at * at / (knob.min * knob.max) - 1))
    main = {knob.min, middle, knob.max, rest_seconds(knob) or knob.max}
    # What rings for longer peaks higher, and is not louder for it.
    for position in (at for at in rt60_positions(knob) if at <= _LONGEST_SECONDS):
        turned = through_plugin(attenuated(graph, fs=fs, rt60_seconds=position))
        if to_db(gain_bound(turned)) <= limits.max_gain_db:
            break  # at shorter times each delay only has less gain
        # Where paths no longer cancel, it is loud at many frequencies: a few tell if it may be.
        loud_db = to_db(float(gains_on_circle(turned, _FEW_ANGLES).max()))
        if position not in main and loud_db < limits.max_gain_db - _NARROW_DB:
            continue
        where = f" with the rt60 knob at {position:.3g} s"
        refusal = check_gain(measure(turned, fs=fs).peak_db, -math.inf, limits, None, where)
        if refusal is not None:
            return refusal
    return None
