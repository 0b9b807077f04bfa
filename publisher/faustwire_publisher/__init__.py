"""The training side: publish a FLAMO model to a running Faust plugin while it trains."""

from faustwire_publisher.errors import (
    ArgumentError,
    FaustwireWarning,
    ForkError,
    ModelError,
)
from faustwire_publisher.hot_reload import HotReload
from faustwire_publisher.lowering import flamo_to_json, lowers

__all__ = [
    "ArgumentError",
    "FaustwireWarning",
    "ForkError",
    "HotReload",
    "ModelError",
    "flamo_to_json",
    "lowers",
]
