"""Modules of FLAMO's development branch, by name, as far as its public examples tell.

``MultiHouseholderMatrix(size, num_reflections)``, and the filters of grouped FDNs, ``parallelGFDN``
and a kind. The filters have the rules of their siblings without groups; the matrix is measured, in
whatever order its reflections are. Channels, ranks and the model's own response are compared as
always.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from faustwire import graph
from faustwire_publisher.errors import RefusalError
from faustwire_publisher.lowering.designs import cascade, parametric
from faustwire_publisher.lowering.gains import diagonal
from faustwire_publisher.lowering.registry import lowers
from faustwire_publisher.lowering.reverb import first_order_shelving
from faustwire_publisher.lowering.tensors import values

# Reflections in single precision; a matrix that is not orthogonal is no product of them.
_ORTHOGONAL_WITHIN = 1e-4

_REVERB = "flamo.auxiliary.reverb"
lowers(f"{_REVERB}.parallelGFDNGEQ")(cascade)
lowers(f"{_REVERB}.parallelGFDNPEQ")(parametric)
lowers(f"{_REVERB}.parallelGFDNFirstOrderShelving")(first_order_shelving)
lowers(f"{_REVERB}.parallelGFDNScalar")(diagonal)


class _OneBin:
    """A leaf that takes signals of a single frequency, as its ``forward`` sees it."""

    def __init__(self, leaf: Any) -> None:
        self._leaf = leaf

    def check_input_shape(self, x: torch.Tensor) -> None:
        """Nothing to check: FLAMO's own wants all frequencies."""

    def __getattr__(self, name: str) -> Any:
        return getattr(self._leaf, name)


@lowers("flamo.processor.dsp.MultiHouseholderMatrix")
def multi_householder(leaf: Any, name: str) -> graph.Gain:
    """A product of Householder reflections: [n, n], what its ``forward`` makes of unit vectors.

    Args:
        leaf: the module, of n channels.
        name: its key in the module that holds it.

    Returns:
        The matrix.

    Raises:
        RefusalError: it is no orthogonal matrix of n channels.
    """
    size = leaf.input_channels
    dtype = torch.complex128 if leaf.param.dtype == torch.float64 else torch.complex64
    unit = torch.eye(size, dtype=dtype, device=leaf.param.device)
    matrix = values(type(leaf).forward(_OneBin(leaf), unit[None, None]))
    matrix = matrix.reshape(matrix.shape[-2:])
    off = np.abs(matrix @ matrix.T - np.eye(len(matrix))).max()
    if not off <= _ORTHOGONAL_WITHIN and np.isfinite(matrix).all():
        raise RefusalError(
            f"its matrix is off an orthogonal one by {off:.3g}, and reflections give one: this is "
            f"another {type(leaf).__name__} than the one that faustwire knows; register a rule for "
            "it (docs/models.md, Modules of your own)"
        )
    return graph.Gain(name, matrix)
