"""Gains and mixing matrices: values that don't depend on frequency."""

from __future__ import annotations

from typing import Any

import numpy as np
from flamo.functional import AllpassFDNMatrix
from flamo.processor import dsp
from numpy.typing import NDArray

from faustwire import graph
from faustwire_publisher.errors import RefusalError
from faustwire_publisher.lowering.batch import single
from faustwire_publisher.lowering.deferred import parameter
from faustwire_publisher.lowering.registry import lowers
from faustwire_publisher.lowering.tensors import values


# A Matrix sets ``map`` to its construction; replacing the map replaces the matrix.
@lowers(dsp.Gain, dsp.Matrix)
def matrix(leaf: dsp.Gain, name: str) -> graph.Gain:
    """``leaf.map(leaf.param)``: [n_out, n_in], linear.

    Args:
        leaf: the module.
        name: its key in the module that holds it.

    Returns:
        The matrix; one column is repeated for all inputs, as FLAMO does.

    Raises:
        RefusalError: the map returns gains for another number of inputs than the module has.
    """
    gains = single(leaf, values(leaf.map(parameter(leaf))), 2)
    return graph.Gain(name, _inputs(gains, leaf.input_channels))


@lowers(dsp.parallelGain)
def diagonal(leaf: dsp.parallelGain, name: str) -> graph.DiagonalGain:
    """``leaf.map(leaf.param)``: [n], linear.

    Args:
        leaf: the module.
        name: its key in the module that holds it.

    Returns:
        The gains; a single one is repeated for all channels, as FLAMO does.

    Raises:
        RefusalError: the map returns gains for another number of inputs than the module has.
    """
    gains = single(leaf, values(leaf.map(parameter(leaf))), 2)
    return graph.DiagonalGain(name, _inputs(gains, leaf.input_channels))


@lowers(dsp.HouseholderMatrix)
def householder(leaf: dsp.HouseholderMatrix, name: str) -> graph.Householder:
    """I − 2uuᵀ with u = ``leaf.map(leaf.param)``: [n, 1], carried as a complex tensor.

    Args:
        leaf: the module.
        name: its key in the module that holds it.

    Returns:
        The node with u as its vector, [n].
    """
    vectors = single(leaf, values(leaf.map(parameter(leaf))), 2)
    return graph.Householder(name, vectors[:, 0])


@lowers(AllpassFDNMatrix)
def allpass(module: AllpassFDNMatrix, name: str) -> graph.Gain:
    """The feedback matrix of an allpass FDN: [2n, 2n], from two parameters and no map.

    Args:
        module: the matrix; its ``N`` is n.
        name: its key in the module that holds it.

    Returns:
        The matrix, linear.
    """
    return graph.Gain(name, values(module.get_matrix()))


def _inputs(gains: NDArray[Any], n_in: int) -> NDArray[Any]:
    """FLAMO's einsum broadcasts one gain over all inputs, and raises for any other mismatch."""
    if gains.ndim == 0 or gains.shape[-1] == n_in:
        return gains
    if gains.shape[-1] == 1:
        return np.broadcast_to(gains, (*gains.shape[:-1], n_in))
    raise RefusalError(
        f"its map returns {list(gains.shape)}, but it has {n_in} input channels; mend the map"
    )
