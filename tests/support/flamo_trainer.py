"""FLAMO's own ``Trainer`` with a small data set, for tests of what it calls."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn


def flamo_trainer(model: nn.Module, criteria: dict[nn.Module, float]) -> tuple[Any, Any, Any]:
    """A trainer of a model with one input and one output, and the loaders for ``train``.

    Args:
        model: of 512 points.
        criteria: each with its weight.

    Returns:
        (the trainer, batches to train on, batches to validate with).
    """
    from flamo.optimize.dataset import Dataset, load_dataset
    from flamo.optimize.trainer import Trainer

    data = Dataset(
        input=torch.eye(1, 512).reshape(1, 512, 1),
        target=torch.zeros(1, 512, 1),
        expand=4,
        device="cpu",
    )
    train, valid = load_dataset(data, batch_size=2, split=0.5)
    trainer = Trainer(model, max_epochs=2, lr=1e-2, log=False, device="cpu")
    for criterion, weight in criteria.items():
        trainer.register_criterion(criterion, weight)
    return trainer, train, valid
