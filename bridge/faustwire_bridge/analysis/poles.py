"""The poles of filters in a graph."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from faustwire.graph import SOS, Node, leaves
from faustwire_bridge.analysis.transfer import Spectrum


def section_poles(leaf: SOS) -> Spectrum:
    """The poles of all sections: [poles], two of each."""
    a1, a2 = np.moveaxis(leaf.sections, 1, 0)[4:]
    # Without the difference of nearly equal numbers.
    root = np.sqrt((a1**2 / 4 - a2).astype(np.complex128))
    first = -a1 / 2 - np.where(a1 >= 0, root, -root)
    second = np.divide(a2, first, out=np.zeros_like(first), where=first != 0)
    return np.concatenate([first.ravel(), second.ravel()])


def filter_poles(graph: Node) -> NDArray[np.complex128]:
    """The poles of all filters anywhere in a graph: [poles]."""
    poles = [section_poles(leaf) for leaf in leaves(graph) if isinstance(leaf, SOS)]
    return np.concatenate([np.zeros(0, np.complex128), *poles])


def outermost_pole(leaf: SOS) -> float:
    """The largest modulus of a pole of a filter."""
    return float(abs(section_poles(leaf)).max())
