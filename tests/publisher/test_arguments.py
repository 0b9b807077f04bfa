"""Arguments of HotReload that make no sense raise at once and say what to do."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from bridges import Plugin
from faustwire_publisher import HotReload
from faustwire_publisher.arguments import metric_values


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        ({"fs": 0}, "fs=0: give a number above 0"),
        ({"fs": "48k"}, "fs='48k'"),
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
            "endpoint='localhost' is no endpoint: write one such as tcp://",
        ),
        ({"endpoint": "tcp://box:port"}, "endpoint="),
        ({"name": ""}, "name=''"),
        ({"name": "x" * 300}, "1 to 256 characters"),
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
    assert metric_values({"loss": loss, "step": 3}) == {"loss": 0.5, "step": 3.0}
    assert metric_values(None) == {}


@pytest.mark.parametrize(
    "metrics", [{"loss": "low"}, {"loss": torch.zeros(2)}, {str(i): 0 for i in range(100)}]
)
def test_metrics_that_are_no_numbers_are_an_error(metrics: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="metrics"):
        metric_values(metrics)
