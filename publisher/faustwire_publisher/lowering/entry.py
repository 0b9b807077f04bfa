"""The way in: a whole model, lowered and checked."""

from __future__ import annotations

from typing import Any

import torch

from faustwire.config_file import to_json
from faustwire.errors import GraphError, NonFiniteError
from faustwire.graph import Node
from faustwire.validation import check
from faustwire_publisher.errors import ModelError
from faustwire_publisher.lowering.deferred import Taken, using
from faustwire_publisher.lowering.registry import lower_child

ROOT = "model"


def lower(model: Any, taken: Taken | None = None) -> Node:
    """The graph that plays what the model does to a signal with its parameters as they are now.

    The model is only read: nothing is copied, patched or moved, and the values of the graph are
    its own, so training may go on at once.

    Args:
        model: a FLAMO module, container or ``Shell``, a ``HomogeneousFDN``, or any module that
            has a rule in the registry.
        taken: what ``take`` copied earlier; the graph is then of that moment.

    Returns:
        The graph, checked. Its names are the model's own keys; its root is called ``model``.

    Raises:
        NonFiniteError: a value is NaN or infinite; it carries the path.
        ModelError: a module that can't be lowered, or a system that can't be played; it carries
            the path in the model.
    """
    # Some designs (AccurateGEQ) run an optimiser of their own, which inference mode forbids.
    with torch.inference_mode(False), torch.no_grad(), using(taken or {}):
        node = lower_child(model, ROOT)
    if node is None:
        raise ModelError(ROOT, "nothing in it does anything to a signal")
    try:
        check(node)
    except NonFiniteError:
        raise
    except GraphError as error:
        raise ModelError(error.path, error.problem) from None
    return node


def flamo_to_json(model: Any, fs: float, *, name: str = "FDN") -> dict[str, Any]:
    """The first of two steps by hand; ``faustwire_bridge.json_to_faust`` is the second.

    Args:
        model: as for ``lower``.
        fs: sampling rate in Hz of the signal that the program will get.
        name: of the program.

    Returns:
        The graph as a dict that ``json.dumps`` takes and a person can edit.

    Raises:
        NonFiniteError: as ``lower``.
        ModelError: as ``lower``.
    """
    return to_json(lower(model), fs, name)
