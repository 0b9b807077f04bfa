"""Values that are NaN or infinite: which, why, and what to do."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from faustwire.errors import NonFiniteError
from faustwire.graph import Node

_UNCLEAR = (
    "its parameters are finite, so its map leaves the range in which it works: a root or a "
    "logarithm of a negative number, a division by 0, or more than its precision holds; "
    "clamp what goes into it"
)


def check_values(module: Any, node: Node) -> None:
    """Check that the values that a module was lowered to are finite.

    Args:
        module: the module.
        node: what it was lowered to.

    Raises:
        NonFiniteError: a value is not; says whether a parameter is the cause. Its path is empty.
    """
    for field, values in vars(node).items():
        if not isinstance(values, np.ndarray):
            continue
        # Half the time that all() takes.
        if np.count_nonzero(np.isfinite(values)) < values.size:
            where = tuple(map(int, np.argwhere(~np.isfinite(values))[0]))
            found = f"{field}{list(where)} is {values[where]}"
            raise NonFiniteError("", f"{found}: {diverged(module) or _UNCLEAR}")


def diverged(module: Any) -> str | None:
    """Which parameter of a module itself is not finite, and what to do.

    Args:
        module: the module.

    Returns:
        A sentence; None: all of them are finite.
    """
    for name, parameter in getattr(module, "_parameters", {}).items():
        if parameter is None or bool(torch.isfinite(parameter.detach()).all()):
            continue
        wrong = (~torch.isfinite(parameter.detach())).nonzero()[0].tolist()
        return (
            f"its parameter {name}{wrong} is {float(parameter.detach()[tuple(wrong)]):g}: the "
            "training has diverged there; lower the learning rate, or clip the gradients"
        )
    return None
