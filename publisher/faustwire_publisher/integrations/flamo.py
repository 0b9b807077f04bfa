"""FLAMO's own ``Trainer``: its losses as the metrics of what is published."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any


def trainer_losses(trainer: Any) -> Callable[[], dict[str, float]]:
    """A function that returns the newest losses of a training, for ``metrics=``.

    For ``follow``, which hears of the steps::

        with live.follow(model, metrics=trainer_losses(trainer)):
            trainer.train(train_set, valid_set)

    Args:
        trainer: a ``flamo.optimize.trainer.Trainer``.

    Returns:
        A function: "loss", the weighted sum of the last step; each criterion's own loss by the
        name of its class; and "valid_loss", the last epoch's mean, once there is one.
    """

    def losses() -> dict[str, float]:
        logged: Mapping[str, Sequence[float]] = getattr(trainer, "train_loss_log", {})
        newest = {name: values[-1] for name, values in logged.items() if values}
        # Two criteria of one class share a list, whose last value is not the sum of both.
        names = [criterion.__class__.__name__ for criterion in trainer.criterion]
        if newest and len(set(names)) == len(names):
            weights = zip(names, trainer.alpha, strict=True)
            newest["loss"] = sum(weight * newest[name] for name, weight in weights)
        valid: Sequence[float] = getattr(trainer, "valid_loss", ())
        return {**newest, "valid_loss": valid[-1]} if valid else newest

    return losses
