"""Second-order sections: every recursive filter of FLAMO is a cascade of them."""

from __future__ import annotations

import numpy as np
from flamo.processor import dsp
from numpy.typing import NDArray

from faustwire import graph
from faustwire_publisher.errors import RefusalError
from faustwire_publisher.lowering.batch import single
from faustwire_publisher.lowering.deferred import parameter
from faustwire_publisher.lowering.registry import lowers
from faustwire_publisher.lowering.tensors import values

# FLAMO computes most coefficients in single precision: poles and zeros that cancel in real
# arithmetic differ by a few roundings of it.
CANCELS = 8 * float(np.finfo(np.float32).eps)


@lowers(dsp.SOSFilter, dsp.parallelSOSFilter)
def given_sections(leaf: dsp.SOSFilter, name: str) -> graph.SOS:
    """``leaf.map(leaf.param)``: [sections, 6, …channels], b0 b1 b2 a0 a1 a2.

    Args:
        leaf: the module; its map gives the coefficients, channels [n] or [n_out, n_in].
        name: its key in the module that holds it.

    Returns:
        The coefficients, divided by a0.

    Raises:
        RefusalError: a section is unstable.
    """
    return sos(name, single(leaf, values(leaf.map(parameter(leaf))), 4).astype(np.float64))


def sos(name: str, sections: NDArray[np.float64]) -> graph.SOS:
    """Make a stable cascade of coefficients that need not be normalised.

    Args:
        name: of the node.
        sections: [sections, 6, …channels], float64, b0 b1 b2 a0 a1 a2 each.

    Returns:
        The node, with a0 = 1.

    Raises:
        RefusalError: a section is unstable: a pole lies on or outside the unit circle.
    """
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        sections = sections / sections[:, 3:4]
    if not _stable(sections).all() and np.isfinite(sections).all():
        _repair(sections)
    return graph.SOS(name, sections)


def _stable(sections: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Whether both poles lie inside the unit circle, with a0 = 1: the stability triangle."""
    a1, a2 = sections[:, 4], sections[:, 5]
    stable: NDArray[np.bool_] = (np.abs(a2) < 1) & (np.abs(a1) < 1 + a2)
    return stable


def _repair(sections: NDArray[np.float64]) -> None:
    """Remove unstable poles that zeros cancel, in place; refuse the remaining unstable sections.

    Designs reach such limits in training: a cutoff is clamped to 0 or half the sampling rate.
    """
    cascades = np.moveaxis(sections, 1, -1)  # [sections, …channels, 6], the same memory
    for where in np.argwhere(~_stable(sections)):
        coefficients = cascades[tuple(where)]
        b, a = coefficients[:3], coefficients[3:]
        gain = b[0]
        if np.abs(b - gain * a).max() > CANCELS * np.abs(gain):
            raise RefusalError(_unstable(where.tolist(), a))
        coefficients[:] = gain, 0, 0, 1, 0, 0


def _unstable(where: list[int], a: NDArray[np.float64]) -> str:
    section, *entry = where
    radius = float(np.abs(np.roots(a)).max())
    channel = f"channel {entry[0]}" if len(entry) == 1 else f"output {entry[0]} input {entry[1]}"
    return (
        f"section {section} of {channel} is unstable: a pole of radius {radius:.9g} "
        "lies on or outside the unit circle; keep its parameters where the filter is stable"
    )
