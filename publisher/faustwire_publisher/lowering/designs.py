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
from faustwire.errors import NonFiniteError
from faustwire_publisher.errors import RefusalError
from faustwire_publisher.lowering.batch import single
from faustwire_publisher.lowering.finite import diverged
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
        return _cascade(leaf, name, lambda bins: bins)
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
    try:
        return _cascade(leaf, name, lambda bands: bands.swapaxes(0, 1))
    except RefusalError as refusal:
        highest, rate = getattr(leaf, "f_max", 0.0), getattr(leaf, "fs", 0.0)
        if highest <= rate / 2:
            raise
        cause = f"its bands reach up to f_max={highest:g} Hz, above half of its fs={rate:g}"
        raise RefusalError(f"{refusal}; the cause is that {cause}") from None


def _cascade(leaf: Any, name: str, bins_first: Callable[[NDArray[Any]], NDArray[Any]]) -> graph.SOS:
    node = sos(name, _designed(leaf, bins_first))
    # An a0 of 0 is found only here.
    wrong = np.argwhere(~np.isfinite(node.sections))
    if len(wrong) and diverged(leaf) is None:
        raise NonFiniteError("", _impossible(leaf, wrong[0].tolist()))
    return node


def _impossible(leaf: Any, where: list[int]) -> str:
    """Why finite parameters give no filter: which section, of what, and what to do."""
    section, _, *entry = where
    channel = f"channel {entry[0]}" if len(entry) == 1 else f"output {entry[0]} input {entry[1]}"
    told = _told(leaf, section, entry)
    return (
        f"section {section} of {channel} has no filter: its parameters are finite ({told}), but "
        f"{type(leaf).__name__} divides by 0 or takes a root of a negative number with them. Keep "
        "them where the filter exists: frequencies between 0 and half of fs, resonances above 0 "
        "(shelves: at most 1), and gains that single precision holds, in which FLAMO computes the "
        "coefficients; a gain in dB that is scaled by a delay in samples must be tiny"
    )


def _told(leaf: Any, section: int, entry: list[int]) -> str:
    """The parameters of a section: of a parametric equaliser by name, else their range."""
    mapped = leaf.map(leaf.param).detach()
    if getattr(leaf, "map_eq", None) is None or getattr(leaf, "is_twostage", False):
        return f"mapped to {float(mapped.min()):.4g} … {float(mapped.max()):.4g}"
    proportional = getattr(leaf, "is_proportional", False)
    column = (0,) if proportional else tuple(entry)
    scale = float(leaf.delays[entry[0]]) if proportional else 1.0
    at = (section, *column)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        frequency, resonance, gain = (float(part[at]) for part in leaf.map_eq(mapped))
    return f"frequency {frequency:.4g} rad, resonance {resonance:.4g}, gain {gain * scale:.4g}" + (
        f" = {gain:.4g} · {scale:g} samples" if proportional else ""
    )


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
    designed = (single(leaf, bins.numpy(force=True), 4) for bins in (b_bins, a_bins))
    b, a = (_taps(bins_first(bins)) for bins in designed)
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
