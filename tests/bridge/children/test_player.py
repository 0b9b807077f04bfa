"""Text of one's own is played: each way in which one was harmful, and beside it one that is not."""

from __future__ import annotations

import platform
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace

import numpy as np
import pytest

from compilers import compiled, failed
from core_by_hand import Bridge
from faustwire.messages import Reason
from faustwire_bridge.children import player
from faustwire_bridge.children.compiler import Compiler
from faustwire_bridge.children.play_plan import plan
from faustwire_bridge.children.play_signal import exceeds
from faustwire_bridge.core import events
from faustwire_bridge.core.compile_report import Report
from faustwire_bridge.core.refusal import Refusal
from faustwire_bridge.core.sound_limits import Limits, check_load, check_played

# Samples since the start, and the sampling rate, without a library.
LIBRARY = "t = (+(1) ~ _); fs = fconstant(int fSamplingFreq, <math.h>);"
AFTER_2_S = "(t > 2*fs)"


@pytest.fixture(scope="module")
def libfaust() -> Iterator[Compiler]:
    # On a busy machine playing would end early.
    with closing(Compiler("live", timeout=60.0)) as made:
        yield made


def played(libfaust: Compiler, program: str) -> Report:
    report = compiled(libfaust, f"{LIBRARY} process = {program};", play=True, thorough=True)
    assert not report.problem
    return report


def refusal(report: Report) -> Refusal | None:
    return check_played(report, Limits(), None)


