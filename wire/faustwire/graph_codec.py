"""Graphs as nested dicts and back: the form that msgpack, JSON and hand-written files share.

A node is ``{"type": …, "name": …, <its fields>}``. Arrays stay ndarrays here; how one is written in
a file or on the wire is up to the caller, and nested lists are accepted when a graph is read.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import Any

import numpy as np

from faustwire.errors import GraphError, shown
from faustwire.graph import CONTAINERS, LEAVES, Node, Parallel, Recursion, Series
from faustwire.validation import MAX_DEPTH, check_name

_TYPES: dict[str, Any] = {node.type: node for node in (*LEAVES, *CONTAINERS)}
# Looked up once, because every publish reads and writes nodes.
_FIELDS: dict[str, list[str]] = {
    kind: [field.name for field in fields(node)[1:]] for kind, node in _TYPES.items()
}
_KNOWN = {kind: {"type", "name", *names} for kind, names in _FIELDS.items()}


def to_dicts(node: Node) -> dict[str, Any]:
    """The graph as nested dicts; arrays remain ndarrays and must not be written to."""
    plain: dict[str, Any] = {"type": node.type, "name": node.name}
    match node:
        case Series():
            plain["nodes"] = [to_dicts(child) for child in node.nodes]
        case Parallel():
            plain["nodes"] = [to_dicts(child) for child in node.nodes]
            plain["join"] = node.join
        case Recursion():
            plain["forward"] = to_dicts(node.forward)
            plain["feedback"] = to_dicts(node.feedback)
        case _:
            values = {field: getattr(node, field) for field in _FIELDS[node.type]}
            plain |= {key: array for key, array in values.items() if array is not None}
    return plain


def from_dicts(plain: Any) -> Node:
    """The graph that nested dicts describe; ``validation.check`` is still to be called.

    Raises:
        GraphError: something is not a node, a type or field is unknown, or values are not an array
            of numbers.
    """
    return _node(plain, "$", 1)


def _node(plain: Any, path: str, depth: int) -> Node:
    if depth > MAX_DEPTH:
        raise GraphError(path, f"containers are nested deeper than {MAX_DEPTH}")
    kind, name = _kind_and_name(plain, path)
    path = (name or kind) if path == "$" else f"{path}.{name or kind}"
    if unknown := plain.keys() - _KNOWN[kind]:
        raise GraphError(path, f"unknown field {shown(min(map(str, unknown)))} of {kind}")
    arguments = {
        key: _value(key, value, path, depth)
        for key, value in plain.items()
        if key not in ("type", "name")
    }
    return _made(kind, name, arguments, path)


def _made(kind: str, name: str, arguments: dict[str, Any], path: str) -> Node:
    try:
        node: Node = _TYPES[kind](name=name, **arguments)
    except TypeError:
        required = [field for field in _FIELDS[kind] if field not in arguments]
        raise GraphError(path, f"{kind} needs {', '.join(required)}") from None
    return node


def _kind_and_name(plain: Any, path: str) -> tuple[str, str]:
    if not isinstance(plain, Mapping):
        raise GraphError(path, f"a node is a map, not {type(plain).__name__}")
    kind, name = plain.get("type"), plain.get("name", "")
    if not isinstance(kind, str) or kind not in _TYPES:
        raise GraphError(path, f"unknown type of node {shown(kind)}; known: {', '.join(_TYPES)}")
    return kind, check_name(name, path)


def _value(key: str, value: Any, path: str, depth: int) -> Any:
    if key in ("forward", "feedback"):
        return _node(value, path, depth + 1)
    if key == "nodes":
        if not isinstance(value, (list, tuple)):
            raise GraphError(path, f"nodes is a list, not {type(value).__name__}")
        return tuple(_node(child, path, depth + 1) for child in value)
    if key == "join":
        if not isinstance(value, str):
            raise GraphError(path, f"join is text, not {type(value).__name__}")
        return value
    return _array(key, value, path)


def _array(key: str, value: Any, path: str) -> np.ndarray:
    try:
        array = np.asarray(value)
    except ValueError as ragged:
        raise GraphError(path, f"{key} is ragged: every row needs the same length") from ragged
    if array.dtype.kind not in "fiu":
        raise GraphError(path, f"{key} is not an array of numbers")
    return array
