"""``flamo.auxiliary.reverb``, by name: importing it loads a computer algebra system."""

from __future__ import annotations

from typing import Any

import numpy as np

from faustwire import graph
from faustwire_publisher.lowering.containers import shell
from faustwire_publisher.lowering.registry import lowers
from faustwire_publisher.lowering.sections import sos
from faustwire_publisher.lowering.tensors import values


@lowers("flamo.auxiliary.reverb.HomogeneousFDN")
def homogeneous_fdn(fdn: Any, name: str) -> graph.Node | None:
    """Not a module itself; it trains the shell ``model``."""
    return shell(fdn.model, name)


@lowers("flamo.auxiliary.reverb.parallelFirstOrderShelving")
def first_order_shelving(leaf: Any, name: str) -> graph.SOS:
    """The map itself returns the coefficients: b and a, [2, n] each."""
    b, a = (values(coefficients) for coefficients in leaf.map(leaf.param))
    zero = np.zeros_like(b[:1])
    return sos(name, np.concatenate((b, zero, a, zero), dtype=np.float64)[None])
