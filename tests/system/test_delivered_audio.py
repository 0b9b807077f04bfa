"""What reaches the ears of a bridge's programs, told by the stand-in plugin, without a DAW."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pytest
import torch

pytest.importorskip("cyfaust")
pytest.importorskip("watchdog")

from bridges import Plugin, eventually, served
from faustwire.messages import Reason
from faustwire_publisher import HotReload
from models import fdn
from recorded_warnings import recorded_warnings
from stand_in_audio import SAMPLE_RATE, Load, listen
from stand_in_plugin import Reload, StandInPlugin

# 2,400 sines a sample.
HEAVY = "process = par(channel, 2, seq(i, 1200, sin));"
WIRE = "process = _,_;"


class Ears:
    """A stand-in plugin in this process, and what it loaded."""

    def __init__(self, plugin: Plugin) -> None:
        self.reloads: list[Reload] = []
        self.texts: list[str] = []
        self.plugin = StandInPlugin(plugin.config_path, self._note)

    def _note(self, reload: Reload, text: bytes) -> None:
        self.reloads.append(reload)
        self.texts.append(text.decode())

    def await_program(self, plugin: Plugin) -> Reload:
        """The load of what the bridge has written last."""
        eventually(lambda: self.texts[-1:] == [plugin.program()], "it is loaded")
        return self.reloads[-1]

    def tail(self) -> float:
        """The loudest of what is heard from now on, of a click behind the first load."""
        begun, since = self.reloads[0].monotonic_s, time.monotonic()
        loads = [
            Load(text, reload.monotonic_s - begun)
            for reload, text in zip(self.reloads, self.texts, strict=True)
        ]
        click = np.zeros((2, round((since - begun + 0.5) * SAMPLE_RATE)))
        click[:, 128] = 1.0
        return float(np.abs(listen(loads, click).audio[:, -SAMPLE_RATE // 4 :]).max())

    def delivered(self) -> float:
        """The part of the audio that came in time."""
        blocks, delivered = self.plugin.account.counts()
        return delivered / blocks


@contextmanager
def heard(plugin: Plugin) -> Iterator[Ears]:
    ears = Ears(plugin)
    ears.plugin.start()
    thread = threading.Thread(target=ears.plugin.run)
    thread.start()
    try:
        yield ears
    finally:
        ears.plugin.stop()
        thread.join()
        ears.plugin.close()


@pytest.mark.slow
def test_what_would_lose_audio_for_good_never_reaches_the_plugin(plugin: Plugin) -> None:
    """The control is a bridge with another limit: the plugin then tells what the program takes."""
    with served(plugin) as bridge, HotReload(48000, endpoint=bridge.endpoint) as live:
        with recorded_warnings():
            assert not live.publish(HEAVY)
        assert live.last.reason is Reason.TOO_HEAVY
        assert live.publish(WIRE)
        with heard(plugin) as ears:
            assert ears.await_program(plugin).cost < 0.5
    options = ("--max-load", "100000", "--compile-timeout", "60")
    with (
        served(plugin, *options) as bridge,
        HotReload(48000, endpoint=bridge.endpoint, timeout=60) as live,
        heard(plugin) as ears,
    ):
        assert live.publish(HEAVY)
        assert ears.await_program(plugin).cost > 0.5


def ringing() -> Any:
    """An FDN that decays by 60 dB in some three seconds."""
    model = fdn()
    model.get_core().loop.feedback.attenuation.assign_value(torch.full((4,), 0.99))
    return model


def step(model: Any, change: float) -> None:
    """What an optimiser does: the output's gains change by a part of themselves."""
    with torch.no_grad():
        model.get_core().output_gain.param.mul_(1 + change)


@pytest.mark.parametrize(
    ("change", "options", "cut"),
    [(2e-7, (), False), (2e-7, ("--min-change-db", "off"), True), (1e-2, (), True)],
)
def test_a_training_that_has_converged_no_longer_cuts_the_tail(
    plugin: Plugin, change: float, options: tuple[str, ...], cut: bool
) -> None:
    """The controls are a bridge that reloads for any change, and a training that still learns."""
    model = ringing()
    with (
        served(plugin, *options) as bridge,
        HotReload(48000, endpoint=bridge.endpoint, min_interval=0) as live,
    ):
        assert live.update(model)
        with heard(plugin) as ears:
            for _ in range(4):
                step(model, change)
                assert live.update(model) is cut, live.last
                ears.await_program(plugin)
    assert len(ears.reloads) == (5 if cut else 1)
    # A program that nothing has entered has its floor alone, at -474 dB.
    assert (ears.tail() < 1e-20) is cut


@pytest.mark.slow
def test_without_a_throttle_a_part_of_the_audio_is_lost(plugin: Plugin) -> None:
    """Of 16 lines 51 % were delivered by the real plugin; the control is the usual interval."""
    shares = {}
    for interval in (0.0, 0.5):
        model = fdn(16)
        with (
            served(plugin) as bridge,
            HotReload(48000, endpoint=bridge.endpoint, min_interval=interval) as live,
        ):
            assert live.update(model, force=True)
            with heard(plugin) as ears:
                end = time.monotonic() + 5.0
                while time.monotonic() < end:
                    step(model, 1e-2)
                    live.update(model)
                shares[interval] = ears.delivered()
    assert shares[0.0] < shares[0.5] - 0.05
