"""The second step of the two-step API: a JSON config, perhaps edited by hand, to Faust text."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from faustwire.config_file import from_json
from faustwire.controls import overridden
from faustwire_bridge.analysis.knob_positions import knobs_of_model
from faustwire_bridge.codegen import ChannelChoice, generate


def json_to_faust(
    config: Mapping[str, Any],
    controls: Mapping[str, Any] | None = None,
    *,
    channels: ChannelChoice = None,
) -> str:
    """Write the program that a config describes.

    Args:
        config: what ``faustwire_publisher.flamo_to_json`` returns, possibly edited; see
            ``faustwire.config_file``.
        controls: {"rt60" | "dry_wet" | "pre_delay": True, or a dict that overrides some of
            label/init/min/max/step, or False}; overrides the config's own "controls", name by
            name.
        channels: None: the model's own inputs and outputs. "plugin": 2 outputs, at most 2 inputs,
            as the plugin needs. ``Channels(inputs=…, outputs=…)``: a choice of the model's.

    Returns:
        The text of a ``.dsp`` file; what could not be done as asked is a warning in its header.

    Raises:
        GraphError: the config is broken, with the path of the broken place.
        ControlError: the controls are.
        ChannelError: the model has no such channels.
    """
    graph, fs, name, embedded = from_json(config)
    knobs = knobs_of_model(graph, overridden(embedded, controls), fs=fs)
    return generate(graph, fs=fs, name=name, controls=knobs, channels=channels).text
