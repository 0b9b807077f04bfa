"""Hear a FLAMO model while it trains: the front door, and what crosses between the machines.

The names below are imported when they are first used (PEP 562), so that ``import faustwire`` costs
milliseconds and the audio machine needs neither torch nor flamo::

    from faustwire import HotReload
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import TYPE_CHECKING, Any

from faustwire.extras import explained

if TYPE_CHECKING:
    from faustwire_bridge import certify, json_to_faust
    from faustwire_publisher import (
        HotReload,
        Replay,
        flamo_to_json,
        json_to_flamo,
        log_sound,
        lowers,
    )

__all__ = [
    "HotReload",
    "Replay",
    "certify",
    "flamo_to_faust",
    "flamo_to_json",
    "json_to_faust",
    "json_to_flamo",
    "log_sound",
    "lowers",
]

_HOMES = {
    "HotReload": "faustwire_publisher",
    "Replay": "faustwire_publisher",
    "certify": "faustwire_bridge",
    "flamo_to_json": "faustwire_publisher",
    "json_to_faust": "faustwire_bridge",
    "json_to_flamo": "faustwire_publisher",
    "log_sound": "faustwire_publisher",
    "lowers": "faustwire_publisher",
}


def flamo_to_faust(
    model: Any, fs: float, *, name: str = "FDN", controls: Mapping[str, Any] | None = None
) -> str:
    """Write a FLAMO model as a Faust program, in one step.

    Args:
        model: a FLAMO module (``torch.nn.Module``).
        fs: sampling rate in Hz of the signal that the program will process.
        name: of the program, for its header.
        controls: macro controls by name ("rt60", "dry_wet", "pre_delay"): True, or a dict that
            overrides init, min, max, step or label.

    Returns:
        The text of a ``.dsp`` file.

    Raises:
        ModelError: the model can't be expressed; names the module.
        NonFiniteError: a parameter is NaN or infinite.
        ControlError: the controls make no sense.
        ModuleNotFoundError: torch or flamo is not installed.
    """
    faustwire = import_module(__name__)  # its other names are imported when asked for
    config = faustwire.flamo_to_json(model, fs, name=name)
    return str(faustwire.json_to_faust(config, controls=controls))


if not TYPE_CHECKING:  # so that an unknown name stays an error to type checkers

    def __getattr__(name):
        home = _HOMES.get(name)
        if home is None:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        try:
            return getattr(import_module(home), name)
        except ModuleNotFoundError as problem:
            told = explained(problem, f"faustwire.{name}")
            if told is None:
                raise
            raise told from problem


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
