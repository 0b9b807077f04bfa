"""Containers: how modules are wired. Nodes are named by the keys of the modules."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, TypeAlias

import numpy as np
from flamo.processor import dsp, system
from torch import nn
from torch.optim.swa_utils import AveragedModel

from faustwire import graph
from faustwire.graph import Node, channels
from faustwire_publisher.errors import ModelError, RefusalError
from faustwire_publisher.lowering import remarks
from faustwire_publisher.lowering.registry import looks_through, lower_child, lowers
from faustwire_publisher.lowering.remarks import remark
from faustwire_publisher.lowering.transforms import transform

Parts: TypeAlias = Iterable[tuple[str, nn.Module]]


@lowers(
    dsp.FFT,
    dsp.iFFT,
    dsp.FFTAntiAlias,
    dsp.iFFTAntiAlias,
    nn.Identity,
)
def wire(_module: nn.Module, _name: str) -> None:
    """Part of FLAMO's computation, not of the response.

    Args:
        _module: an FFT, its inverse, or an identity.
        _name: its key in the module that holds it.
    """


@lowers(dsp.Transform)
def lone_transform(module: dsp.Transform, name: str) -> Node | None:
    """A transform outside of a series; its channels are known only if it has the attribute.

    Args:
        module: the transform.
        name: its key in the module that holds it.

    Returns:
        The mixing matrix [n_out, n_in]; None where it is the identity.

    Raises:
        RefusalError: it does more than mix channels, or their number is not known.
    """
    return transform(module, name, getattr(module, "input_channels", None))


@lowers(system.Series, nn.Sequential)
def series(module: nn.Sequential, name: str) -> Node | None:
    """The children in order; a child that is held twice is applied twice.

    Args:
        module: the container.
        name: its key in the module that holds it.

    Returns:
        The nodes of the children that change the signal; None where none does.

    Raises:
        ModelError: a module in it can't be lowered; the path starts with that module's key.
    """
    nodes = _chain(_children(module), _inputs(module))
    return graph.Series(name, nodes) if nodes else None


@lowers(system.Parallel)
def parallel(module: system.Parallel, name: str) -> graph.Parallel:
    """Both branches get the input; outputs are summed or concatenated.

    Args:
        module: the container, n_in → n_out channels.
        name: its key in the module that holds it.

    Returns:
        Branch A and branch B; one that passes its input on unchanged becomes gains of 1.

    Raises:
        ModelError: a module in it can't be lowered; the path starts with that module's key.
    """
    branches = (
        _branch(module.branchA, "branchA", module.input_channels),
        _branch(module.branchB, "branchB", module.input_channels),
    )
    return graph.Parallel(name, branches, "sum" if module.sum_output else "concatenate")


@lowers(system.Recursion)
def recursion(module: system.Recursion, name: str) -> graph.Recursion:
    """(I − F·G)⁻¹·F: FLAMO adds what comes back, as ``graph.Recursion`` does.

    Args:
        module: the container; its feedforward path F is n_in → n_out channels, its feedback path
            G is n_out → n_in.
        name: its key in the module that holds it.

    Returns:
        Both paths; one that passes its input on unchanged becomes gains of 1.

    Raises:
        ModelError: a module in it can't be lowered; the path starts with that module's key.
    """
    return graph.Recursion(
        name,
        _branch(module.feedforward, "feedforward", module.input_channels),
        _branch(module.feedback, "feedback", module.output_channels),
    )


@lowers(system.Shell)
def shell(module: system.Shell, name: str) -> Node | None:
    """Input layer, core, output layer.

    The layers compute and analyse: their transforms that aren't a mix of channels (a magnitude, a
    window) are no part of the response. All other modules in them are.

    Args:
        module: the shell.
        name: its key in the module that holds it.

    Returns:
        The nodes of the parts that change the signal, and the gain of the FFT and its inverse where
        their norms differ; None where no part has a node.

    Raises:
        ModelError: a module in it can't be lowered; the path starts with that module's key.
        RefusalError: the norm of its FFT, or of the inverse, is not "backward", "ortho" or
            "forward".
    """
    nodes: list[Node] = []
    for key, part, n_in in (
        ("input_layer", module.get_inputLayer(), module.input_channels),
        ("core", module.get_core(), None),
        ("output_layer", module.get_outputLayer(), _inputs(module.get_core(), "output_channels")),
    ):
        node = lower_child(part, key) if key == "core" else _layer(part, key, n_in)
        if node is not None:
            nodes.append(node)
    scale = _norm(module.get_inputLayer(), module.get_outputLayer())
    if nodes and scale != 1:
        n_out = channels(nodes[-1])[1]
        nodes.append(graph.DiagonalGain("norm", np.full(n_out, scale)))
    return graph.Series(name, tuple(nodes)) if nodes else None


@looks_through
@lowers(
    nn.DataParallel,
    nn.parallel.DistributedDataParallel,
    AveragedModel,
    "torch._dynamo.eval_frame.OptimizedModule",
    "lightning.fabric.wrappers._FabricModule",
    "lightning_fabric.wrappers._FabricModule",
)
def wrapper(module: nn.Module, name: str) -> Node | None:
    """The module inside a wrapper: several devices, compiled, averaged, Fabric's.

    Args:
        module: the wrapper.
        name: its key in the module that holds it.

    Returns:
        A Series of the wrapped module's node; None where that module changes nothing.

    Raises:
        ModelError: a module in it can't be lowered; the path starts with that module's key.
    """
    key = "_orig_mod" if "_orig_mod" in module._modules else "module"  # noqa: SLF001
    nodes = _chain([(key, getattr(module, key))], None)
    return graph.Series(name, nodes) if nodes else None


_FOURIER = (dsp.FFT, dsp.FFTAntiAlias, dsp.iFFT, dsp.iFFTAntiAlias)

# What an FFT of n points scales by, as a power of n; its inverse, by the same divided.
_NORMS = {"backward": 0.0, "ortho": -0.5, "forward": -1.0}


def _norm(into: nn.Module, out: nn.Module) -> float:
    """The gain of a transform and its inverse: 1 unless their norms differ."""
    transforms: list[Any] = [*_parts(into), *_parts(out)]
    forward = [part for part in transforms if type(part) in (dsp.FFT, dsp.FFTAntiAlias)]
    inverse = [part for part in transforms if type(part) in (dsp.iFFT, dsp.iFFTAntiAlias)]
    if len(forward) != 1 or len(inverse) != 1:
        return 1.0
    for part in (forward[0], inverse[0]):
        if part.norm not in _NORMS:
            raise RefusalError(
                f"the norm of its {type(part).__name__} is {part.norm!r}; its second argument is "
                "the norm, so name the others: alias_decay_db=…"
            )
    power = _NORMS[forward[0].norm] - _NORMS[inverse[0].norm]
    return float(forward[0].nfft ** power)


def _parts(layer: nn.Module) -> Iterable[nn.Module]:
    return layer if isinstance(layer, nn.Sequential) else (layer,)


def _layer(module: nn.Module, key: str, n_in: int | None) -> Node | None:
    if isinstance(module, nn.Sequential) and type(module) in (system.Series, nn.Sequential):
        with remarks.within(key):
            nodes = _chain(_children(module), n_in, layer=key)
        return graph.Series(key, nodes) if nodes else None
    nodes = _chain([(key, module)], n_in, layer=key)
    return nodes[0] if nodes else None


def _chain(parts: Parts, n_in: int | None, *, layer: str | None = None) -> tuple[Node, ...]:
    """Lower modules in the order of the signal.

    Args:
        parts: the modules and their keys.
        n_in: number of input channels; None: not known.
        layer: which of a Shell's layers they are; None: neither.

    Returns:
        The nodes of those that change the signal.
    """
    nodes: list[Node] = []
    # A Shell computes in time before its first transform and after its last.
    in_time = layer == "input_layer"
    for key, part in parts:
        in_time = in_time != (type(part) in _FOURIER)
        if type(part) is dsp.Transform:
            n = channels(nodes[-1])[1] if nodes else n_in
            node = _transform(part, key, n, analyses=layer is not None, in_time=in_time)
        else:
            node = lower_child(part, key)
        if node is not None:
            nodes.append(node)
    return tuple(nodes)


def _transform(
    module: dsp.Transform, key: str, n_in: int | None, *, analyses: bool, in_time: bool
) -> Node | None:
    try:
        return transform(module, key, n_in)
    except RefusalError as refusal:
        if analyses:
            if in_time:
                remark(
                    "this transform of a Shell's layer changes the signal in time, and is not "
                    "published: the plugin plays the model without it",
                    key,
                )
            return None
        raise ModelError(key, str(refusal)) from refusal.__cause__


def _branch(part: nn.Module, key: str, n: int) -> Node:
    """Lower a branch, which can't be left out: one that does nothing becomes gains of 1."""
    node = lower_child(part, key)
    return graph.DiagonalGain(key, np.ones(n)) if node is None else node


def _children(module: nn.Sequential) -> Parts:
    # named_children() would leave out the second appearance of a shared module.
    return module._modules.items()  # noqa: SLF001


def _inputs(module: nn.Module, side: str = "input_channels") -> int | None:
    count: int | None = getattr(module, side, None)
    return count
