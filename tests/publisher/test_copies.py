"""A HotReload may stand in what people copy and pickle, such as a Lightning module."""

from __future__ import annotations

import copy
import pickle
import subprocess
import sys
from collections.abc import Callable

import pytest
import torch

from bridges import Plugin, served
from faustwire import HotReload
from faustwire.messages import Reason
from models import Knob


def pickled(live: HotReload) -> HotReload:
    twin = pickle.loads(pickle.dumps(live))  # noqa: S301 - our own bytes
    assert isinstance(twin, HotReload)
    return twin


@pytest.mark.parametrize("duplicate", [copy.copy, copy.deepcopy, pickled])
def test_a_copy_has_the_arguments_and_is_a_worker_of_its_own(
    plugin: Plugin, duplicate: Callable[[HotReload], HotReload]
) -> None:
    knob = Knob()
    arguments = {**plugin.paths, "min_interval": 0.0, "every": 2, "worker": "anna"}
    with HotReload(44100, **arguments) as live:
        assert live.update(knob.model)
        with duplicate(live) as twin:
            assert (twin.fs, twin.worker, twin.endpoint) == (44100.0, "anna", live.endpoint)
            with pytest.raises(RuntimeError, match="no verdict"):
                _ = twin.last
            knob.step()
            assert twin.update(knob.model), "its first call counts"
            assert not twin.update(knob.model)
            assert twin.last.reason is Reason.EVERY
            knob.step()
            assert not live.update(knob.model)
            assert live.update(knob.model), "the first one goes on as before"
    assert "1.25" in plugin.program()


def test_a_module_that_holds_one_is_copied_as_weight_averaging_does(plugin: Plugin) -> None:
    class Trained(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.fdn = Knob().model
            self.live = HotReload(48000, **plugin.paths)

    trained = Trained()
    with trained.live as live:
        assert live.update(trained.fdn)
        averaged = torch.optim.swa_utils.AveragedModel(trained)
        assert isinstance(averaged.module.live, HotReload)
        assert averaged.module.live is not live


@pytest.mark.slow
def test_a_worker_without_a_name_is_named_after_the_process_that_it_comes_to(
    plugin: Plugin,
) -> None:
    with served(plugin) as bridge:
        live = HotReload(48000, endpoint=bridge.endpoint, timeout=20.0)
        script = (
            "import pickle, sys\n"
            "live = pickle.load(sys.stdin.buffer)\n"
            "with live: live.publish('process = _,_;')\n"
            "print(live.last.reason, live.worker)"
        )
        process = subprocess.Popen(
            [sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        told, _ = process.communicate(pickle.dumps(live), timeout=60.0)
        reason, worker = told.decode().split()
        assert reason == "published"
        assert worker == live.worker.replace(live.worker.rpartition("-")[2], str(process.pid))
