"""The audio side: a bridge that keeps one `.dsp` equal to what the training sends."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from faustwire_bridge.analysis.from_config import json_to_faust
    from faustwire_bridge.codegen import Channels

__all__ = ["Channels", "json_to_faust"]


def __getattr__(name: str) -> Any:
    # When asked for: the compiling process imports a module of this package, and no numpy.
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from faustwire_bridge.analysis.from_config import json_to_faust  # noqa: PLC0415
    from faustwire_bridge.codegen import Channels  # noqa: PLC0415

    return {"Channels": Channels, "json_to_faust": json_to_faust}[name]
