"""One training process of the demo: ``python -m demo.worker hall --endpoint tcp://…``.

What a script of your own needs is the three lines with ``live``; the rest is an ordinary training.
One JSON line a call of ``update`` goes to stdout, for the progress bar and the table.
"""

from __future__ import annotations

import argparse
import json
import time
from dataclasses import asdict, dataclass

import torch
from flamo.processor import system

from demo.fdn import build, respond
from demo.loss import RoomLoss
from demo.rooms import FS, ROOMS
from faustwire import HotReload


@dataclass(frozen=True)
class Call:
    """One call of ``HotReload.update``, and what came of it.

    Attributes:
        step: optimiser steps so far; 0 is the untrained model.
        loss: of the model before the step.
        decay_db: mean error of the decay, one part of the loss.
        published: what ``update`` returned.
        reason: the verdict's.
        begun_monotonic_s: ``time.monotonic()`` before the call.
        ended_monotonic_s: the same after it.
    """

    step: int
    loss: float
    decay_db: float
    published: bool
    reason: str
    begun_monotonic_s: float
    ended_monotonic_s: float


def train(room_name: str, steps: int, live: HotReload) -> None:
    """Train a network towards a room; every step can be heard."""
    room = ROOMS[room_name]
    model = build(room, seed=3)
    criterion = RoomLoss(room)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.02)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps, eta_min=0.006)
    with torch.no_grad():
        parts = criterion(respond(model), model)
    _call(live, model, 0, parts, force=True)
    for step in range(1, steps + 1):
        parts = criterion(respond(model), model)
        optimizer.zero_grad()
        parts["loss"].backward()  # type: ignore[no-untyped-call]  # torch annotates it not
        optimizer.step()
        schedule.step()
        # The throttles make way for the last one: what is heard in the end is what was learnt.
        _call(live, model, step, parts, force=step == steps)


def _call(
    live: HotReload,
    model: system.Shell,
    step: int,
    parts: dict[str, torch.Tensor],
    *,
    force: bool,
) -> None:
    metrics = {key: float(value.detach()) for key, value in parts.items()}
    begun = time.monotonic()
    published = live.update(model, force=force, metrics=metrics)
    call = Call(
        step=step,
        loss=metrics["loss"],
        decay_db=metrics["decay_db"],
        published=published,
        reason=str(live.last.reason.value),
        begun_monotonic_s=begun,
        ended_monotonic_s=time.monotonic(),
    )
    print(json.dumps(asdict(call)), flush=True)


def main() -> None:
    """Parse the arguments and train."""
    parser = argparse.ArgumentParser(description="One training process of the demo.")
    parser.add_argument("room", choices=sorted(ROOMS))
    parser.add_argument("--endpoint", required=True, help="the bridge's, tcp://host:port")
    parser.add_argument("--steps", type=int, required=True)
    parser.add_argument("--min-interval", type=float, required=True, metavar="SECONDS")
    options = parser.parse_args()
    # One core each: the two workers, the bridge and the plugin share the machine.
    torch.set_num_threads(1)
    with HotReload(
        FS,
        name=options.room,
        endpoint=options.endpoint,
        worker=options.room,
        min_interval=options.min_interval,
    ) as live:
        train(options.room, options.steps, live)


if __name__ == "__main__":
    main()
