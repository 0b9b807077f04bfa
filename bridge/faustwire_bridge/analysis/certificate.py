"""What can be proven of a config before anybody hears it: stability, decay, loudness."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any

import numpy as np

from faustwire.config_file import from_json
from faustwire.controls import Slider, overridden
from faustwire.graph import SOS, Delay, Node, Recursion, label, leaves
from faustwire_bridge.analysis.knob_positions import (
    attenuated,
    knobs_of_model,
    rt60_positions,
)
from faustwire_bridge.analysis.lone_modes import lone_angles
from faustwire_bridge.analysis.peak_gain import measure
from faustwire_bridge.analysis.poles import outermost_pole
from faustwire_bridge.analysis.ringing import ringing
from faustwire_bridge.analysis.single_precision import cancelling_loop, overflow
from faustwire_bridge.analysis.stability import (
    WORST_FIRST,
    Stability,
    StabilityClass,
    classify,
)
from faustwire_bridge.codegen import generate

_METHOD = (
    "bounds on each loop's gain between all frequencies, for any delays; where they decide "
    "nothing, the number of modes outside the unit circle"
)
_PRECISION = "double, and what single precision makes of it: overflow, and cancellation in loops"
# The first word is the reference's, and so is that for what could not be proven.
_WORDS = {
    StabilityClass.STABLE: "certified-stable",
    StabilityClass.MARGINAL: "marginal",
    StabilityClass.UNSTABLE: "unstable",
    StabilityClass.UNDECIDED: "not-certified",
}


@dataclass(frozen=True)
class _Part:
    """An outermost loop, or a filter outside of loops."""

    node: Recursion | SOS
    path: str
    found: Stability


@dataclass(frozen=True)
class _Case:
    """A model as it is, or with its rt60 knob at some position in seconds, where it attenuates."""

    graph: Node
    parts: list[_Part]
    position: float | None

    @property
    def verdict(self) -> StabilityClass:
        verdicts = [part.found.verdict for part in self.parts]
        return min(verdicts, key=WORST_FIRST.index, default=StabilityClass.STABLE)

    @property
    def badness(self) -> tuple[int, float]:
        """The smaller, the worse."""
        return WORST_FIRST.index(self.verdict), -(_longest(self.parts) or 0.0)


def certify(
    config: Mapping[str, Any],
    *,
    n_freq: int | None = None,  # noqa: ARG001 - scripts written for the reference pass it
    controls: Mapping[str, Any] | None = None,
    exact_decay: bool = False,
) -> dict[str, Any]:
    """Prove whether the program of a config is stable, and tell how long and how loud it rings.

    No frequency is left out, as it would be on a grid, and every mode counts, also one that reaches
    no output. Of a program with an rt60 knob its worst position is described, of where it stands
    at first, both ends, and three between.

    Args:
        config: what ``flamo_to_json`` returns, possibly edited.
        n_freq: without meaning here; the reference's grid of frequencies.
        controls: as for ``json_to_faust``; override the config's own, name by name.
        exact_decay: find the slowest mode even where a bound on its decay is at hand, which may
            take seconds.

    Returns:
        A dict that ``json.dumps`` takes. ``verdict``: "certified-stable"; "marginal" (lossless, or
        ringing for more than an hour); "unstable"; "not-certified" where nothing could be proven,
        or where single precision breaks what holds in double. ``detail``: that in a line.
        ``margin_db``: loop gain of the worst loop below 1, at every frequency and for any delays,
        inconclusive below 0. ``rt60_seconds``: the slowest decay by 60 dB, or an upper bound on it
        (``rt60_exact``). ``growth_db_per_second``. ``peak_db`` and ``peak_hz``: of a stable model,
        from any input to any output. ``single_precision``: what breaks there. ``rt60_knob``: the
        positions looked at, and the worst one. ``filters``: all second-order sections. ``loops``:
        each outermost one with ``name`` (its path), ``verdict``, ``proof``, ``delays_samples``,
        ``margin_db``, ``rt60_seconds``. None stands for what does not exist or is not known.

    Raises:
        GraphError: the config is broken, with the path of the broken place.
        ControlError: the controls are.
    """
    graph, fs, name, embedded = from_json(config)
    knobs = knobs_of_model(graph, overridden(embedded, controls), fs=fs)
    knob = knobs.get("rt60")
    cases = [_case(graph, fs, position, exact_decay) for position in _positions(knob)]
    worst = min(cases, key=lambda case: case.badness)
    problem = _single_precision(graph, fs, name, knobs, worst)
    return {
        "name": name,
        "fs": fs,
        "generated_by": f"faustwire {version('faustwire')}",
        "method": _METHOD,
        "precision": _PRECISION,
        "verdict": "not-certified" if problem else _WORDS[worst.verdict],
        **_figures(worst, fs),
        "detail": problem or _detail(worst, knob),
        "single_precision": problem,
        "rt60_knob": None if knob is None else _knob(knob, worst),
        "filters": _filters(graph),
        "loops": [_loop(part) for part in worst.parts if isinstance(part.node, Recursion)],
    }


def _case(graph: Node, fs: float, position: float | None, exact_decay: bool) -> _Case:
    if position is not None:
        graph = attenuated(graph, fs=fs, rt60_seconds=position)
    parts = [
        _Part(node, path, _classified(node, fs, exact_decay))
        for node, path in ringing(graph, label(graph))
    ]
    return _Case(graph, parts, position)


def _classified(node: Node, fs: float, exact_decay: bool) -> Stability:
    try:
        return classify(node, fs=fs, exact_decay=exact_decay)
    except (ArithmeticError, np.linalg.LinAlgError) as problem:
        # A frequency that hits a mode to the last digit.
        why = f"it could not be computed: {problem}"
        return Stability(StabilityClass.UNDECIDED, None, None, False, None, "", why, why)


def _single_precision(
    graph: Node, fs: float, name: str, knobs: Mapping[str, Slider], worst: _Case
) -> str | None:
    """What breaks in single precision of a model that is stable in double."""
    if worst.verdict is StabilityClass.UNSTABLE:
        return None
    program = generate(graph, fs=fs, name=name, controls=knobs, channels=None).text
    if problem := overflow(graph, program):
        return f"{problem} is beyond single precision"
    problem = cancelling_loop(worst.graph, fs=fs, rt60_seconds=_longest(worst.parts))
    return problem and f"{problem}: their rounding adds more with each pass than the loop loses"


def _figures(worst: _Case, fs: float) -> dict[str, Any]:
    found = [part.found for part in worst.parts]
    decays = worst.verdict is StabilityClass.STABLE
    longest = _longest(worst.parts) if decays else None
    growths = _known(one.growth_db_per_second for one in found)
    return {
        "margin_db": min(_known(one.margin_db for one in found), default=None),
        "rt60_seconds": longest,
        "rt60_exact": all(one.rt60_exact for one in found if one.rt60_seconds == longest),
        "growth_db_per_second": max(growths, default=None),
        **_peak(worst.graph, fs, decays=decays),
    }


def _peak(graph: Node, fs: float, *, decays: bool) -> dict[str, float | None]:
    """The peak of what decays; nothing else has one, and silence none in dB."""
    peak = measure(graph, fs=fs, also=lone_angles(graph)) if decays else None
    if peak is None or not math.isfinite(peak.peak_db):
        return {"peak_db": None, "peak_hz": None}
    return {"peak_db": peak.peak_db, "peak_hz": peak.frequency_hz}


def _known(figures: Iterable[float | None]) -> list[float]:
    return [figure for figure in figures if figure is not None]


def _longest(parts: list[_Part]) -> float | None:
    return max(_known(part.found.rt60_seconds for part in parts), default=None)


def _detail(worst: _Case, knob: Slider | None) -> str:
    of_verdict = [part for part in worst.parts if part.found.verdict is worst.verdict]
    if not of_verdict:
        return "nothing in it rings"
    part = max(of_verdict, key=lambda part: part.found.rt60_seconds or 0.0)
    head, _, told = part.found.detail.partition(" ")
    if knob is None:
        return f"{part.path} {told or head}"
    where = "its neutral end" if worst.position is None else f"{worst.position:.3g} s"
    return f"{part.path} {told or head}, with the rt60 knob at {where}"


def _positions(knob: Slider | None) -> list[float | None]:
    """Where an rt60 knob may stand; None: where it attenuates nothing."""
    if knob is None:
        return [None]
    positions = rt60_positions(knob)
    if knob.neutral_end:
        return [None, *(seconds for seconds in positions if seconds < knob.max)]
    return [*positions]


def _knob(knob: Slider, worst: _Case) -> dict[str, Any]:
    def shown(position: float | None) -> float:
        return knob.max if position is None else position

    return {
        "positions_seconds": [shown(position) for position in _positions(knob)],
        "worst_position_seconds": shown(worst.position),
    }


def _filters(graph: Node) -> dict[str, Any]:
    filters = [node for node in leaves(graph) if isinstance(node, SOS)]
    moduli = [outermost_pole(node) for node in filters]
    return {
        "n_sections": sum(
            len(node.sections) * math.prod(node.sections.shape[2:]) for node in filters
        ),
        "max_pole_modulus": max(moduli, default=0.0),
        "all_sections_stable": max(moduli, default=0.0) < 1,
    }


def _loop(part: _Part) -> dict[str, Any]:
    found = part.found
    delays = [node.samples.ravel() for node in leaves(part.node) if isinstance(node, Delay)]
    return {
        "name": part.path,
        "verdict": _WORDS[found.verdict],
        "proof": found.proof,
        "delays_samples": sorted(np.concatenate(delays).tolist()) if delays else [],
        "margin_db": found.margin_db,
        "rt60_seconds": found.rt60_seconds,
        "rt60_exact": found.rt60_exact,
        "growth_db_per_second": found.growth_db_per_second,
    }
