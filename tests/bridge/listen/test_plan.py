"""A plan says all that a graph does, in an order that does not depend on the values."""

from __future__ import annotations

import json

import numpy as np

from faustwire import codec
from faustwire.controls import sliders
from faustwire.graph import (
    FIR,
    SOS,
    Delay,
    DiagonalGain,
    Gain,
    Householder,
    Parallel,
    Recursion,
    Series,
)
from faustwire.messages import Reason, Snapshot
from faustwire_bridge.codegen.fractional import allpass, interpolator
from faustwire_bridge.core.hearing import Hearing
from faustwire_bridge.listen.plan import make_plan
from faustwire_bridge.listen.sound import PageSound, read_sound
from graphs import fdn


def test_values_follow_each_other_in_the_order_of_the_leaves() -> None:
    sections = np.arange(24.0).reshape(2, 6, 2)
    sections[:, 3] = 1.0
    graph = Series(
        "all",
        (
            Gain("gain", np.array([[1.0, 2.0], [3.0, 4.0]])),
            Parallel(
                "sum",
                (DiagonalGain("d", np.array([5.0, 6.0])), Householder("h", np.array([0.6, 0.8]))),
            ),
            FIR("fir", np.arange(7.0, 11.0).reshape(2, 2)),
            SOS("sos", sections),
        ),
    )
    plan = make_plan(graph, 44_100)
    expected = [1, 2, 3, 4, 5, 6, 0.6, 0.8, 7, 8, 9, 10, *sections.ravel()]
    assert plan.values.tolist() == expected
    assert plan.structure["values"] == len(expected)
    assert plan.structure["fs"] == 44_100
    assert plan.value_bytes() == np.array(expected, dtype="<f8").tobytes()


def test_fractional_delays_carry_the_programs_own_filters() -> None:
    loop = Recursion("loop", Delay("in", np.array([100.25, 7.0])), Gain("g", np.eye(2) / 2))
    plan = make_plan(Series("s", (Delay("out", np.array([20.5, 3.0])), loop)), 48_000)
    first, taps = interpolator(20.5)
    steps, coefficients = allpass(100.25)
    outside = [first, *taps, 3.0, 1.0, *[0.0] * 23]
    inside = [steps, 16.0, *coefficients, 7.0, *[0.0] * 17]
    assert plan.values[:-4].tolist() == [20.5, 3.0, *outside, 100.25, 7.0, *inside]


def test_other_values_leave_the_structure_as_it_was() -> None:
    one, other = make_plan(fdn(seed=1), 48_000), make_plan(fdn(seed=2), 48_000)
    assert one.structure_id() == other.structure_id()
    assert one.values.tolist() != other.values.tolist()
    assert one.structure_id() != make_plan(fdn(5), 48_000).structure_id()
    assert one.structure_id() != make_plan(fdn(), 44_100).structure_id()


def test_the_structure_is_json() -> None:
    plan = make_plan(fdn(), 48_000)
    assert json.loads(plan.structure_text()) == plan.structure


def test_a_page_gets_the_knobs_as_the_program_has_them() -> None:
    """At rest where the model decays by itself, at the reference's 2 s where it does not."""
    for gain, init in ((0.9, 10.0), (1.0, 2.0)):
        loop = Recursion("loop", Delay("d", np.array([500.0])), Gain("g", np.array([[gain]])))
        snapshot = Snapshot(1, 1, 48000.0, loop, controls=sliders({"rt60": True}))
        sound = read_sound(codec.encode(snapshot), "run", 1, Hearing(True, Reason.PUBLISHED))
        assert isinstance(sound, PageSound)
        frame = sound.frame(None)
        header = json.loads(frame[4 : 4 + int.from_bytes(frame[:4], "little")])
        assert header["controls"]["rt60"]["init"] == init
        assert header["controls"]["rt60"]["neutral_end"] is True
