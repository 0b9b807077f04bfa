"""A FLAMO model with a config's values: the way back from a graph into training."""

from __future__ import annotations

import warnings
from collections import OrderedDict
from collections.abc import Iterable, Mapping
from typing import Any, TypeAlias

import numpy as np
import torch
from flamo.processor import dsp, system
from numpy.typing import NDArray
from torch import nn

from faustwire import graph
from faustwire.config_file import from_json
from faustwire.errors import GraphError
from faustwire.graph import Node, whole_samples

# FLAMO rounds |u| to the precision of the parameter; a vector that is farther from 1 is no
# reflection, and stays a matrix.
_UNIT_NORM = 1e-6
# Softplus, through which FLAMO sends delays that are trained, never gives 0; this counts as whole.
_SHORTEST_DELAY = 1e-9
# FLAMO's own default: the unit of a delay's parameter is a hundredth of a second.
_UNIT = 100
# Attributes that FLAMO's containers set on themselves can't be keys of modules.
_RESERVED = frozenset(
    {"nfft", "alias_decay_db", "device", "dtype", "input_channels", "output_channels"}
)

Parts: TypeAlias = Iterable[tuple[str, nn.Module]]


def json_to_flamo(
    config: Mapping[str, Any],
    *,
    nfft: int = 2**16,
    alias_decay_db: float = 0.0,
    device: Any = "cpu",
    dtype: torch.dtype = torch.float32,
) -> system.Shell:
    """Make a FLAMO model whose response is that of a config, to be trained on.

    Gains, matrices, reflections, filter taps and sections are parameters with ``requires_grad``, as
    they are: how they were parametrised before (a map, a filter design) is not in a config. Whole
    delays stay as they are and are not trained; fractional ones are. Macro controls are not part of
    the model.

    Args:
        config: what ``flamo_to_json`` returns or ``faustwire export … -o model.json`` writes.
        nfft: points of the transform; at least as many as the longest FIR has taps.
        alias_decay_db: time anti-aliasing: the attenuation in dB after ``nfft`` samples, that
            training with less than the model's decay needs.
        device: where the parameters lie, as torch names it.
        dtype: of the parameters.

    Returns:
        A ``flamo.processor.system.Shell`` from time to time, [batch, nfft, n_in] →
        [batch, nfft, n_out], with the modules named as in the config. Change its input and output
        layers as training needs.

    Raises:
        GraphError: the config is broken, or has an FIR of more than ``nfft`` taps; with the path.
        ControlError: the config's controls are broken.
    """
    node, fs, _name, _controls = from_json(config)
    builder = _Builder(fs, nfft, alias_decay_db, torch.device(device), dtype)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # FLAMO announces names that it gives
        core = builder.module(_inner(node), graph.label(node))
        return system.Shell(
            core=core,
            input_layer=dsp.FFT(nfft, dtype=dtype),
            output_layer=dsp.iFFTAntiAlias(
                nfft, alias_decay_db=alias_decay_db, device=builder.device, dtype=dtype
            ),
        )


def _inner(node: Node) -> Node:
    """A Shell lowers to a Series that holds its core: made again, it has a Shell around it."""
    if isinstance(node, graph.Series) and [part.name for part in node.nodes] == ["core"]:
        return node.nodes[0]
    return node


