"""Macro controls: the reference's names and ranges, and nothing else."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from faustwire.controls import ControlError, Slider, placed, sliders, to_overrides


def test_true_means_the_references_defaults() -> None:
    chosen = sliders({"rt60": True, "dry_wet": True, "pre_delay": True})
    assert chosen == {
        "dry_wet": Slider("dry/wet", "", 1.0, 0.0, 1.0, 0.01),
        "pre_delay": Slider("pre-delay", "ms", 0.0, 0.0, 250.0, 1.0),
        "rt60": Slider("rt60", "s", None, 0.1, 10.0, 0.01),
    }
    assert placed(chosen, decays=False)["rt60"].init == 2.0


def test_false_and_none_leave_a_control_out() -> None:
    assert sliders({"rt60": False, "dry_wet": None}) == {}
    assert sliders(None) == {}


def test_a_dict_overrides_some_fields_and_an_empty_one_none() -> None:
    assert sliders({"rt60": {"max": 20.0, "label": "decay"}})["rt60"] == Slider(
        "decay", "s", None, 0.1, 20.0, 0.01
    )
    assert sliders({"rt60": {}}) == sliders({"rt60": True})


@pytest.mark.parametrize(
    ("overrides", "decaying", "lossless"),
    [({}, 10, 2), ({"max": 30}, 30, 2), ({"max": 1.5}, 1.5, 1.5), ({"min": 3}, 10, 3)],
)
def test_rt60_stands_at_its_right_end_unless_the_model_is_lossless(
    overrides: dict[str, float], decaying: float, lossless: float
) -> None:
    chosen = sliders({"rt60": overrides or True})
    placed_once = placed(chosen, decays=True)
    assert placed_once["rt60"].init == decaying
    assert placed(placed_once, decays=False) == placed_once
    assert placed(chosen, decays=False)["rt60"].init == lossless


def test_a_position_of_ones_own_stays_and_has_a_neutral_end_only_there() -> None:
    asked = sliders({"rt60": {"init": 1.2}, "pre_delay": {"init": 250}})
    assert placed(asked, decays=True) == asked
    at_end = placed(sliders({"rt60": {"init": 30, "max": 30}}), decays=False)["rt60"]
    assert (at_end.init, at_end.neutral_end) == (30, True)


def test_plain_sliders_read_back_the_same() -> None:
    for rt60 in ({"init": 1.5}, {"label": "decay"}, True):
        chosen = sliders({"rt60": rt60, "pre_delay": True})
        assert sliders(to_overrides(chosen)) == chosen


@pytest.mark.parametrize(
    ("controls", "expected"),
    [
        ({"reverb": True}, "unknown control 'reverb'; there are dry_wet, pre_delay, rt60"),
        ({"rt60": {"colour": 1}}, "no field 'colour'"),
        ({"rt60": 3}, "True or a dict"),
        ({"rt60": {"init": "long"}}, "init is a number"),
        ({"rt60": {"init": float("nan")}}, "init is nan"),
        ({"rt60": {"init": 10**400}}, "init is a whole number of 1329 bits, not a finite number"),
        ({"rt60": np.ones(2)}, "True or a dict of overrides, not a ndarray"),
        (["rt60"], r"controls=a list: give the controls by name, such as"),
        ("rt60", "controls='rt60': give the controls by name"),
        (True, "controls=True: give the controls by name"),
        ({"rt60": {"init": 50}}, "between min and max"),
        ({"rt60": {"min": 3, "max": 3, "init": 3}}, "min below max"),
        ({"rt60": {"step": 0}}, "step is above 0"),
        ({"rt60": {"min": 0}}, "min is at least 0.001"),
        ({"dry_wet": {"max": 2}}, "max is at most 1"),
        ({"rt60": {"label": 'a"b'}}, "a label can't hold"),
        ({"rt60": {"label": " "}}, "printable text"),
    ],
)
def test_an_unknown_control_or_field_is_an_error(controls: Any, expected: str) -> None:
    with pytest.raises(ControlError, match=expected):
        sliders(controls)
