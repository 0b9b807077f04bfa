"""Reloads a minute with every change, and without those that nobody hears, of one real training.

A FLAMO feedback delay network trains with Adam, first with steps that are heard, then with steps of
1e-7, as at the end of a schedule. Each step is published to two bridges with a plugin's files each:
one turns changes below -80 dB down as inaudible, the other none. For the part that still learns
every call must get the same verdict from both but for the throttles' clocks: nothing that is heard
comes later.

    python benchmarks/inaudible.py [--seconds 30]
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections import Counter, OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from flamo.processor import dsp, system

from faustwire import HotReload
from faustwire.messages import Reason

_PARTS = {"still learns": 1e-3, "has converged": 1e-7}
_LINES = 6
_NFFT = 2048


def network() -> system.Shell:
    """Six lines with an orthogonal matrix."""
    options: dict[str, Any] = {"nfft": _NFFT, "device": "cpu"}
    delays = dsp.parallelDelay(size=(_LINES,), max_len=500, isint=True, unit=1, **options)
    attenuation = dsp.parallelGain(size=(_LINES,), **options)
    attenuation.assign_value(torch.full((_LINES,), 0.8))
    mixing = dsp.Matrix(
        size=(_LINES, _LINES), matrix_type="orthogonal", requires_grad=True, **options
    )
    feedback = system.Series(OrderedDict(attenuation=attenuation, mixing=mixing))
    core = OrderedDict(
        input_gain=dsp.Gain(size=(_LINES, 1), requires_grad=True, **options),
        loop=system.Recursion(fF=delays, fB=feedback),
        output_gain=dsp.Gain(size=(1, _LINES), requires_grad=True, **options),
    )
    return system.Shell(system.Series(core), dsp.FFT(_NFFT), dsp.iFFT(_NFFT))


def trained(model: torch.nn.Module) -> Callable[[float], None]:
    """A function that makes one step of a given size towards a flat response."""
    optimizer = torch.optim.Adam(model.parameters())
    impulse = torch.zeros(1, _NFFT, 1)
    impulse[0, 0] = 1.0

    def step(size: float) -> None:
        for group in optimizer.param_groups:
            group["lr"] = size
        spectrum = abs(torch.fft.rfft(model(impulse), dim=1))
        loss = torch.nn.functional.mse_loss(spectrum, torch.ones_like(spectrum))
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]  # torch annotates it not
        optimizer.step()

    return step


def main() -> None:
    """Train, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=30.0, help="for each of the two parts")
    seconds = parser.parse_args().seconds
    torch.manual_seed(0)
    torch.set_num_threads(1)
    model = network()
    step = trained(model)
    with tempfile.TemporaryDirectory() as folder:
        paths = [Path(folder) / name for name in ("every", "heard")]
        every, heard = (
            HotReload(
                48000, dsp_path=path / "live.dsp", config_path=path / "config.txt", min_change_db=db
            )
            for path, db in zip(paths, (None, -80.0), strict=True)
        )
        print(f"{'training':<16}{'steps':>7} {'reloads a minute: every change':>31} {'heard':>7}")
        for part, size in _PARTS.items():
            counts = {name: Counter[Reason]() for name in ("every", "heard")}
            steps, began = 0, time.monotonic()
            while time.monotonic() - began < seconds:
                step(size)
                steps += 1
                for name, live in (("every", every), ("heard", heard)):
                    live.update(model)
                    counts[name][live.last.reason] += 1
            minutes = (time.monotonic() - began) / 60
            rates = [counts[name][Reason.PUBLISHED] / minutes for name in ("every", "heard")]
            print(f"{part:<16}{steps:>7} {rates[0]:>31.1f} {rates[1]:>7.1f}")
            print(f"{'':<16}turned down as inaudible: {counts['heard'][Reason.INAUDIBLE]}")
        every.close()
        heard.close()


if __name__ == "__main__":
    main()