class _Builder:
    """Makes modules that agree in rate, transform length, device and precision."""

    def __init__(
        self,
        fs: float,
        nfft: int,
        alias_decay_db: float,
        device: torch.device,
        dtype: torch.dtype,
    ) -> None:
        self.device = device
        self._fs = int(fs) if fs.is_integer() else fs
        self._common: dict[str, Any] = {
            "nfft": nfft,
            "alias_decay_db": alias_decay_db,
            "device": device,
            "dtype": dtype,
        }

    def module(self, node: Node, path: str) -> Any:
        """The module of a node and all below."""
        match node:
            case graph.Series():
                return self._series(node, path)
            case graph.Parallel():
                return self._parallel(node, node.nodes, path)
            case graph.Recursion():
                return system.Recursion(
                    fF=self._below(node.forward, path), fB=self._below(node.feedback, path)
                )
            case graph.FIR():
                return self._fir(node, path)
            case graph.Delay():
                return self._delay(node)
            case graph.SOS():
                return self._sos(node)
        return self._gain(node)

    def _below(self, node: Node, path: str) -> Any:
        return self.module(node, f"{path}.{graph.label(node)}")

    def _series(self, node: graph.Series, path: str) -> system.Series:
        parts: OrderedDict[str, nn.Module] = OrderedDict()
        for below in node.nodes:
            module = self._below(below, path)
            # FLAMO would unpack a Series in a Series itself, and refuse names that are there twice.
            inner = [*module.named_children()] if isinstance(module, system.Series) else None
            for key, part in inner or [(graph.label(below), module)]:
                parts[_free(key, parts)] = part
        return system.Series(parts)

    def _parallel(self, node: graph.Parallel, branches: tuple[Node, ...], path: str) -> Any:
        """FLAMO's has two branches; more are nested."""
        first = self._below(branches[0], path)
        if len(branches) == 1:
            return first
        rest = self._parallel(node, branches[1:], path)
        return system.Parallel(brA=first, brB=rest, sum_output=node.join == "sum")

    def _gain(self, node: graph.Gain | graph.DiagonalGain | graph.Householder) -> Any:
        match node:
            case graph.DiagonalGain():
                leaf = dsp.parallelGain(node.gains.shape, requires_grad=True, **self._common)
                return _with(leaf, node.gains)
            case graph.Householder() if abs(np.linalg.norm(node.vector) - 1) <= _UNIT_NORM:
                n = len(node.vector)
                leaf = dsp.HouseholderMatrix((n, n), requires_grad=True, **self._common)
                return _with(leaf, node.vector[:, None])
            case graph.Householder() | graph.Gain():
                matrix = node.matrix
        leaf = dsp.Gain(matrix.shape, requires_grad=True, **self._common)
        return _with(leaf, matrix)

    def _fir(self, node: graph.FIR, path: str) -> Any:
        if len(node.taps) > self._common["nfft"]:
            raise GraphError(
                path,
                f"{len(node.taps)} taps, of which FLAMO cuts off all beyond nfft: give nfft of at "
                f"least {len(node.taps)}",
            )
        kind = dsp.parallelFilter if node.taps.ndim == 2 else dsp.Filter
        return _with(kind(node.taps.shape, requires_grad=True, **self._common), node.taps)

    def _sos(self, node: graph.SOS) -> Any:
        kind = dsp.parallelSOSFilter if node.sections.ndim == 3 else dsp.SOSFilter
        size, count = node.sections.shape[2:], len(node.sections)
        leaf = kind(size=size, n_sections=count, fs=self._fs, **self._common)
        # Its constructor has no argument for that; and its map divides in place, through which
        # autograd finds no way back.
        leaf.map = _normalised
        leaf.param.requires_grad_(True)
        leaf.requires_grad = True
        return _with(leaf, node.sections)

    def _delay(self, node: graph.Delay) -> Any:
        samples, fractional = whole_samples(node.samples)
        trained = bool(fractional.any())
        options = {"isint": not trained, "unit": _UNIT, "fs": self._fs, **self._common}
        seconds = samples / self._fs * _UNIT
        if trained:
            shortest = _SHORTEST_DELAY / self._fs * _UNIT
            seconds = _inverse_softplus(np.maximum(seconds, shortest))
        if node.gains is None:
            kind = dsp.parallelDelay if samples.ndim == 1 else dsp.Delay
            return _with(kind(samples.shape, requires_grad=trained, **options), seconds)
        if not trained:
            # One parameter holds the delays beside the gains. Rounding lets no gradient through.
            options["map_delay"] = _unchanged
        kind = dsp.parallelGainDelay if samples.ndim == 1 else dsp.GainDelay
        leaf = kind(samples.shape, requires_grad=True, **options)
        return _with(leaf, np.stack([node.gains, seconds]))


def _normalised(sections: torch.Tensor) -> torch.Tensor:
    """Sections divided by their a0: [sections, 6, …]."""
    return sections / sections[:, 3:4]


def _unchanged(values: torch.Tensor) -> torch.Tensor:
    return values


def _inverse_softplus(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """X with log(1 + eˣ) = value, without overflow."""
    return np.asarray(values + np.log(-np.expm1(-values)))


def _with(leaf: Any, values: NDArray[np.float64]) -> Any:
    """Set a leaf's parameter."""
    leaf.assign_value(torch.as_tensor(values).to(leaf.param))
    return leaf


def _free(key: str, taken: Mapping[str, nn.Module]) -> str:
    """A key that torch and FLAMO accept, and that is not taken."""
    key = key.replace(".", "_")
    if key in _RESERVED or hasattr(system.Series, key):
        key += "_"
    number = 2
    free = key
    while free in taken:
        free = f"{key}_{number}"
        number += 1
    return free
