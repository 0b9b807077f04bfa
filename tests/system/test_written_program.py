"""What stands in the .dsp sounds exactly like the model in the training process."""

from __future__ import annotations

import pytest
import torch

import flamo_truth
from bridges import Plugin
from faustwire_bridge.children.libfaust import compile_program
from faustwire_publisher import HotReload
from flamo_models import make, shell
from graph_response import relative_db

FS = 48_000
SAMPLES = 4000


@pytest.mark.parametrize("lines", [4, 8, 16])
def test_the_dsp_of_an_fdn_with_filters_in_its_loop_is_the_model(
    plugin: Plugin, lines: int
) -> None:
    model = shell(make(f"fdn {lines}, filters"))
    with HotReload(FS, **plugin.paths) as live:
        assert live.update(model)
    truth = flamo_truth.impulse_response(model, SAMPLES)
    for double, limit in ((True, -120), (False, -100)):
        program = compile_program(plugin.program(), double=double)
        response = program.impulse_response(SAMPLES, FS)
        assert response.shape == (2, 1, SAMPLES), "two outputs, as the plugin needs"
        for side in response:
            assert relative_db(side[None], truth) < limit


def test_after_a_step_of_training_the_dsp_is_the_new_model(plugin: Plugin) -> None:
    model = make("fdn 4, filters")
    parameters = [p for p in model.parameters() if p.is_floating_point()]
    with HotReload(FS, **plugin.paths, min_interval=0) as live:
        assert live.update(model)
        before = plugin.program()
        with torch.no_grad():
            for parameter in parameters:
                if parameter.ndim == 2:
                    parameter.mul_(0.9)
        assert live.update(model)
    assert plugin.program() != before
    truth = flamo_truth.impulse_response(model, SAMPLES)
    response = compile_program(plugin.program(), double=True).impulse_response(SAMPLES, FS)
    assert relative_db(response[:1], truth) < -120
