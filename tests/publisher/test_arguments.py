"""Arguments of HotReload that make no sense raise at once and say what to do."""

from __future__ import annotations

import re
from typing import Any

import pytest
import torch

from bridges import Plugin
from faustwire import HotReload
from faustwire_publisher import ArgumentError
from faustwire_publisher.arguments import read_metrics
from models import Knob
from recorded_warnings import recorded_warnings


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        ({"fs": 0}, "fs=0: give a number above 0"),
        ({"fs": "48k"}, "fs='48k'"),
        ({"fs": 10**400}, "fs=a whole number of 1329 bits: give a number above 0"),
        ({"every": 10**400}, "every=a whole number of 1329 bits"),
        ({"every": 0}, "every=0: give a whole number from 1"),
        ({"every": -2}, "every=-2"),
        ({"every": 1.5}, "every=1.5"),
        ({"every": True}, "every=True"),
        ({"min_interval": -1}, "min_interval=-1: give a number of at least 0"),
        ({"min_interval": float("nan")}, "min_interval=nan"),
        ({"min_interval": float("inf")}, "min_interval=inf"),
        ({"min_interval": None}, "min_interval=None"),
        ({"timeout": 0}, "timeout=0"),
        ({"controls": {"reverb": True}}, "unknown control 'reverb'"),
        ({"controls": {"rt60": {"colour": 1}}}, "no field 'colour'"),
        ({"dsp_path": ""}, "dsp_path='' names no file"),
        ({"dsp_path": "/"}, "is a directory"),
        ({"config_path": "/"}, "config_path='/' is a directory"),
        (
            {"endpoint": "localhost"},
            "endpoint='localhost' is not an endpoint: write one such as tcp://",
        ),
        ({"endpoint": "tcp://box:port"}, "endpoint="),
        ({"name": ""}, "name=''"),
        ({"name": "x" * 300}, "1 to 256 characters"),
        ({"worker": "\udcff"}, "1 to 256 characters"),
        ({"worker": 3}, "worker=3"),
        (
            {"keys": "/keys", "endpoint": "tcp://studio:5555"},
            "key of tcp://studio:5555 is not known",
        ),
    ],
)
def test_a_wrong_argument_is_named(plugin: Plugin, arguments: dict[str, Any], problem: str) -> None:
    with pytest.raises(ValueError, match=problem.replace("(", r"\(")):
        HotReload(**{"fs": 48000, **plugin.paths, **arguments})


def test_the_two_files_must_be_two(plugin: Plugin) -> None:
    with pytest.raises(ValueError, match="same file"):
        HotReload(48000, dsp_path=plugin.dsp_path, config_path=plugin.dsp_path)


def test_metrics_may_be_numbers_or_tensors_of_one_element() -> None:
    loss = torch.tensor(0.5, requires_grad=True)
    assert read_metrics({"loss": loss, "step": 3}) == ({"loss": 0.5, "step": 3.0}, None)
    assert read_metrics(lambda: {"loss": loss}) == ({"loss": 0.5}, None)
    assert read_metrics(None) == read_metrics(lambda: None) == ({}, None)


BAD_METRICS: list[tuple[Any, str]] = [
    ({"loss": "low"}, "'loss' is 'low': give a number, or a tensor of one"),
    ({"loss": torch.zeros(2)}, "'loss' is tensor"),
    ({"val": None}, "'val' is None"),
    ({"huge": 10**400}, "'huge' is 1000000"),
    (torch.tensor(0.5), r'give numbers by name, such as {"loss": loss}'),
    ([0.5], "give numbers by name"),
    ({str(i): 0 for i in range(100)}, "100 of them"),
    (lambda: 1 / 0, "the function raised ZeroDivisionError"),
]


@pytest.mark.parametrize(("metrics", "problem"), BAD_METRICS)
def test_metrics_that_are_no_numbers_are_an_error_at_first(
    plugin: Plugin, metrics: Any, problem: str
) -> None:
    with (
        HotReload(48000, **plugin.paths) as live,
        pytest.raises(ArgumentError, match=re.escape(problem)),
    ):
        live.update(Knob().model, metrics=metrics)


def test_after_the_first_publish_bad_metrics_cost_a_warning_and_nothing_else(
    plugin: Plugin,
) -> None:
    knob = Knob()
    with HotReload(48000, **plugin.paths, min_interval=0) as live:
        assert live.update(knob.model)
        for metrics, problem in BAD_METRICS[:4]:
            with recorded_warnings() as told:
                for _ in range(2):
                    knob.step()
                    assert live.update(knob.model, metrics=metrics)
            assert len(told) <= 1, told
            assert all(problem in text for text in told)
        assert "2.0" in plugin.program(), "1 + 8 · 0.125"


def test_what_is_not_a_number_does_not_take_the_others_with_it() -> None:
    numbers, wrong = read_metrics({"loss": 0.25, "val": None})
    assert numbers == {"loss": 0.25}
    assert wrong is not None
