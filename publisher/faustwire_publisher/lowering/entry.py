"""Entry points: lower a whole model and check the result."""

from __future__ import annotations

from typing import Any, NamedTuple

import torch

from faustwire.config_file import to_json
from faustwire.errors import GraphError, NonFiniteError
from faustwire.graph import Node
from faustwire.validation import check
from faustwire_publisher.errors import ModelError
from faustwire_publisher.lowering.deferred import Deferred, using
from faustwire_publisher.lowering.registry import lower_child
from faustwire_publisher.lowering.remarks import collected
from faustwire_publisher.lowering.response_check import response_remark

ROOT = "model"


class Lowered(NamedTuple):
    """A model as a graph, and what there is to say about it.

    Attributes:
        graph: the graph.
        remarks: warnings, one line each, with the path of the module.
    """

    graph: Node
    remarks: tuple[str, ...]


def lower_with_remarks(model: Any, fs: float) -> Lowered:
    """Convert a model as ``lower`` does, and check what it was designed for.

    Args:
        model: as for ``lower``.
        fs: sampling rate in Hz of the signal that the program will process.

    Returns:
        The graph, and warnings: leaves with another sampling rate, transforms that are left out,
        and, once for each structure, a model whose own response is another than the graph's.

    Raises:
        NonFiniteError: as ``lower``.
        ModelError: as ``lower``.
    """
    with collected(fs) as remarks:
        graph = lower(model)
    off = response_remark(model, graph)
    return Lowered(graph, (*remarks.lines(), *([] if off is None else [f"at {ROOT}: {off}"])))


def lower(model: Any, deferred: Deferred | None = None) -> Node:
    """Convert a model, with its present parameters, to a graph with the same response.

    The model is only read, not copied, patched or moved. The graph has its own copy of all values,
    so training may continue at once.

    Args:
        model: a FLAMO module, container or ``Shell``, a ``HomogeneousFDN``, or any module that
            has a rule in the registry.
        deferred: what ``defer`` copied earlier; the graph is then that of the earlier moment.

    Returns:
        The graph, validated. Its nodes are named by the model's own keys; the root is ``model``.

    Raises:
        NonFiniteError: a value is NaN or infinite; has its path in the model.
        ModelError: a module can't be lowered, or the system can't be played; has the path in the
            model.
    """
    # Some designs (AccurateGEQ) run an optimiser of their own, which inference mode forbids.
    with torch.inference_mode(False), torch.no_grad(), using(deferred or {}):
        node = lower_child(model, ROOT)
    if node is None:
        raise ModelError(ROOT, "it holds no module that processes a signal; pass the FLAMO model")
    try:
        check(node)
    except NonFiniteError:
        raise
    except GraphError as error:
        raise ModelError(error.path, error.problem) from None
    return node


def flamo_to_json(model: Any, fs: float, *, name: str = "FDN") -> dict[str, Any]:
    """Convert a model to a config, which ``json_to_faust`` turns into a Faust program.

    Args:
        model: a FLAMO module, container or ``Shell``.
        fs: sampling rate in Hz of the signal that the program will process.
        name: of the program.

    Returns:
        The graph as a dict that ``json.dumps`` takes and a person can edit.

    Raises:
        NonFiniteError: a parameter is NaN or infinite; has its path in the model.
        ModelError: a module can't be lowered, or the system can't be played; has the path.
    """
    return to_json(lower(model), fs, name)
