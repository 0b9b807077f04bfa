"""A Lightning training that is heard: one line more than without.

    PYTHONPATH=examples python -m lightning_training --steps 200

The bridge is one on this machine, or the one that FAUSTWIRE_ENDPOINT names.
"""

from __future__ import annotations

import argparse

import torch
from lightning.pytorch import LightningModule, Trainer
from torch.utils.data import DataLoader

from faustwire import HotReload
from faustwire.lightning import HotReloadCallback
from faustwire.rendezvous import CONFIG_PATH, DSP_PATH
from sweeps.fdn import FS, NFFT, build, loss


class Learning(LightningModule):
    """Learns the answers of another network."""

    def __init__(self, rate: float) -> None:
        super().__init__()
        self.fdn = build(seed=1)
        self.teacher = build(seed=2).requires_grad_(False)
        self.rate = rate

    def training_step(self, batch: torch.Tensor, _: int) -> torch.Tensor:
        """One batch of noise."""
        error = loss(self.fdn(batch), self.teacher(batch))
        self.log("loss", error)
        return error

    def configure_optimizers(self) -> torch.optim.Optimizer:
        """Adam on the network that learns."""
        return torch.optim.Adam(self.fdn.parameters(), lr=self.rate)


def main() -> None:
    """Train, and say how it ended."""
    parser = argparse.ArgumentParser(description="A Lightning training that is heard.")
    parser.add_argument("--rate", type=float, default=0.01, help="of learning")
    parser.add_argument("--steps", type=int, default=200)
    parser.add_argument("--dsp-path", default=DSP_PATH)
    parser.add_argument("--config-path", default=CONFIG_PATH)
    options = parser.parse_args()
    batches = list(torch.randn(16, 4, NFFT, 1))
    noise: DataLoader[torch.Tensor] = DataLoader(batches, batch_size=None)  # type: ignore[arg-type]
    with HotReload(FS, dsp_path=options.dsp_path, config_path=options.config_path) as live:
        trainer = Trainer(
            max_steps=options.steps,
            callbacks=[HotReloadCallback(live, module="fdn")],
            accelerator="cpu",
            logger=False,
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
        )
        trainer.fit(Learning(options.rate), noise)
        print(f"loss {trainer.callback_metrics['loss']:.4f}, {live.last.reason}")


if __name__ == "__main__":
    main()
