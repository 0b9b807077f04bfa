"""Impulse responses into TensorBoard and Weights & Biases; neither is needed or imported here."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from faustwire_publisher.errors import ArgumentError
from faustwire_publisher.hot_reload import HotReload

# TensorBoard plays one channel a sound.
_MOST_CHANNELS = 2


def log_sound(
    logger: Any,
    live: HotReload,
    step: int | None = None,
    *,
    name: str = "impulse response",
    seconds: float = 1.0,
) -> None:
    """Log how the model sounds that was published last.

    To be called where ``update`` was True::

        if live.update(model):
            log_sound(writer, live, step)

    Args:
        logger: a TensorBoard ``SummaryWriter``, or a run of Weights & Biases (``wandb.run``); of
            other objects that hold one as ``experiment``, as Lightning's loggers do, that one.
        live: what published.
        step: number of the step, as ``add_audio`` or ``run.log`` take it.
        name: of the sound.
        seconds: how long the response is.

    Raises:
        ArgumentError: the logger takes no sounds.
        RuntimeError: nothing has been published yet.
    """
    target = _target(logger)
    if target is None:
        raise ArgumentError(
            f"a {type(logger).__name__} takes no sounds; give a SummaryWriter of TensorBoard, or "
            "wandb.run"
        )
    sound = _normal(live.impulse_response(seconds=seconds)[:, :_MOST_CHANNELS])
    if hasattr(target, "add_audio"):
        _to_tensorboard(target, sound, round(live.fs), name, step)
    else:
        _to_wandb(target, sound, round(live.fs), name, step, of_lightning=target is not logger)


def takes_sounds(logger: Any) -> bool:
    """Whether ``log_sound`` can log to it.

    Args:
        logger: any object.
    """
    return _target(logger) is not None


def _target(logger: Any) -> Any:
    for candidate in (logger, getattr(logger, "experiment", None)):
        if hasattr(candidate, "add_audio") or _is_wandb_run(candidate):
            return candidate
    return None


def _is_wandb_run(candidate: object) -> bool:
    return type(candidate).__module__.partition(".")[0] == "wandb" and hasattr(candidate, "log")


def _normal(sound: NDArray[np.float64]) -> NDArray[np.float64]:
    """At full scale: both loggers clip what is louder, and a reverberator's response is quiet."""
    peak = float(np.abs(sound).max(initial=0.0))
    return sound / peak if 0.0 < peak < np.inf else np.zeros_like(sound)


def _to_tensorboard(
    writer: Any, sound: NDArray[np.float64], rate: int, name: str, step: int | None
) -> None:
    tags = [name] if sound.shape[1] == 1 else [f"{name}/left", f"{name}/right"]
    for tag, channel in zip(tags, sound.T, strict=True):
        writer.add_audio(tag, channel[None], global_step=step, sample_rate=rate)


def _to_wandb(
    run: Any,
    sound: NDArray[np.float64],
    rate: int,
    name: str,
    step: int | None,
    *,
    of_lightning: bool,
) -> None:
    import wandb  # noqa: PLC0415 - a run of it is here, so it is

    audio = wandb.Audio(sound, sample_rate=rate)
    if of_lightning:  # Its logger counts the run's own steps otherwise, and has this metric for it.
        run.log({name: audio, "trainer/global_step": step})
    else:
        run.log({name: audio}, step=step)
