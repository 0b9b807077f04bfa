"""Containers: how modules are wired. Names are the keys by which people know the parts."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
from flamo.processor import dsp, system
from torch import nn

from faustwire import graph
from faustwire.graph import Node
from faustwire_publisher.lowering.registry import lower_child, lowers


@lowers(
    dsp.FFT,
    dsp.iFFT,
    dsp.FFTAntiAlias,
    dsp.iFFTAntiAlias,
    nn.Identity,
)
def wire(_module: nn.Module, _name: str) -> None:
    """FLAMO's way of computing, not part of the sound."""


@lowers(system.Series, nn.Sequential)
def series(module: nn.Sequential, name: str) -> Node | None:
    """The children in order; one that stands in it twice is applied twice."""
    # named_children() would leave out the second appearance of a shared module.
    nodes = _nodes(module._modules.items())  # noqa: SLF001
    return graph.Series(name, nodes) if nodes else None


@lowers(system.Parallel)
def parallel(module: system.Parallel, name: str) -> graph.Parallel:
    """Both branches get the input; outputs are summed or concatenated."""
    branches = (
        _branch(module.branchA, "branchA", module.input_channels),
        _branch(module.branchB, "branchB", module.input_channels),
    )
    return graph.Parallel(name, branches, "sum" if module.sum_output else "concatenate")


@lowers(system.Recursion)
def recursion(module: system.Recursion, name: str) -> graph.Recursion:
    """(I − F·G)⁻¹·F: FLAMO adds what comes back, as ``graph.Recursion`` does."""
    return graph.Recursion(
        name,
        _branch(module.feedforward, "feedforward", module.input_channels),
        _branch(module.feedback, "feedback", module.output_channels),
    )


@lowers(system.Shell)
def shell(module: system.Shell, name: str) -> Node | None:
    """Input layer, core, output layer; what only computes or analyses drops out."""
    parts = (
        ("input_layer", module.get_inputLayer()),
        ("core", module.get_core()),
        ("output_layer", module.get_outputLayer()),
    )
    nodes = _nodes(parts)
    return graph.Series(name, nodes) if nodes else None


def _nodes(parts: Iterable[tuple[str, Any]]) -> tuple[Node, ...]:
    lowered = (lower_child(part, key) for key, part in parts)
    return tuple(node for node in lowered if node is not None)


def _branch(part: Any, key: str, channels: int) -> Node:
    """A branch can't drop out: one that does nothing is a wire for each channel."""
    node = lower_child(part, key)
    return graph.DiagonalGain(key, np.ones(channels)) if node is None else node
