"""A training by FLAMO's own ``Trainer`` that is heard, with its losses.

    PYTHONPATH=examples python -m flamo_training --epochs 20

The bridge is one on this machine, or the one that FAUSTWIRE_ENDPOINT names.
"""

from __future__ import annotations

import argparse

import torch
from flamo.optimize.dataset import Dataset, load_dataset
from flamo.optimize.trainer import Trainer

from faustwire import HotReload
from faustwire.rendezvous import CONFIG_PATH, DSP_PATH
from faustwire_publisher.integrations.flamo import trainer_losses
from sweeps.fdn import FS, NFFT, build


def main() -> None:
    """Train, and say how it ended."""
    parser = argparse.ArgumentParser(description="FLAMO's Trainer, heard.")
    parser.add_argument("--rate", type=float, default=0.01, help="of learning")
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--dsp-path", default=DSP_PATH)
    parser.add_argument("--config-path", default=CONFIG_PATH)
    options = parser.parse_args()
    model, teacher = build(seed=1), build(seed=2)
    impulse = torch.zeros(1, NFFT, 1)
    impulse[:, 0] = 1.0
    with torch.no_grad():
        wanted = teacher(impulse)
    data = Dataset(input=impulse, target=wanted, expand=8, device="cpu")
    train_set, valid_set = load_dataset(data, batch_size=2, split=0.5)
    trainer = Trainer(model, max_epochs=options.epochs, lr=options.rate, log=False, device="cpu")
    trainer.register_criterion(torch.nn.MSELoss(), 1)
    losses = trainer_losses(trainer)
    with (
        HotReload(FS, dsp_path=options.dsp_path, config_path=options.config_path) as live,
        live.follow(model, metrics=losses),
    ):
        trainer.train(train_set, valid_set)
    print(f"loss {losses()['loss']:.2e}, {live.last.reason}")


if __name__ == "__main__":
    main()
