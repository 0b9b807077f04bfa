"""A real FLAMO training at two bridges: one writes every change, one what is heard of it."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import replace
from typing import Any

import torch
from flamo.processor import dsp, system

from core_by_hand import Bridge
from faustwire.messages import Reason, Snapshot
from faustwire_bridge.core.rules import Rules
from faustwire_bridge.core.sound_limits import Limits
from faustwire_publisher.lowering import lower

NFFT = 512
LINES = 4
STEPS = 12


def network() -> system.Shell:
    options: dict[str, Any] = {"nfft": NFFT, "device": "cpu"}
    delays = dsp.parallelDelay(size=(LINES,), max_len=300, isint=True, unit=1, **options)
    attenuation = dsp.parallelGain(size=(LINES,), **options)
    attenuation.assign_value(torch.full((LINES,), 0.8))
    learns = {"requires_grad": True, **options}
    mixing = dsp.Matrix(size=(LINES, LINES), matrix_type="orthogonal", **learns)
    feedback = system.Series(OrderedDict(attenuation=attenuation, mixing=mixing))
    core = OrderedDict(
        input_gain=dsp.Gain(size=(LINES, 1), **learns),
        loop=system.Recursion(fF=delays, fB=feedback),
        output_gain=dsp.Gain(size=(1, LINES), **learns),
    )
    return system.Shell(system.Series(core), dsp.FFT(NFFT), dsp.iFFT(NFFT))


def reasons(size: float) -> tuple[list[Reason], list[Reason]]:
    """Of each step of a training with such steps: with every change, and with those heard."""
    torch.manual_seed(3)
    model = network()
    optimizer = torch.optim.Adam(model.parameters(), lr=size)
    impulse = torch.zeros(1, NFFT, 1)
    impulse[0, 0] = 1.0
    limits = Limits()
    every = Bridge(Rules(limits=replace(limits, min_change_db=None))).worker(min_interval=0.5)
    heard = Bridge(Rules(limits=limits)).worker(min_interval=0.5)
    found: tuple[list[Reason], list[Reason]] = ([], [])
    for step in range(1, STEPS + 1):
        spectrum = abs(torch.fft.rfft(model(impulse), dim=1))
        loss = torch.nn.functional.mse_loss(spectrum, torch.ones_like(spectrum))
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]  # torch annotates it not
        optimizer.step()
        for worker, told in zip((every, heard), found, strict=True):
            worker.bridge.now += 0.6
            told.append(worker.verdict(Snapshot(step, step, 48000.0, lower(model))).reason)
    return found


def test_a_training_that_has_converged_reloads_nothing_that_nobody_hears() -> None:
    every, heard = reasons(1e-7)
    assert every == STEPS * [Reason.PUBLISHED]
    assert heard == [Reason.PUBLISHED, *(STEPS - 1) * [Reason.INAUDIBLE]]


def test_of_one_that_learns_nothing_that_is_heard_comes_later() -> None:
    every, heard = reasons(1e-3)
    assert every == heard == STEPS * [Reason.PUBLISHED]
