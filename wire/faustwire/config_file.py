"""Graphs as JSON, written by ``flamo_to_json``, read by ``json_to_faust``, and editable by hand.

    {"faustwire": 1, "name": "FDN", "fs": 48000.0, "graph": {...}, "controls": {...}}

``graph`` holds the dicts of ``graph_codec``, with nested lists for arrays. ``controls`` is optional
and read by ``controls.sliders``. An error names the path of the place in the file.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from faustwire.controls import Slider, sliders
from faustwire.errors import GraphError, is_finite, shown
from faustwire.graph import Node
from faustwire.graph_codec import from_dicts, to_dicts
from faustwire.sampling_rate import rate_problem
from faustwire.validation import check, check_name

# Increased when an old reader would misread a new file; not for new optional keys.
JSON_VERSION = 1
_KEYS = ("faustwire", "name", "fs", "graph", "controls")


class JsonGraph(NamedTuple):
    """The content of a config.

    Attributes:
        graph: the model.
        fs: sampling rate, Hz.
        name: of the model.
        controls: the sliders by the control's name.
    """

    graph: Node
    fs: float
    name: str
    controls: dict[str, Slider]


def to_json(graph: Node, fs: float, name: str) -> dict[str, Any]:
    """A graph as a dict that ``json.dumps`` takes and ``from_json`` reads.

    Args:
        graph: a valid one.
        fs: sampling rate in Hz.
        name: of the model.

    Returns:
        Dicts, lists, text and numbers only; the numbers are exact.
    """
    plain = _listed(to_dicts(graph))
    return {"faustwire": JSON_VERSION, "name": name, "fs": float(fs), "graph": plain}


def from_json(config: Any) -> JsonGraph:
    """Read and check a config.

    Args:
        config: what ``to_json`` gave, or a person wrote.

    Returns:
        The graph, its rate, its name, its controls.

    Raises:
        GraphError: something is missing, unknown or wrong, with its path.
        ControlError: the controls are.
    """
    if not isinstance(config, Mapping):
        raise GraphError("$", f"a config is a map, not {type(config).__name__}")
    _check_version(config.get("faustwire"))
    if unknown := sorted(str(key) for key in config if key not in _KEYS):
        raise GraphError("$", f"unknown key {unknown[0]!r}; there are {', '.join(_KEYS)}")
    if "graph" not in config:
        raise GraphError("$", "graph is missing")
    graph = from_dicts(config["graph"])
    check(graph)
    chosen = config.get("controls")
    if chosen is not None and not isinstance(chosen, Mapping):
        raise GraphError("controls", f"a map of controls, not {type(chosen).__name__}")
    return JsonGraph(
        graph, _fs(config.get("fs")), check_name(config.get("name", "FDN"), "name"), sliders(chosen)
    )


def _check_version(version: object) -> None:
    if version is None:
        raise GraphError("faustwire", f"the version is missing; write {JSON_VERSION}")
    if isinstance(version, bool) or version != JSON_VERSION:
        raise GraphError(
            "faustwire", f"version {shown(version)}; this program reads {JSON_VERSION}"
        )


def _fs(fs: object) -> float:
    if isinstance(fs, bool) or not isinstance(fs, (int, float)):
        raise GraphError("fs", f"the sampling rate is a number in Hz, not {shown(fs)}")
    if not is_finite(fs):
        raise GraphError("fs", f"a sampling rate of {shown(fs)} Hz")
    if problem := rate_problem(fs):
        raise GraphError("fs", problem)
    return float(fs)


def _listed(plain: Any) -> Any:
    if isinstance(plain, dict):
        return {key: _listed(value) for key, value in plain.items()}
    if isinstance(plain, list):
        return [_listed(value) for value in plain]
    return plain.tolist() if isinstance(plain, np.ndarray) else plain
