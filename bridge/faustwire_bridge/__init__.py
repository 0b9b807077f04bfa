"""The audio side: a bridge that keeps one `.dsp` equal to what the training sends."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from faustwire_bridge.analysis.certificate import certify
    from faustwire_bridge.analysis.from_config import json_to_faust
    from faustwire_bridge.codegen import Channels

__all__ = ["Channels", "certify", "json_to_faust"]

_HOMES = {
    "Channels": "codegen",
    "certify": "analysis.certificate",
    "json_to_faust": "analysis.from_config",
}


def __getattr__(name: str) -> Any:
    # When asked for: the compiling process imports a module of this package, and no numpy.
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