HARMFUL = {
    "a division by a slider that can be 0": (
        '_ / hslider("a", 1, 0, 2, 0.01), _',
        '_ / hslider("a", 1, 0.1, 2, 0.01), _',
        Reason.UNSTABLE,
        "with /live/a at 0",
    ),
    "0/0 on silence": ("(_ <: _ / abs), _", "(_ <: _ / (abs : +(0.1))), _", Reason.UNSTABLE, ""),
    "a constant input that meets a pole": (
        "0.01 / (1 - _), _",
        "0.01 / (1.01 - _), _",
        Reason.UNSTABLE,
        "",
    ),
    "×1e30 after two seconds": (
        f"*(select2({AFTER_2_S}, 1.0, 1e30)), _",
        f"*(select2({AFTER_2_S}, 1.0, 2.0)), _",
        Reason.TOO_LOUD,
        "at 48 kHz",
    ),
    "growth after two seconds": (
        f"(+ ~ *(select2({AFTER_2_S}, 0.5, 1.01))), _",
        f"(+ ~ *(select2({AFTER_2_S}, 0.5, 0.6))), _",
        Reason.UNSTABLE,
        "",
    ),
    "no number after two seconds": (
        "*(0.01*log(96000 - t)), _",
        "*(0.01*log(96000*96000 - t)), _",
        Reason.UNSTABLE,
        "",
    ),
    "a constant of 999": ("_, 999.0", "_, 0.999", Reason.TOO_LOUD, ""),
    "a constant input times 2000": (
        "_, (*(1.0) : + ~ *(0.9995))",
        "_, (*(0.01) : + ~ *(0.9995))",
        Reason.TOO_LOUD,
        "",
    ),
    "a slider to 1e30": (
        '*(hslider("g", 1, 0, 1e30, 0.1)), _',
        '*(hslider("g", 1, 0, 3, 0.1)), _',
        Reason.TOO_LOUD,
        "with /live/g at 1e+30",
    ),
    "a button of 1e30": (
        '*(1 + 1e30*button("b")), _',
        '*(1 + button("b")), _',
        Reason.TOO_LOUD,
        "with /live/b at 1",
    ),
    "growth only at 44.1 kHz": (
        "(+ ~ *(select2(fs == 44100, 0.5, 1.01))), _",
        "(+ ~ *(select2(fs == 44100, 0.5, 0.6))), _",
        Reason.UNSTABLE,
        "at 44.1 kHz",
    ),
    "growth only at 96 kHz": (
        "(+ ~ *(select2(fs == 96000, 0.5, 1.01))), _",
        "(+ ~ *(select2(fs == 96000, 0.5, 0.6))), _",
        Reason.UNSTABLE,
        "at 96 kHz",
    ),
    "a division by a slider that passes 0": (
        '_ / hslider("a", 1, -1, 2, 0.01), _',
        '_ / (3 + hslider("a", 1, -1, 2, 0.01)), _',
        Reason.UNSTABLE,
        "with /live/a at 0",
    ),
    "a division by two sliders that can be 0 together": (
        '_ / (hslider("a", 1, 0, 2, 0.01) + hslider("b", 1, 0, 2, 0.01)), _',
        '_ / (hslider("a", 1, 0, 2, 0.01) + hslider("b", 1, 0.1, 2, 0.01)), _',
        Reason.UNSTABLE,
        "with /live/a at 0, /live/b at 0",
    ),
    "a pole at a slider's middle": (
        '_ / (hslider("a", 0.2, 0, 1, 0.01) - 0.5), _',
        '_ / (hslider("a", 0.2, 0, 1, 0.01) - 1.5), _',
        Reason.UNSTABLE,
        "with /live/a at 0.5",
    ),
    "a function that ends at full scale": (
        "acos, _",
        "(min(1) : max(-1) : acos), _",
        Reason.UNSTABLE,
        "with an input of 4 times full scale",
    ),
    "a division by zero in the plugin's blocks": (
        "_ / (fvariable(int count, <math.h>) - 128), _",
        "_ / (fvariable(int count, <math.h>) + 128), _",
        Reason.UNSTABLE,
        "",
    ),
    "an integrator that a constant input fills": (
        "(*(0.003) : + ~ _), _",
        "(*(0.003) : + ~ *(0.99)), _",
        Reason.TOO_LOUD,
        "",
    ),
    "a feedback that a knob takes above one": (
        '(+ ~ (@(2399) : *(hslider("fb", 0.5, 0, 1.1, 0.01)))), _',
        '(+ ~ (@(2399) : *(hslider("fb", 0.5, 0, 0.99, 0.01)))), _',
        Reason.UNSTABLE,
        "with /live/fb at 1.1",
    ),
    "a feedback that a knob takes a little above one": (
        '(+ ~ (@(2399) : *(hslider("fb", 0.5, 0, 1.02, 0.01)))), _',
        '(+ ~ (@(2399) : *(hslider("fb", 0.5, 0, 1, 0.01)))), _',
        Reason.UNSTABLE,
        "it grew, overflowed or was no number, played at 48 kHz with /live/fb at 1.02",
    ),
    "a feedback a little above one at rest": (
        "(*(0.01) : + ~ (@(2399) : *(1.03))), _",
        "(*(0.01) : + ~ (@(2399) : *(0.999))), _",
        Reason.UNSTABLE,
        "",
    ),
    "a feedback of two knobs that is above one together": (
        '(+ ~ (@(2399) : *(hslider("a", 0.3, 0, 0.6, 0.01) + hslider("b", 0.3, 0, 0.6, 0.01)))), _',
        '(+ ~ (@(2399) : *(hslider("a", 0.3, 0, 0.6, 0.01) + hslider("b", 0.3, 0, 0.4, 0.01)))), _',
        Reason.UNSTABLE,
        "with /live/a at 0.6, /live/b at 0.6",
    ),
    "no number once a button is released": (
        '_ / (1 - (button("b")\' - button("b"))), _',
        '_ / (2 - (button("b")\' - button("b"))), _',
        Reason.UNSTABLE,
        "with /live/b at 1",
    ),
    "no number only at 192 kHz": (
        "_ / (fs - 192000), _",
        "_ / (fs - 192001), _",
        Reason.UNSTABLE,
        "at 192 kHz",
    ),
    "loud only at 88.2 kHz": (
        "*(select2(fs == 88200, 1.0, 1e6)), _",
        "*(select2(fs == 88200, 1.0, 2.0)), _",
        Reason.TOO_LOUD,
        "at 88.2 kHz",
    ),
    "a division by a slider that can be 0, only at 96 kHz": (
        '_ / max(hslider("a", 1, 0, 2, 0.01), fs != 96000), _',
        '_ / max(hslider("a", 1, 0, 2, 0.01), fs != 12345), _',
        Reason.UNSTABLE,
        "at 96 kHz with /live/a at 0",
    ),
}


