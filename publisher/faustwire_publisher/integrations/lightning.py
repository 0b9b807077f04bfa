"""A Lightning callback: hear the model, or a part of it, after each optimiser step.

Reached as ``faustwire.lightning``; needs ``lightning`` or ``pytorch_lightning``.
"""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import torch

from faustwire_publisher.errors import ArgumentError
from faustwire_publisher.hot_reload import HotReload
from faustwire_publisher.integrations.sounds import log_sound, takes_sounds

if TYPE_CHECKING:
    from lightning.pytorch import Callback, LightningModule, Trainer
else:
    try:
        from lightning.pytorch import Callback
    except ModuleNotFoundError:
        try:
            from pytorch_lightning import Callback
        except ModuleNotFoundError as problem:
            raise ModuleNotFoundError(
                "faustwire.lightning needs Lightning, which is not installed: "
                "pip install lightning",
                name=problem.name,
            ) from problem


class HotReloadCallback(Callback):
    """Calls ``update`` after each optimiser step of a Lightning training, and once more at its end.

    Only the process of rank zero publishes. What the training logs goes along as metrics::

        trainer = Trainer(callbacks=[HotReloadCallback(HotReload(48000), module="fdn")])

    Args:
        live: publishes; not closed at the end of a fit, so that the next one goes on with it.
        module: the path of the FLAMO module in the LightningModule, such as "fdn" or
            "net.reverb"; None: the LightningModule is one itself.
        sounds: seconds at least between two impulse responses of what was published, which go to
            the trainer's loggers that take sounds (TensorBoard, Weights & Biases); None: none go.

    Raises:
        ArgumentError: when the fit begins, if there is no such module.
    """

    def __init__(
        self, live: HotReload, module: str | None = None, *, sounds: float | None = None
    ) -> None:
        super().__init__()
        self.live = live
        self.module = module
        self.sounds = sounds
        self._steps = 0
        self._sounded = -math.inf

    def on_fit_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Check that the module is there before the first batch is read.

        Args:
            trainer: the Lightning trainer that calls.
            pl_module: the module that it trains.
        """
        self._model(pl_module)
        self._steps = trainer.global_step

    def on_train_batch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        *_: Any,
    ) -> None:
        """Publish if the batch ended with a step; accumulated gradients take several batches.

        Args:
            trainer: the Lightning trainer that calls.
            pl_module: the module that it trains.
            _: the step's outputs, its batch and the batch's index; not used.
        """
        if trainer.global_step != self._steps:
            self._steps = trainer.global_step
            self._update(trainer, pl_module, force=False)

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Publish the last state, whatever the throttles say.

        Args:
            trainer: the Lightning trainer that calls.
            pl_module: the module that it trains.
        """
        self._update(trainer, pl_module, force=True)

    def _update(self, trainer: Trainer, pl_module: LightningModule, *, force: bool) -> None:
        if not trainer.is_global_zero:
            return
        model = self._model(pl_module)
        if self.live.update(model, force=force, metrics=lambda: _scalars(trainer)):
            self._sound(trainer, force=force)

    def _sound(self, trainer: Trainer, *, force: bool) -> None:
        """Log how it sounds; computing the response takes a part of a second."""
        now = time.monotonic()
        if self.sounds is None or (now < self._sounded + self.sounds and not force):
            return
        self._sounded = now
        for logger in filter(takes_sounds, trainer.loggers):
            log_sound(logger, self.live, trainer.global_step)

    def _model(self, pl_module: LightningModule) -> torch.nn.Module:
        if self.module is None:
            return pl_module
        try:
            return pl_module.get_submodule(self.module)
        except AttributeError as problem:
            children = ", ".join(name for name, _ in pl_module.named_children()) or "none"
            raise ArgumentError(
                f"module={self.module!r}: {type(pl_module).__name__} has no such module; it has "
                f"{children}"
            ) from problem


def _scalars(trainer: Trainer) -> Mapping[str, Any]:
    """The logged metrics that are single numbers."""
    logged = trainer.callback_metrics.items()
    return {name: value for name, value in logged if getattr(value, "numel", lambda: 1)() == 1}
