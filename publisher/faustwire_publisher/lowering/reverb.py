"""``flamo.auxiliary.reverb``, by name: importing it loads a computer algebra system."""

from __future__ import annotations

from typing import Any

import numpy as np

from faustwire import graph
from faustwire_publisher.lowering.batch import single
from faustwire_publisher.lowering.containers import shell
from faustwire_publisher.lowering.registry import lowers
from faustwire_publisher.lowering.sections import sos
from faustwire_publisher.lowering.tensors import values


@lowers("flamo.auxiliary.reverb.HomogeneousFDN")
def homogeneous_fdn(fdn: Any, name: str) -> graph.Node | None:
    """Not a module itself; it trains the shell ``model``.

    Args:
        fdn: the object that holds the shell.
        name: its key in the module that holds it.

    Returns:
        What ``shell`` makes of it; None where it has no node.

    Raises:
        ModelError: a module in the shell can't be lowered; the path starts with that module's key.
        RefusalError: the norm of the shell's FFT, or of the inverse, is not "backward", "ortho" or
            "forward".
    """
    return shell(fdn.model, name)


@lowers("flamo.auxiliary.reverb.parallelFirstOrderShelving")
def first_order_shelving(leaf: Any, name: str) -> graph.SOS:
    """The map itself returns the coefficients: b and a, [2, n] each.

    Args:
        leaf: the module, of n channels.
        name: its key in the module that holds it.

    Returns:
        [1, 6, n], a0 = 1: one section a channel, with b2 = a2 = 0.

    Raises:
        RefusalError: a section is unstable.
    """
    b, a = (single(leaf, values(part), 3) for part in leaf.map(leaf.param))
    zero = np.zeros_like(b[:1])
    return sos(name, np.concatenate((b, zero, a, zero), dtype=np.float64)[None])
