"""The training side: publish a FLAMO model to a running Faust plugin while it trains.

The names are imported when they are first used: a replay needs no torch, and the machine that it
runs on may have none.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from faustwire.extras import explained

if TYPE_CHECKING:
    from faustwire_publisher.errors import (
        ArgumentError,
        FaustwireWarning,
        ForkError,
        ModelError,
    )
    from faustwire_publisher.flamo_model import json_to_flamo
    from faustwire_publisher.hot_reload import HotReload
    from faustwire_publisher.integrations.sounds import log_sound
    from faustwire_publisher.lowering import flamo_to_json, lowers
    from faustwire_publisher.replay import Replay

__all__ = [
    "ArgumentError",
    "FaustwireWarning",
    "ForkError",
    "HotReload",
    "ModelError",
    "Replay",
    "flamo_to_json",
    "json_to_flamo",
    "log_sound",
    "lowers",
]

# The modules of the names that are not errors.
_PLACES = {
    "HotReload": "hot_reload",
    "Replay": "replay",
    "flamo_to_json": "lowering",
    "log_sound": "integrations.sounds",
    "json_to_flamo": "flamo_model",
    "lowers": "lowering",
}

if not TYPE_CHECKING:  # so that a name that isn't there stays an error to type checkers

    def __getattr__(name):
        if name not in __all__:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        try:
            module = import_module(f"{__name__}.{_PLACES.get(name, 'errors')}")
        except ModuleNotFoundError as problem:
            told = explained(problem, f"{__name__}.{name}")
            if told is None:
                raise
            raise told from problem
        return getattr(module, name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
