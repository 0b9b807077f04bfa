"""FLAMO models of every kind, by name, for the lowering and exactness tests.

Each entry makes a new model in double precision; the name seeds its values.
"""

from __future__ import annotations

import warnings
from collections import OrderedDict
from collections.abc import Callable
from functools import partial
from typing import Any, TypeAlias
from zlib import crc32

import torch
from flamo.processor import dsp, system
from torch import Tensor, nn

Maker: TypeAlias = Callable[[], Any]

FS = 48_000
DOUBLE: dict[str, Any] = {"dtype": torch.float64, "device": "cpu", "nfft": 2**9}
DELAYS = (13, 17, 19, 23, 29, 31, 37, 41, 43, 47, 53, 59, 61, 67, 71, 73)

MODELS: dict[str, Maker] = {}
"""Whole delays: compared sample by sample."""
FRACTIONAL: dict[str, Maker] = {}
"""Fractional delays: compared below a quarter of the sampling rate."""
SLOW: dict[str, Maker] = {}
"""An accurate equaliser takes seconds a channel."""


def make(name: str) -> Any:
    """Make the model of a name; the name seeds its values."""
    torch.manual_seed(crc32(name.encode()))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return (MODELS | FRACTIONAL | SLOW)[name]()


def parts(**modules: nn.Module) -> system.Series:
    """A Series with these keys."""
    return system.Series(OrderedDict(modules))


def add(name: str, maker: Maker) -> None:
    """Register a model under a unique name."""
    if name in MODELS or name in FRACTIONAL:
        raise KeyError(name)
    MODELS[name] = maker


# --- leaves that FDNs are made of -----------------------------------------------------------------


def gain(n_out: int, n_in: int, scale: float = 1.0, **options: Any) -> dsp.Gain:
    """A random matrix."""
    leaf = dsp.Gain((n_out, n_in), **DOUBLE | options)
    leaf.assign_value(leaf.param.detach() * scale)
    return leaf


def delays(
    *samples: float, unit: int = 100, isint: bool = True, trained: bool = False, **options: Any
) -> dsp.parallelDelay:
    """Delays in samples; trainable ones go through softplus."""
    leaf = dsp.parallelDelay(
        (len(samples),), unit=unit, isint=isint, requires_grad=trained, **DOUBLE | options
    )
    leaf.assign_value(raw_delay(leaf, torch.tensor(samples, dtype=torch.float64)))
    return leaf


def raw_delay(leaf: dsp.Delay, samples: Tensor) -> Tensor:
    """Invert the leaf's map: the parameter that gives these samples."""
    seconds = leaf.sample2s(samples)
    return torch.log(torch.expm1(seconds)) if leaf.requires_grad else seconds


def mixing(n: int, kind: str = "orthogonal", **options: Any) -> dsp.Matrix:
    """A square mixing matrix of one of FLAMO's types."""
    return dsp.Matrix((n, n), matrix_type=kind, **DOUBLE | options)


def decay(n: int, gain: float = 0.9) -> dsp.parallelGain:
    """The same gain on each channel."""
    leaf = dsp.parallelGain((n,), **DOUBLE)
    leaf.assign_value(torch.full((n,), gain, dtype=torch.float64))
    return leaf


def biquads(kind: str, n: int, sections: int = 1, **options: Any) -> dsp.parallelBiquad:
    """Random filters of one of FLAMO's three types."""
    return dsp.parallelBiquad(
        (n,), n_sections=sections, filter_type=kind, fs=FS, **DOUBLE | options
    )


def random_sections(*shape: int) -> Tensor:
    """Stable sections: [sections, 6, …channels]."""
    sections = torch.randn(shape[0], 6, *shape[1:], dtype=torch.float64)
    radius, angle = torch.rand(2, shape[0], *shape[1:], dtype=torch.float64)
    radius = 0.95 * radius
    sections[:, 3] = 1
    sections[:, 4] = -2 * radius * torch.cos(torch.pi * angle)
    sections[:, 5] = radius**2
    return sections


