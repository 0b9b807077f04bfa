"""One configuration of a sweep, trained by several processes; rank 0 is the one that publishes.

    export FAUSTWIRE_ENDPOINT=tcp://studio:5555 PYTHONPATH=examples
    for rate in 0.003 0.01 0.03; do
        torchrun --nproc-per-node 2 -m sweeps.torchrun --rate $rate
    done

torchrun gives each process its rank and where the others are. All of them hold the same parameters
after each step, so one is enough to be heard.
"""

from __future__ import annotations

import argparse
from contextlib import nullcontext

import torch
import torch.distributed as dist
from torch.nn.parallel import DistributedDataParallel

from faustwire import HotReload
from sweeps.fdn import FS, NFFT, build, loss


def main() -> None:
    """Train one configuration."""
    parser = argparse.ArgumentParser(description="One configuration of a sweep, for torchrun.")
    parser.add_argument("--rate", type=float, default=0.01, help="of learning")
    parser.add_argument("--steps", type=int, default=200)
    options = parser.parse_args()
    torch.set_num_threads(1)
    dist.init_process_group("gloo")
    rank = dist.get_rank()
    model, teacher = build(seed=1), build(seed=2)
    parallel = DistributedDataParallel(model)
    optimizer = torch.optim.Adam(parallel.parameters(), lr=options.rate)
    # Each rank hears noise of its own.
    noise = torch.Generator().manual_seed(100 + rank)
    with HotReload(FS, worker=f"rate-{options.rate}") if rank == 0 else nullcontext() as live:
        for step in range(1, options.steps + 1):
            x = torch.randn(4, NFFT, 1, generator=noise)
            with torch.no_grad():
                wanted = teacher(x)
            error = loss(parallel(x), wanted)
            optimizer.zero_grad()
            error.backward()  # type: ignore[no-untyped-call]  # torch annotates it not
            optimizer.step()
            if live is not None:
                last = step == options.steps
                live.update(model, force=last, metrics={"loss": error, "rate": options.rate})
        if live is not None:
            print(f"rank {rank}: loss {error.item():.4f}, {live.last.reason}", flush=True)
    # Rank 0 takes leave of the bridge first: whoever ends alone may be aborted by gloo.
    dist.barrier()
    dist.destroy_process_group()


if __name__ == "__main__":
    main()
