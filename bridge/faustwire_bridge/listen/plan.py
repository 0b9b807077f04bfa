"""What the page in the browser plays: a graph as structure (JSON) and values (float64).

A *plan* is a snapshot in the form that the engine in ``page/engine`` runs. Two snapshots of one
training have the same structure nearly always, so the structure is sent once and each snapshot
costs one array of numbers. Filters for fractional delays are designed here, by the same functions
as the program's, so that page and plugin play the same coefficients.

The structure is a dict of plain JSON values::

    {"version": 1, "fs": 48000.0, "inputs": 1, "outputs": 2, "values": 1234, "graph": NODE}

    NODE = {"type": "gain",          "name": str, "out": n, "in": m}
         | {"type": "diagonal_gain", "name": str, "channels": n}
         | {"type": "householder",   "name": str, "channels": n}
         | {"type": "delay",  "name": str, "out": n, "in": m, "entries": bool, "gains": bool,
            "fractional": bool, "loop": bool}
         | {"type": "fir",    "name": str, "out": n, "in": m, "entries": bool, "taps": k}
         | {"type": "sos",    "name": str, "out": n, "in": m, "entries": bool, "sections": k}
         | {"type": "series" | "parallel", "name": str, "nodes": [NODE, ...]}   parallel: + "join"
         | {"type": "recursion", "name": str, "forward": NODE, "feedback": NODE}

``entries`` says whether there is something for each matrix entry or for each channel; ``loop``
whether the node stands inside a recursion. The values of all leaves follow each other in the order
in which the leaves stand in the structure (a recursion's forward path first), each array in C
order, ``paths`` being ``out × in`` with entries and ``out`` without:

=============== =====================================================================
gain            matrix [out, in]
diagonal_gain   gains [channels]
householder     vector [channels]
delay           samples [paths], then gains [paths] if ``gains``, then if ``fractional``
                [paths, 18] in loops: whole samples, order, 16 coefficients of an allpass;
                [paths, 25] elsewhere: delay of the first tap, 24 taps
fir             taps [taps, paths]
sos             sections [sections, 6, paths], b0 b1 b2 a0 a1 a2
=============== =====================================================================
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np

from faustwire.graph import (
    FIR,
    SOS,
    Array,
    Delay,
    DiagonalGain,
    Gain,
    Householder,
    Leaf,
    Node,
    Parallel,
    Recursion,
    Series,
    channels,
    whole,
    whole_samples,
)
from faustwire_bridge.codegen.fractional import MAX_ORDER, TAPS, allpass, interpolator

VERSION = 1

Structure: TypeAlias = dict[str, Any]


@dataclass(frozen=True)
class Plan:
    """A snapshot as the page's engine plays it.

    Attributes:
        structure: plain JSON values; see the module.
        values: [values], float64, what the leaves hold.
    """

    structure: Structure
    values: Array

    def structure_text(self) -> str:
        """The structure as JSON: the same text for the same structure."""
        return json.dumps(self.structure, separators=(",", ":"), sort_keys=True)

    def structure_id(self) -> str:
        """What names the structure: two plans with the same one can glide into each other."""
        return hashlib.sha256(self.structure_text().encode()).hexdigest()[:16]

    def value_bytes(self) -> bytes:
        """The values as little-endian float64."""
        return self.values.astype("<f8", copy=False).tobytes()


def make_plan(graph: Node, fs: float) -> Plan:
    """Turn a graph into what the page plays.

    Args:
        graph: one that ``faustwire.validation.check`` accepts.
        fs: sampling rate in Hz that the delays were made for.

    Returns:
        The plan.
    """
    values: list[Array] = []
    node = _node(graph, values, in_loop=False)
    n_in, n_out = channels(graph)
    joined = np.concatenate(values)
    structure = {
        "version": VERSION,
        "fs": float(fs),
        "inputs": n_in,
        "outputs": n_out,
        "values": len(joined),
        "graph": node,
    }
    return Plan(structure, joined)


def _node(node: Node, values: list[Array], *, in_loop: bool) -> Structure:
    """The node's structure; its leaves' arrays are appended to ``values``."""
    head = {"type": node.type, "name": node.name}
    match node:
        case Series():
            return head | {"nodes": [_node(n, values, in_loop=in_loop) for n in node.nodes]}
        case Parallel():
            nodes = [_node(n, values, in_loop=in_loop) for n in node.nodes]
            return head | {"join": node.join, "nodes": nodes}
        case Recursion():
            forward = _node(node.forward, values, in_loop=True)
            return head | {
                "forward": forward,
                "feedback": _node(node.feedback, values, in_loop=True),
            }
        case _:
            return head | _leaf(node, values, in_loop=in_loop)


def _leaf(leaf: Leaf, values: list[Array], *, in_loop: bool) -> Structure:
    n_in, n_out = channels(leaf)
    size = {"out": n_out, "in": n_in}
    match leaf:
        case Gain(matrix=array):
            values.append(array.ravel())
            return size
        case DiagonalGain(gains=array) | Householder(vector=array):
            values.append(array.ravel())
            return {"channels": n_in}
        case FIR(taps=array):
            values.append(array.ravel())
            return size | {"entries": array.ndim == 3, "taps": len(array)}
        case SOS(sections=array):
            values.append(array.ravel())
            return size | {"entries": array.ndim == 4, "sections": len(array)}
        case Delay():
            return size | _delay(leaf, values, in_loop=in_loop)


def _delay(leaf: Delay, values: list[Array], *, in_loop: bool) -> Structure:
    samples = leaf.samples.ravel()
    values.append(samples)
    if leaf.gains is not None:
        values.append(leaf.gains.ravel())
    fractional = bool(whole_samples(samples)[1].any())
    if fractional:
        design = _in_loop if in_loop else _outside
        values.append(np.array([design(m) for m in samples.tolist()]).ravel())
    return {
        "entries": leaf.samples.ndim == 2,
        "gains": leaf.gains is not None,
        "fractional": fractional,
        "loop": in_loop,
    }


def _in_loop(samples: float) -> list[float]:
    """[18]: whole samples, order, and the allpass's coefficients, zeros behind them."""
    nearest = whole(samples)
    if nearest is not None:
        return [float(nearest), 0.0, *[0.0] * MAX_ORDER]
    steps, coefficients = allpass(samples)
    rest = [0.0] * (MAX_ORDER - len(coefficients))
    return [float(steps), float(len(coefficients)), *coefficients, *rest]


def _outside(samples: float) -> list[float]:
    """[25]: the delay of the first tap, and the interpolator's taps."""
    nearest = whole(samples)
    if nearest is not None:
        return [float(nearest), 1.0, *[0.0] * (TAPS - 1)]
    first, taps = interpolator(samples)
    return [float(first), *taps]
