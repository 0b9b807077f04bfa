"""The audio side: a bridge that keeps one `.dsp` equal to what the training sends."""

from faustwire_bridge.codegen import Channels
from faustwire_bridge.codegen.from_config import json_to_faust

__all__ = ["Channels", "json_to_faust"]
