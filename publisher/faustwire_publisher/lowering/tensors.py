"""Tensors as real numpy arrays, detached and on the CPU."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from faustwire_publisher.errors import RefusalError


def values(tensor: torch.Tensor) -> NDArray[Any]:
    """Copy a tensor's values to the CPU, in its own precision; memory may be shared.

    Args:
        tensor: any shape, dtype and device. A complex one must have imaginary part 0: FLAMO stores
            some real values so.

    Returns:
        A real array. Nodes of ``faustwire.graph`` copy it, so it may be a view.

    Raises:
        RefusalError: an imaginary part is not 0.
    """
    if tensor.dtype == torch.bfloat16:  # the one floating type that numpy doesn't have
        tensor = tensor.float()
    array = tensor.numpy(force=True)
    if array.dtype.kind == "c":
        if np.any(array.imag != 0):
            raise RefusalError("its values are complex; give it a map that returns real ones")
        array = array.real
    return array
