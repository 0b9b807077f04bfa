"""Filters that FLAMO designs from their parameters: biquads, state-variable filters, equalisers.

Their coefficients are those of FLAMO's own ``get_poly_coeff``. It rounds many of them to single
precision even in a double-precision model, and near z = 1 the rounded filter differs audibly from
the one that the formulas give.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any, TypeAlias
from weakref import WeakKeyDictionary

import numpy as np
import torch
from flamo.processor import dsp
from numpy.typing import NDArray
from torch import nn

from faustwire import graph
from faustwire_publisher.errors import RefusalError
from faustwire_publisher.lowering.registry import lowers
from faustwire_publisher.lowering.sections import sos
from faustwire_publisher.lowering.tensors import values

Sections: TypeAlias = NDArray[np.float64]
"""[sections, 6, …channels]: b0 b1 b2 a0 a1 a2, a0 not yet 1."""


@lowers(
    dsp.Biquad,
    dsp.parallelBiquad,
    dsp.SVF,
    dsp.parallelSVF,
    dsp.GEQ,
    dsp.parallelGEQ,
    dsp.AccurateGEQ,
    dsp.parallelAccurateGEQ,
    "flamo.auxiliary.reverb.parallelFDNGEQ",
    "flamo.auxiliary.reverb.parallelFDNAccurateGEQ",
    "flamo.auxiliary.reverb.parallelGFDNAccurateGEQ",
)
def cascade(leaf: Any, name: str) -> graph.SOS:
    """Responses of the sections come as [bins, sections, …channels].

    Args:
        leaf: the module; its channels are [n] or [n_out, n_in].
        name: its key in the module that holds it.

    Returns:
        [sections, 6, …channels], a0 = 1.

    Raises:
        RefusalError: a section is unstable; the message adds the cause where it is the highest band
            of a graphic equaliser.
    """
    try:
        return sos(name, _designed(leaf, lambda bins: bins))
    except RefusalError as refusal:
        raise RefusalError(f"{refusal}{_cause(leaf)}") from None


@lowers(dsp.PEQ, dsp.parallelPEQ, "flamo.auxiliary.reverb.parallelFDNPEQ")
def parametric(leaf: Any, name: str) -> graph.SOS:
    """Responses of the bands come as [bands, bins, …channels].

    Args:
        leaf: the module; its channels are [n] or [n_out, n_in].
        name: its key in the module that holds it.

    Returns:
        [bands, 6, …channels], a0 = 1.

    Raises:
        RefusalError: a band is unstable.
    """
    return sos(name, _designed(leaf, lambda bands: bands.swapaxes(0, 1)))


def _cause(leaf: Any) -> str:
    """Why a graphic equaliser is unstable, where its bands are the cause."""
    centers, rate = getattr(leaf, "center_freq", None), getattr(leaf, "fs", None)
    if not isinstance(centers, torch.Tensor) or not rate:
        return ""
    interval = getattr(leaf, "octave_interval", 1)
    edge = float(centers.max()) * 2 ** (0.5 / interval)
    if edge <= rate / 2:
        return ""
    return (
        f"; the cause is its highest band, whose upper edge ({edge:.0f} Hz) lies above half of its "
        f"fs={rate:g}: choose bands below that, or a higher fs"
    )


class _DesignView:
    """A leaf with ``nfft`` 4 and no time anti-aliasing, as ``get_poly_coeff`` sees it.

    The leaf itself must not change: a training thread may be computing with it. Three taps fit
    into 4 points, so the transform can be inverted. The envelope of ones undoes the anti-aliasing,
    which is no part of the response; float64, because some designs compute in its precision.
    """

    def __init__(self, leaf: Any) -> None:
        self._leaf = leaf
        self.nfft = 4
        self.alias_envelope_dcy = torch.ones(3, dtype=torch.float64, device=leaf.param.device)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._leaf, name)


# A graphic equaliser costs milliseconds a channel, an accurate one seconds, and most models keep
# theirs fixed: the newest design of each leaf is kept.
_DESIGNS: WeakKeyDictionary[nn.Module, tuple[list[Any], Sections]] = WeakKeyDictionary()

# What the designs depend on, besides the mapped parameter.
_SETTINGS = (
    *("fs", "delays", "filter_type", "design", "n_bands", "n_groups", "octave_interval"),
    *("is_twostage", "is_proportional", "f_min", "f_max", "center_freq_bias"),
    *("center_freq", "shelving_crossover"),
)


def _designed(leaf: Any, bins_first: Callable[[NDArray[Any]], NDArray[Any]]) -> Sections:
    mapped = leaf.map(leaf.param)
    settings = vars(leaf)
    key = [_fixed(mapped), *(_fixed(settings.get(setting)) for setting in _SETTINGS)]
    known = _DESIGNS.get(leaf)
    if known is not None and known[0] == key:
        return known[1]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # FLAMO copies and indexes in ways that torch warns of
        _, b_bins, a_bins = type(leaf).get_poly_coeff(_DesignView(leaf), mapped)
    b, a = (_taps(bins_first(bins.numpy(force=True))) for bins in (b_bins, a_bins))
    sections: Sections = np.concatenate((b, a)).swapaxes(0, 1)
    _DESIGNS[leaf] = key, sections
    return sections


def _fixed(value: Any) -> Any:
    """Copy a value so that it can be compared later: optimisers change tensors in place."""
    if isinstance(value, torch.Tensor):
        return str(value.dtype), value.shape, values(value).tobytes()
    return tuple(map(_fixed, value)) if isinstance(value, tuple) else value


def _taps(bins: NDArray[Any]) -> Sections:
    """[3 bins of 4 points, sections, …] → [3 taps, sections, …]."""
    taps: Sections = np.fft.irfft(bins, n=4, axis=0)[:3]
    return taps
