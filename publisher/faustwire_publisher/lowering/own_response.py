"""A model's own response at a few frequencies, without running it at all of its bins.

Leaves need a signal of all bins, which is cheap. What a loop makes of a signal would take one
system of equations a bin: it comes from a single pass around the loop, and from the graph.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from flamo.processor import system
from numpy.typing import NDArray
from torch import nn

from faustwire import graph
from faustwire.graph import Node
from faustwire_publisher.lowering.transfer import Response, transfer

# As they were when this was imported: containers that compute something else are run as they are.
_FORWARD: dict[type[nn.Module], Any] = {
    kind: kind.forward for kind in (system.Series, nn.Sequential, system.Parallel, system.Recursion)
}


class OwnResponse:
    """What a model makes of a signal, at a few of its bins."""

    def __init__(self, core: nn.Module, bins: NDArray[np.int64], delay: Response) -> None:
        """Prepare.

        Args:
            core: a FLAMO module or container in the frequency domain, with ``nfft``.
            bins: at which, [frequencies].
            delay: z⁻¹ at these, [frequencies].
        """
        parameter = next(core.parameters())
        nfft: Any = core.nfft
        self._delay = delay
        self._length = nfft // 2 + 1
        self._at = torch.as_tensor(bins, device=parameter.device)
        self._dtype = torch.complex128 if parameter.dtype == torch.float64 else torch.complex64

    def of(self, module: Any, node: Node | None, signal: Response) -> Response:
        """Send a signal through a module.

        Args:
            module: the module.
            node: what it was lowered to; None: it changes nothing, or that is not known.
            signal: [frequencies, n_in].

        Returns:
            What comes out, [frequencies, n_out]; of containers of FLAMO's own, what their parts
            make of it.
        """
        kind = _computes_as(module)
        if kind in (system.Series, nn.Sequential) and isinstance(node, graph.Series):
            return self._in_row(module, node, signal)
        if kind is system.Parallel and isinstance(node, graph.Parallel):
            return self._beside(module, node, signal)
        if kind is system.Recursion and isinstance(node, graph.Recursion):
            return self._around(module, node, signal)
        return self._through(module, signal)

    def _in_row(self, module: Any, node: graph.Series, signal: Response) -> Response:
        """What comes out of modules one after the other."""
        parts = {part.name: part for part in node.nodes}
        for key, child in module.named_children():
            signal = self.of(child, parts.get(key), signal)
        return signal

    def _beside(self, module: Any, node: graph.Parallel, signal: Response) -> Response:
        branches = zip((module.branchA, module.branchB), node.nodes, strict=True)
        outputs = [self.of(branch, below, signal) for branch, below in branches]
        return outputs[0] + outputs[1] if module.sum_output else np.hstack(outputs)

    def _around(self, module: Any, node: graph.Recursion, signal: Response) -> Response:
        """What comes out of a loop.

        It is y where y = F(x + B·y). With the graph's y on the right the left is another by r, and
        y itself by (I − F·B)⁻¹·r.
        """
        forward, back = transfer(node.forward, self._delay), transfer(node.feedback, self._delay)
        loop = np.eye(forward.shape[1]) - forward @ back
        expected = _solved(loop, _applied(forward, signal))
        returned = self.of(module.feedback, node.feedback, expected)
        passed = self.of(module.feedforward, node.forward, signal + returned)
        return expected + _solved(loop, passed - expected)

    def _through(self, module: nn.Module, signal: Response) -> Response:
        """What the module's own forward makes of a signal that is zero at all other bins."""
        given = torch.as_tensor(signal, device=self._at.device).to(self._dtype)[None]
        if getattr(module, "is_freq_independent", False):  # FLAMO's word: any bins will do
            return _array(module(given)[0])
        whole = given.new_zeros(1, self._length, signal.shape[1])
        whole[0, self._at] = given[0]
        return _array(module(whole)[0, self._at])


def _computes_as(module: Any) -> type[nn.Module] | None:
    """The container of FLAMO's own that a module computes as; None: it is none."""
    forward = type(module).forward
    own = (kind for kind in _FORWARD if isinstance(module, kind))
    return next((kind for kind in own if forward is _FORWARD[kind]), None)


def _array(values: torch.Tensor) -> Response:
    array: NDArray[Any] = values.numpy(force=True)
    return array.astype(np.complex128)


def _applied(matrices: Response, signal: Response) -> Response:
    return np.asarray((matrices @ signal[:, :, None])[:, :, 0])


def _solved(matrices: Response, signal: Response) -> Response:
    solved: Any = np.linalg.solve(matrices, signal[:, :, None])
    return np.asarray(solved[:, :, 0])
