"""A sweep with Ray Tune: each trial is a worker of its own, and the best one can be heard.

pip install 'faustwire[train]' 'ray[tune]'
faustwire serve --bind tcp://127.0.0.1:5555 --follow best loss        # the audio machine
PYTHONPATH=examples python -m sweeps.ray_tune --endpoint tcp://127.0.0.1:5555
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import ray
import torch
from ray import tune

from faustwire import HotReload
from sweeps.fdn import FS, NFFT, build, loss


def trial(config: dict[str, Any]) -> None:
    """Train one configuration; Ray calls it in a process of its own, perhaps on another machine."""
    torch.set_num_threads(1)
    model, teacher = build(seed=1), build(seed=2)
    optimizer = torch.optim.Adam(model.parameters(), lr=config["rate"])
    noise = torch.Generator().manual_seed(100)
    with HotReload(FS, endpoint=config["endpoint"], worker=f"rate-{config['rate']}") as live:
        for step in range(1, config["steps"] + 1):
            x = torch.randn(4, NFFT, 1, generator=noise)
            with torch.no_grad():
                wanted = teacher(x)
            error = loss(model(x), wanted)
            optimizer.zero_grad()
            error.backward()  # type: ignore[no-untyped-call]  # torch annotates it not
            optimizer.step()
            live.update(model, force=step == config["steps"], metrics={"loss": error})
            tune.report({"loss": error.item()})


def main() -> None:
    """Try some rates and tell the best."""
    parser = argparse.ArgumentParser(description="A sweep with Ray Tune.")
    parser.add_argument("--endpoint", required=True, help="the bridge's, tcp://host:port")
    parser.add_argument("--rates", type=float, nargs="+", default=[0.003, 0.01, 0.03])
    parser.add_argument("--steps", type=int, default=200)
    parser.add_argument("--results", type=Path, help="where Ray keeps them; default: ~/ray_results")
    parser.add_argument("--cpus", type=int, help="for all trials together; default: all")
    options = parser.parse_args()
    ray.init(num_cpus=options.cpus, include_dashboard=False)
    tuner = tune.Tuner(
        trial,
        param_space={
            "endpoint": options.endpoint,
            "steps": options.steps,
            "rate": tune.grid_search(options.rates),
        },
        run_config=tune.RunConfig(storage_path=options.results and str(options.results)),
    )
    best = tuner.fit().get_best_result("loss", "min")
    assert best.config is not None, "every trial has one"  # noqa: S101
    print(f"the best rate is {best.config['rate']}", flush=True)
    ray.shutdown()


if __name__ == "__main__":
    main()
