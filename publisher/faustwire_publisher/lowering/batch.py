"""The leading batch dimension that parameters have in FLAMO's development version."""

from __future__ import annotations

from typing import Any, TypeVar

from faustwire_publisher.errors import RefusalError

# A tensor or an array.
_Values = TypeVar("_Values", bound=Any)


def single(leaf: Any, values: _Values, rank: int) -> _Values:
    """Drop a leading dimension of size one, if there is one dimension too many.

    Args:
        leaf: the module that the values belong to.
        values: a tensor or an array.
        rank: how many dimensions it has in FLAMO 0.2.20, for a leaf with an entry for each output
            and input. Leaves whose class, or a base of it, is called ``parallel…`` have one less.

    Returns:
        The values without the dimension for the batch.

    Raises:
        RefusalError: there are several sets of values.
    """
    rank -= any(kind.__name__.startswith("parallel") for kind in type(leaf).__mro__)
    if values.ndim != rank + 1:
        return values
    if len(values) != 1:
        raise RefusalError(
            f"it has a batch of {len(values)} sets of parameters, and a program plays one: publish "
            "a model with batch_size=1, or assign it the set that you want to hear"
        )
    only: _Values = values[0]
    return only