@pytest.mark.parametrize("name", HARMFUL)
def test_what_a_second_of_noise_did_not_show_is_found(libfaust: Compiler, name: str) -> None:
    harmful, harmless, reason, detail = HARMFUL[name]
    refused = refusal(played(libfaust, harmful))
    assert refused is not None
    assert refused.reason is reason
    assert detail in refused.detail
    report = played(libfaust, harmless)
    assert refusal(report) is None
    assert not report.unplayed


@pytest.mark.skipif(
    platform.machine() not in ("x86_64", "AMD64"), reason="elsewhere 1 % 0 is not an error"
)
def test_a_whole_number_divided_by_zero_after_two_seconds_is_found(libfaust: Compiler) -> None:
    assert "divides a whole number by zero" in failed(
        libfaust, f"{LIBRARY} process = _ + 0.001*(1 % (96000 - t)), _;", play=True, thorough=True
    )
    assert refusal(played(libfaust, "_ + 0.001*(1 % (1 + t)), _")) is None


def test_a_knob_may_be_loud_at_its_end_but_not_at_rest(libfaust: Compiler) -> None:
    """A jump is measured with the knobs at rest; whoever turns one hears what it does."""
    assert refusal(played(libfaust, '*(hslider("g", 1, 0, 500, 0.1)), _')) is None
    assert refusal(played(libfaust, '*(hslider("g", 500, 0, 500, 0.1)), _')) is not None
    both = '(*(hslider("g", 1, 0, 100, 0.1)) : *(hslider("h", 1, 0, 100, 0.1))), _'
    assert refusal(played(libfaust, both)) is None, "two together are loud as people turn them"


def test_a_filter_may_be_loud_while_a_knob_is_turned_back(libfaust: Compiler) -> None:
    """Its state is large where the knob stands at its lower end."""
    filters = 'par(channel, 2, fi.lowpass(2, hslider("f", 10000, 20, 20000, 1)))'
    text = f'import("stdfaust.lib"); process = {filters};'
    report = compiled(libfaust, text, play=True, thorough=True)
    assert refusal(report) is None


HEAVY = "par(channel, 2, enable(seq(i, 1200, sin), {}))"


@pytest.mark.parametrize(
    ("heavy", "light"),
    [("t > 96000", "t < 0"), pytest.param('checkbox("on")', "0 * t", marks=pytest.mark.slow)],
    ids=["late", "knob"],
)
def test_what_gets_too_heavy_only_later_is_found(
    libfaust: Compiler, heavy: str, light: str
) -> None:
    for when, limit in ((heavy, True), (light, False)):
        report = played(libfaust, HEAVY.format(when))
        refused = check_load(report.load or 0.0, Limits())
        assert (refused is not None) is limit, report.load


KNOBS = [
    {"address": f"/live/{number:02d}", "init": 0.0, "min": 0.0, "max": 1.0} for number in range(20)
]


def test_what_matters_most_is_played_first() -> None:
    """At rest, at each rate, before any knob; and nothing a second time before all was played."""
    runs = plan(KNOBS[:2])
    first = runs.index(next(run for run in runs if run.knob))
    assert {run.fs for run in runs[:first]} == {44_100, 48_000, 96_000}
    assert {run.fs for run in runs[first:]} > {88_200, 176_400, 192_000}
    assert {(run.fs, run.knob) for run in runs if run.knob} == {
        *((fs, (f"/live/0{n}", 1.0)) for fs in (44_100, 48_000, 96_000) for n in (0, 1)),
        *((48_000, (f"/live/0{n}", 0.5)) for n in (0, 1)),
    }
    later = [run for run in runs if "later" in run.what]
    assert runs[-len(later) :] == later