def given_sos(n: int, sections: int, **options: Any) -> dsp.parallelSOSFilter:
    """Random stable sections given as coefficients."""
    leaf = dsp.parallelSOSFilter((n,), n_sections=sections, **DOUBLE | options)
    leaf.assign_value(random_sections(sections, n))
    return leaf


def matrix_sos(n_out: int, n_in: int, sections: int, **options: Any) -> dsp.SOSFilter:
    """Random stable sections for each matrix entry."""
    leaf = dsp.SOSFilter((n_out, n_in), n_sections=sections, **DOUBLE | options)
    leaf.assign_value(random_sections(sections, n_out, n_in))
    return leaf


def unnormalised_sos() -> dsp.parallelSOSFilter:
    """Coefficients whose a0 is not one."""
    leaf = given_sos(2, 3, normalize_a0=False)
    leaf.assign_value(leaf.param.detach() * (1 + torch.rand(3, 1, 2, dtype=torch.float64)))
    return leaf


def mapped_gain(n: int) -> dsp.parallelGain:
    """A leaf whose map was replaced after construction."""
    leaf = dsp.parallelGain((n,), **DOUBLE)
    leaf.map = lambda raw: torch.sigmoid(raw) / 2
    return leaf


add("gain", lambda: gain(3, 2))
add("gain with a map", lambda: dsp.Gain((2, 2), map=torch.tanh, **DOUBLE))
add("gain of one channel", lambda: gain(1, 1))
add("parallel gain", lambda: dsp.parallelGain((3,), **DOUBLE))
add("parallel gain, map replaced", lambda: mapped_gain(3))
for kind in ("random", "orthogonal", "hadamard", "rotation"):
    add(f"matrix {kind}", partial(mixing, 4, kind))
add("matrix hadamard 16", lambda: mixing(16, "hadamard"))
add("matrix random, not square", lambda: dsp.Matrix((2, 3), matrix_type="random", **DOUBLE))
add("householder", lambda: dsp.HouseholderMatrix((5, 5), **DOUBLE))
add("householder 1", lambda: dsp.HouseholderMatrix((1, 1), **DOUBLE))

add("delays", lambda: delays(3, 5, 8))
add("delays, unit 1", lambda: delays(3, 5, 8, unit=1))
add("delays, unit 1000", lambda: delays(3, 5, 8, unit=1000))
add("delays, fs 44100", lambda: delays(3, 5, 8, fs=44_100))
add("delays, zero", lambda: delays(0, 5, 0))
add("delays, trained", lambda: delays(3, 5, 8, trained=True))
add("delays, trained, unit 1", lambda: delays(300, 50, 80, trained=True, unit=1))
add("delays, whole but not rounded", lambda: delays(593, 601, 607, isint=False))
add("delays, drawn", lambda: dsp.parallelDelay((4,), max_len=300, isint=True, **DOUBLE))
add("delay matrix", lambda: dsp.Delay((2, 3), max_len=300, isint=True, **DOUBLE))
add(
    "delay matrix, trained",
    lambda: dsp.Delay((2, 3), max_len=50, isint=True, requires_grad=True, **DOUBLE),
)

for kind in ("lowpass", "highpass", "bandpass"):
    for sections in (1, 3):
        options = {"n_sections": sections, "filter_type": kind, "fs": FS, **DOUBLE}
        add(f"biquad {kind} {sections}", partial(dsp.Biquad, (2, 3), **options))
        if kind != "bandpass":  # FLAMO 0.2.20 can't make that one
            add(f"parallel biquad {kind} {sections}", partial(dsp.parallelBiquad, (3,), **options))
add("parallel sos", lambda: given_sos(3, 2))
add("parallel sos, not normalised", unnormalised_sos)
add("sos", lambda: matrix_sos(2, 3, 2))
add("sos as made", lambda: dsp.SOSFilter((2, 2), n_sections=2, **DOUBLE))


