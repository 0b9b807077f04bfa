"""The Lightning callback: ``from faustwire.lightning import HotReloadCallback``."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from faustwire_publisher.integrations.lightning import HotReloadCallback

__all__ = ["HotReloadCallback"]

if not TYPE_CHECKING:

    def __getattr__(name):
        if name not in __all__:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        return getattr(import_module("faustwire_publisher.integrations.lightning"), name)
