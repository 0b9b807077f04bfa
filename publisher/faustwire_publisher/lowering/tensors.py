"""Tensors as arrays: off the graph, off the device, real."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from faustwire_publisher.errors import RefusalError


def values(tensor: torch.Tensor) -> NDArray[Any]:
    """The tensor's values on the CPU, in its own precision; may share its memory.

    Args:
        tensor: any shape, dtype and device; a complex one must have no imaginary part, which is
            how FLAMO carries some real values.

    Returns:
        A real array. Nodes of ``faustwire.graph`` copy it, so it may be a view.

    Raises:
        RefusalError: the values are complex.
    """
    if tensor.dtype == torch.bfloat16:  # the one floating type that numpy doesn't have
        tensor = tensor.float()
    array = tensor.numpy(force=True)
    if array.dtype.kind == "c":
        if np.any(array.imag != 0):
            raise RefusalError("its values are complex; a signal needs real ones")
        array = array.real
    return array