# --- containers -----------------------------------------------------------------------------------


def fdn(n: int, *, matrix: Any = None, absorption: nn.Module | None = None) -> system.Series:
    """One input, one output, n lines; the attenuation stands in the loop before the delays."""
    lines = delays(*DELAYS[:n])
    return parts(
        input_gain=gain(n, 1),
        feedback_loop=system.Recursion(
            fF=parts(absorption=absorption or decay(n), delays=lines),
            fB=matrix or mixing(n),
        ),
        output_gain=gain(1, n),
    )


def shell(core: Any) -> system.Shell:
    """A core between the input and output layers that FLAMO's examples use."""
    nfft = DOUBLE["nfft"]
    return system.Shell(
        core=core,
        input_layer=dsp.FFT(nfft, dtype=torch.float64),
        output_layer=dsp.iFFTAntiAlias(nfft, device="cpu", dtype=torch.float64),
    )


def shared() -> system.Series:
    """One leaf used in three places."""
    leaf = gain(2, 2)
    pair = system.Parallel(brA=leaf, brB=parts(delay=delays(2, 3), again=leaf))
    return parts(before=leaf, pair=pair)


def filtered_fdn(n: int) -> system.Series:
    """Lowpass filters in the loop."""
    return fdn(n, absorption=biquads("lowpass", n, 2))


def householder_fdn(n: int) -> system.Series:
    """The mixing matrix of O(n)."""
    return fdn(n, matrix=dsp.HouseholderMatrix((n, n), **DOUBLE))


for n in (4, 8, 16):
    add(f"fdn {n}", partial(fdn, n))
    add(f"fdn {n}, filters", partial(filtered_fdn, n))
    add(f"fdn {n}, householder", partial(householder_fdn, n))
add("fdn 2, hadamard", lambda: fdn(2, matrix=mixing(2, "hadamard")))
add("fdn, lossless", lambda: fdn(4, absorption=decay(4, 1.0)))
add("fdn in a shell", lambda: shell(fdn(4)))
add("series of a shared leaf", lambda: parts(a=gain(2, 2), delay=delays(3, 4)))
add("shared leaf", shared)
add("sequential", lambda: nn.Sequential(gain(2, 3), delays(4, 9), gain(1, 2)))
add("parallel, sum", lambda: system.Parallel(brA=gain(2, 2), brB=delays(3, 8)))
add(
    "parallel, concatenate",
    lambda: system.Parallel(brA=gain(3, 2), brB=delays(3, 8), sum_output=False),
)
add(
    "parallel, nested",
    lambda: system.Parallel(
        brA=system.Parallel(brA=gain(2, 2), brB=delays(1, 2)),
        brB=parts(one=gain(3, 2), two=gain(2, 3)),
        sum_output=False,
    ),
)
add(
    "recursion, delay in the feedback",
    lambda: system.Recursion(
        fF=gain(2, 2, 0.3), fB=parts(gain=gain(2, 2, 0.3), delay=delays(3, 7))
    ),
)
add(
    "recursion, delays in both",
    lambda: system.Recursion(fF=delays(3, 5), fB=parts(gain=gain(2, 2, 0.3), delay=delays(4, 7))),
)
add("recursion, one channel", lambda: system.Recursion(fF=delays(7), fB=gain(1, 1, 0.3)))
add(
    "recursion, not square",
    lambda: system.Recursion(
        fF=parts(gain=gain(3, 2, 0.3), delay=delays(3, 5, 7)), fB=gain(2, 3, 0.3)
    ),
)
add(
    "recursion, nested",
    lambda: system.Recursion(
        fF=system.Recursion(fF=delays(3, 5), fB=gain(2, 2, 0.2)),
        fB=parts(delay=delays(2, 3), gain=gain(2, 2, 0.2)),
    ),
)
