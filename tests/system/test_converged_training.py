"""A real FLAMO training at two bridges: one writes every change, one what is heard of it."""

from __future__ import annotations

from dataclasses import replace

import torch

from core_by_hand import Bridge
from faustwire.messages import Reason, Snapshot
from faustwire_bridge.core.rules import Rules
from faustwire_bridge.core.sound_limits import Limits
from faustwire_publisher.lowering import lower
from models import FlatTraining, fdn

NFFT = 512
LINES = 4
STEPS = 12


def reasons(size: float) -> tuple[list[Reason], list[Reason]]:
    """Of each step of a training with such steps: with every change, and with those heard."""
    torch.manual_seed(3)
    model = fdn(LINES, nfft=NFFT, attenuation=0.8)
    training = FlatTraining(model, nfft=NFFT)
    limits = Limits()
    every = Bridge(Rules(limits=replace(limits, min_change_db=None))).worker(min_interval=0.5)
    heard = Bridge(Rules(limits=limits)).worker(min_interval=0.5)
    found: tuple[list[Reason], list[Reason]] = ([], [])
    for step in range(1, STEPS + 1):
        training.step(size)
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
