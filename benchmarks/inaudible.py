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
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

import torch

from faustwire import HotReload
from faustwire.limits import MIN_CHANGE_DB
from faustwire.messages import Reason

sys.path.insert(0, str(Path(__file__).parents[1] / "tools"))

from models import FlatTraining, fdn

_PARTS = {"still learns": 1e-3, "has converged": 1e-7}
_LINES = 6


def main() -> None:
    """Train, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=30.0, help="for each of the two parts")
    seconds = parser.parse_args().seconds
    torch.manual_seed(0)
    torch.set_num_threads(1)
    model = fdn(_LINES, attenuation=0.8)
    training = FlatTraining(model)
    with tempfile.TemporaryDirectory() as folder:
        paths = [Path(folder) / name for name in ("every", "heard")]
        every, heard = (
            HotReload(
                48000, dsp_path=path / "live.dsp", config_path=path / "config.txt", min_change_db=db
            )
            for path, db in zip(paths, (None, MIN_CHANGE_DB), strict=True)
        )
        print(f"{'training':<16}{'steps':>7} {'reloads a minute: every change':>31} {'heard':>7}")
        for part, size in _PARTS.items():
            counts = {name: Counter[Reason]() for name in ("every", "heard")}
            steps, began = 0, time.monotonic()
            while time.monotonic() - began < seconds:
                training.step(size)
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
