"""How a model sounds, as numbers and in the loggers that people have."""

from __future__ import annotations

import io
import sys
import wave
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch

from bridges import Plugin
from faustwire import HotReload, log_sound
from faustwire_publisher import ArgumentError
from faustwire_publisher.impulse_response import impulse_response
from flamo_models import fdn
from graph_response import impulse_response as truth
from graph_response import relative_db
from graphs import fdn as loop
from models import Knob


def test_an_impulse_response_is_the_graphs_also_where_it_rings_on() -> None:
    graph = loop()
    n = 3000
    expected = truth(graph, n)  # [out, in, samples]
    found = impulse_response(graph, n)
    assert relative_db(found.T, expected.swapaxes(0, 1).reshape(-1, n)) < -120


def test_it_is_that_of_the_model_that_was_published_last(plugin: Plugin) -> None:
    knob = Knob()
    with HotReload(8000, **plugin.paths, min_interval=3600) as live:
        with pytest.raises(RuntimeError, match="before the first publish"):
            live.impulse_response()
        assert live.update(knob.model)
        heard = live.impulse_response(seconds=0.01)
        assert heard.shape[0] == 80
        knob.step()
        assert not live.update(knob.model)
        assert np.array_equal(live.impulse_response(seconds=0.01), heard), "the plugin plays that"
        assert live.update(knob.model, force=True)
        assert not np.array_equal(live.impulse_response(seconds=0.01), heard)
        with pytest.raises(ArgumentError, match="seconds"):
            live.impulse_response(seconds=0)


def test_a_response_of_a_stereo_model_has_two_channels(plugin: Plugin) -> None:
    torch.manual_seed(0)
    with HotReload(48000, **plugin.paths, wait=False) as live:
        live.update(fdn(4))
        heard = live.impulse_response(seconds=0.1)
    assert heard.ndim == 2
    assert heard.shape[0] == 4800
    assert np.isfinite(heard).all()
    assert abs(heard).max() > 0


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_sound_goes_into_tensorboard(plugin: Plugin, tmp_path: Path) -> None:
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
    from torch.utils.tensorboard import SummaryWriter

    with HotReload(8000, **plugin.paths) as live, SummaryWriter(tmp_path) as writer:
        assert live.update(Knob().model)
        log_sound(writer, live, 7, seconds=0.5)
    events: Any = EventAccumulator(str(tmp_path))
    events.Reload()
    assert events.Tags()["audio"] == ["impulse response/left", "impulse response/right"]
    [sound] = events.Audio("impulse response/left")
    assert (sound.step, sound.sample_rate, sound.length_frames) == (7, 8000, 4000)
    with wave.open(io.BytesIO(sound.encoded_audio_string)) as file:
        first = np.frombuffer(file.readframes(1), "<i2")
    assert first[0] == 32767, "at full scale"


class Run:
    """As much of a run of Weights & Biases as is used."""

    def __init__(self) -> None:
        self.logged: list[tuple[dict[str, Any], int | None]] = []

    def log(self, data: dict[str, Any], step: int | None = None) -> None:
        self.logged.append((data, step))


Run.__module__ = "wandb.sdk.wandb_run"


class Logger:
    """As Lightning's loggers hold a run."""

    def __init__(self) -> None:
        self.experiment = Run()


def test_a_sound_goes_into_weights_and_biases(
    plugin: Plugin, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Audio:
        def __init__(self, data: Any, sample_rate: int) -> None:
            self.data, self.sample_rate = data, sample_rate

    module: Any = ModuleType("wandb")
    module.Audio = Audio
    monkeypatch.setitem(sys.modules, "wandb", module)
    run, logger = Run(), Logger()
    with HotReload(8000, **plugin.paths) as live:
        assert live.update(Knob().model)
        log_sound(run, live, 3, name="room", seconds=0.25)
        log_sound(logger, live, 4)
        with pytest.raises(ArgumentError, match="a list takes no sounds"):
            log_sound([], live)
    [(data, step)] = run.logged
    assert (step, data["room"].sample_rate, data["room"].data.shape[0]) == (3, 8000, 2000)
    assert np.abs(data["room"].data).max() == 1
    [(data, step)] = logger.experiment.logged
    assert (data["trainer/global_step"], step) == (4, None)