def test_only_knobs_that_the_plugin_can_turn_are_turned() -> None:
    turned = {run.knob[0] for run in plan(KNOBS) if run.knob}
    assert turned == {f"/live/{number:02d}" for number in range(12)}


@pytest.mark.parametrize("bound", [0.0, 1e-30, 0.5, 1.0, 1.5, 31.6, 1e30])
@pytest.mark.parametrize("place", [0, 1, 99])
def test_what_exceeds_a_bound_is_told_from_the_upper_halves(bound: float, place: int) -> None:
    dice = np.random.default_rng(place)
    samples = (bound * dice.uniform(-1, 1, 100)).astype(np.float32)
    assert not exceeds(memoryview(samples.tobytes()), bound)
    for large in (1.01 * bound + 1e-38, -1.01 * bound - 1e-38, np.nan, -np.nan, np.inf, -np.inf):
        samples[place] = large
        assert exceeds(memoryview(samples.tobytes()), bound)


class Wire:
    """What cyfaust's instances have, in Python: it counts the blocks that it is given."""

    def __init__(self) -> None:
        self.blocks = 0

    def init(self, fs: int) -> None:
        """Begin anew."""

    def compute(self, _block: int, source: memoryview, result: memoryview) -> None:
        """Hand the input on."""
        self.blocks += 1
        result.cast("B")[:] = source.cast("B")


def test_when_time_is_up_the_first_second_is_played_all_the_same() -> None:
    wire = Wire()
    found = player.play(wire, (2, 2), KNOBS[:1], time.monotonic())
    assert wire.blocks == 1 + 10
    assert found["peak"] == pytest.approx(1.0, 0.01)
    for rate in ("44.1", "48", "96"):
        assert f"with knobs at rest at {rate} kHz" in found["unplayed"]
        assert f"with a knob at one of its ends at {rate} kHz" in found["unplayed"]
    assert player.play(wire, (2, 2), [], time.monotonic() + 60)["unplayed"] == ""


def test_a_program_for_which_there_is_no_time_is_published_with_a_warning() -> None:
    report = Report(peak=1.0, unplayed="with knobs at rest at 96 kHz")
    assert refusal(report) is None
    bridge = Bridge()
    bridge.compiled = events.Compiled(report)
    verdict = bridge.worker().publish("process = _,_;")
    assert verdict.published
    assert any("at 96 kHz" in warning for warning in verdict.warnings)
    bridge.compiled = events.Compiled(replace(report, unplayed=""))
    assert not bridge.worker("bert").publish("process = _,_ : _,_;").warnings


@pytest.mark.slow
def test_a_heavy_program_is_played_as_long_as_there_is_time_and_not_refused(
    libfaust: Compiler,
) -> None:
    heavy = played(libfaust, "par(channel, 2, seq(i, 600, sin) : *(2.0))")
    assert refusal(heavy) is None
    assert (heavy.peak or 0) > 0
    assert "with knobs at rest at 96 kHz" in heavy.unplayed


def test_generated_programs_are_played_for_a_second_only(libfaust: Compiler) -> None:
    grows = f"{LIBRARY} process = *(select2({AFTER_2_S}, 1.0, 1e30)), _;"
    assert compiled(libfaust, grows, play=True).peak == pytest.approx(1.0, 0.01)
    assert refusal(Report(peak=None)) is None


def test_what_was_recorded_before_levels_were_is_decided_as_it_was() -> None:
    old = Report(peak=99.0)
    refused = refusal(old)
    assert refused is not None
    assert refused.reason is Reason.TOO_LOUD
    assert refusal(replace(old, level=1.0)) is None
