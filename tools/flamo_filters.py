"""More of ``flamo_models``: filters, equalisers, reverberators and what stands around them."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import torch
from flamo.auxiliary.config.config import HomogeneousFDNConfig
from flamo.auxiliary.reverb import (
    HomogeneousFDN,
    parallelFDNAccurateGEQ,
    parallelFDNGEQ,
    parallelFDNPEQ,
    parallelFirstOrderShelving,
    parallelGFDNAccurateGEQ,
)
from flamo.functional import AllpassFDNMatrix
from flamo.processor import dsp, system
from torch import Tensor

from flamo_models import (
    DELAYS,
    DOUBLE,
    FRACTIONAL,
    FS,
    MODELS,
    SLOW,
    Maker,
    add,
    decay,
    delays,
    fdn,
    gain,
    make,
    mixing,
    parts,
    random_sections,
)

__all__ = ["FRACTIONAL", "MODELS", "SLOW", "make"]

LINES = torch.tensor(DELAYS[:4], dtype=torch.float64)


def add_slow(name: str, maker: Maker) -> None:
    """Register a model that only the slow tests use."""
    add(name, maker)
    SLOW[name] = MODELS.pop(name)


# --- FIR ------------------------------------------------------------------------------------------

add("filter", lambda: dsp.Filter((20, 2, 3), **DOUBLE))
add("filter, longer than nfft", lambda: dsp.Filter((600, 1, 2), **DOUBLE))
add("filter of one tap", lambda: dsp.Filter((1, 2, 2), **DOUBLE))
add("filter with a map", lambda: dsp.Filter((20, 2, 2), map=torch.tanh, **DOUBLE))
add("parallel filter", lambda: dsp.parallelFilter((33, 3), **DOUBLE))


def scattering(n: int, stages: int, **options: Any) -> dsp.ScatteringMatrix:
    """A lossless, or nearly lossless, matrix of FIR filters."""
    left, right = torch.randint(0, 5, (2, n)).double()
    return dsp.ScatteringMatrix((stages, n, n), m_L=left, m_R=right, **DOUBLE | options)


add("scattering", partial(scattering, 4, 3))
add("scattering, two stages", partial(scattering, 3, 2, sparsity=2))
add("scattering, lossless", partial(scattering, 2, 4, gain_per_sample=1.0))
add("scattering, pulses", partial(scattering, 2, 3, pulse_size=2))


def velvet_matrix(n: int, stages: int, density: float) -> dsp.VelvetNoiseMatrix:
    """A matrix of sparse noise."""
    none = torch.zeros(n, dtype=torch.float64)
    return dsp.VelvetNoiseMatrix((stages, n, n), density=density, m_L=none, m_R=none, **DOUBLE)


add("velvet matrix", partial(velvet_matrix, 4, 3, 0.2))
add("velvet matrix, sparse", partial(velvet_matrix, 2, 3, 0.05))


# --- designed filters -----------------------------------------------------------------------------

SVF_TYPES = (None, "lowpass", "highpass", "bandpass", "lowshelf", "highshelf", "peaking", "notch")
for kind in SVF_TYPES:
    options: dict[str, Any] = {"filter_type": kind, "fs": FS, **DOUBLE}
    add(f"svf {kind}", partial(dsp.SVF, (2, 3), n_sections=2, **options))
    add(f"parallel svf {kind}", partial(dsp.parallelSVF, (3,), n_sections=1, **options))


def mixed_svfs() -> system.Series:
    """State variable filters of different types in series."""
    kinds = ("lowshelf", "peaking", "highshelf")
    options: dict[str, Any] = {"n_sections": 2, "fs": FS, **DOUBLE}
    return parts(**{kind: dsp.parallelSVF((2,), filter_type=kind, **options) for kind in kinds})


add("svf, mixed", mixed_svfs)
add("geq", partial(dsp.GEQ, (2, 2), fs=FS, **DOUBLE))
add("geq, third octaves", partial(dsp.GEQ, (1, 1), octave_interval=3, fs=FS, **DOUBLE))
add("parallel geq", partial(dsp.parallelGEQ, (3,), fs=FS, **DOUBLE))
add("parallel geq, 96000", partial(dsp.parallelGEQ, (1,), fs=96_000, **DOUBLE))
add("parallel geq, dB", partial(dsp.parallelGEQ, (2,), map=lambda x: x, fs=FS, **DOUBLE))
for design in ("biquad", "svf"):
    for bands in (3, 10):
        options = {"n_bands": bands, "design": design, "fs": FS, **DOUBLE}
        add(f"peq {design} {bands}", partial(dsp.PEQ, (2, 2), **options))
        add(f"parallel peq {design} {bands}", partial(dsp.parallelPEQ, (3,), **options))
add_slow("accurate geq", partial(dsp.AccurateGEQ, (2, 1), fs=FS, **DOUBLE))
add("parallel accurate geq", partial(dsp.parallelAccurateGEQ, (1,), fs=FS, **DOUBLE))
# With octave_interval=3 FLAMO's optimiser diverges to NaN.


# --- absorption filters of FDNs -------------------------------------------------------------------


def with_values(leaf: Any, values: Tensor) -> Any:
    """Set a leaf's parameter and return the leaf."""
    leaf.assign_value(values.to(leaf.param.dtype))
    return leaf


def reverberation_times(n: int) -> Tensor:
    """Falling towards high frequencies, in s."""
    return torch.linspace(2.0, 0.5, n, dtype=torch.float64)


def fdn_geq() -> parallelFDNGEQ:
    """One graphic equaliser per delay line."""
    leaf = parallelFDNGEQ(fs=FS, delays=LINES, **DOUBLE)
    return with_values(leaf, reverberation_times(leaf.param.shape[0]))


def fdn_accurate_geq() -> parallelFDNAccurateGEQ:
    """One accurate graphic equaliser per delay line."""
    leaf = parallelFDNAccurateGEQ(fs=FS, delays=LINES[:2], **DOUBLE)
    return with_values(leaf, reverberation_times(leaf.param.shape[0]))


def gfdn_accurate_geq() -> parallelGFDNAccurateGEQ:
    """One accurate graphic equaliser per delay line and group."""
    leaf = parallelGFDNAccurateGEQ(fs=FS, n_groups=2, delays=LINES[:2], **DOUBLE)
    half = reverberation_times(leaf.param.shape[0] // 2)
    return with_values(leaf, torch.cat((half, half / 2)))


def first_order_shelving() -> parallelFirstOrderShelving:
    """A reverberation time at 0 Hz and a crossover."""
    leaf = parallelFirstOrderShelving(fs=FS, delays=LINES, **DOUBLE)
    return with_values(leaf, torch.tensor([2.0, 0.8]))


add("fdn geq", fdn_geq)
add_slow("fdn accurate geq", fdn_accurate_geq)
add_slow("gfdn accurate geq", gfdn_accurate_geq)
add("first order shelving", first_order_shelving)
for design in ("biquad", "svf"):
    for two_stages in (False, True):
        for proportional in (False, True):
            if design == "biquad" and proportional:
                continue  # FLAMO's comes out as NaN: see the refusals
            add(
                f"fdn peq {design}{', two stages' * two_stages}{', proportional' * proportional}",
                partial(
                    parallelFDNPEQ,
                    n_bands=5,
                    delays=LINES,
                    design=design,
                    is_twostage=two_stages,
                    is_proportional=proportional,
                    fs=FS,
                    **DOUBLE,
                ),
            )
add("fdn with geqs", lambda: fdn(4, absorption=fdn_geq()))
add("fdn with shelving", lambda: fdn(4, absorption=first_order_shelving()))
add("fdn with scattering", lambda: fdn(4, matrix=scattering(4, 3)))


def homogeneous_fdn(**options: Any) -> HomogeneousFDN:
    """FLAMO's HomogeneousFDN, whose delays are primes that it draws itself."""
    np.random.seed(0)  # noqa: NPY002  # which is where it draws them from
    settings = {"N": 4, "delay_range_ms": [0.3, 1.5], "nfft": 512, "dtype": torch.float64}
    return HomogeneousFDN(HomogeneousFDNConfig(**settings | options))


add("homogeneous fdn", homogeneous_fdn)
add("homogeneous fdn, damped", partial(homogeneous_fdn, alias_decay_db=30))


# --- the rest -------------------------------------------------------------------------------------


def gain_delays(kind: Any, size: tuple[int, ...], **options: Any) -> Any:
    """Randomise gains, which FLAMO initialises to one."""
    leaf = kind(size, **options)
    with torch.no_grad():
        leaf.param[0] = torch.randn_like(leaf.param[0])
    return leaf


for trained in (False, True):
    options = {"isint": True, "max_len": 200, "requires_grad": trained, **DOUBLE}
    which = ", trained" * trained
    add(f"gain delay{which}", partial(gain_delays, dsp.GainDelay, (2, 3), **options))
    add(f"parallel gain delay{which}", partial(gain_delays, dsp.parallelGainDelay, (3,), **options))
add(
    "gain delay with maps",
    partial(
        gain_delays,
        dsp.GainDelay,
        (2, 2),
        isint=True,
        map_gain=torch.tanh,
        map_delay=torch.abs,
        max_len=100,
        **DOUBLE,
    ),
)
for kind in ("block_rotation", "orthogonal"):
    add(f"allpass matrix {kind}", partial(AllpassFDNMatrix, 4, q_type=kind, **DOUBLE))


def allpass_fdn() -> system.Series:
    """An FDN of 4 lines around the allpass matrix of 2."""
    # It keeps the device as it is given; the other leaves as torch.device.
    matrix = AllpassFDNMatrix(2, **DOUBLE | {"device": torch.device("cpu")})
    loop = system.Recursion(fF=delays(*DELAYS[:4]), fB=matrix)
    return parts(input_gain=gain(4, 1), loop=loop, output_gain=gain(1, 4))


def two_stage_fdn() -> system.Series:
    """Early reflections beside a late reverberation."""
    early = parts(early=dsp.Filter((40, 2, 1), **DOUBLE))
    late = parts(
        into=gain(4, 1),
        loop=system.Recursion(
            fF=parts(delay=delays(*DELAYS[:4]), tone=first_order_shelving()),
            fB=parts(matrix=mixing(4, "hadamard"), decay=decay(4)),
        ),
        out=gain(2, 4),
    )
    return parts(both=system.Parallel(brA=early, brB=late), tone=dsp.parallelGEQ((2,), **DOUBLE))


def sections_in_both_paths() -> system.Recursion:
    """Filters whose first tap isn't zero on both sides of the delay."""
    leaf = dsp.SOSFilter((2, 2), n_sections=1, **DOUBLE)
    leaf.assign_value(
        random_sections(1, 2, 2) * torch.tensor([0.1, 0.1, 0.1, 1, 1, 1]).view(1, 6, 1, 1)
    )
    return system.Recursion(
        fF=parts(tone=dsp.parallelSVF((2,), filter_type="lowpass", **DOUBLE), delay=delays(9, 14)),
        fB=parts(filters=leaf, decay=decay(2, 0.5)),
    )


add("allpass fdn", allpass_fdn)
add("two stage reverberator", two_stage_fdn)
add("recursion, sections in both paths", sections_in_both_paths)


# --- fractional delays ----------------------------------------------------------------------------


def fractional_fdn(n: int) -> system.Series:
    """Fractional delays in the loop."""
    lines = delays(
        *(line + 0.37 * (1 + index) for index, line in enumerate(DELAYS[:n])), isint=False
    )
    loop = system.Recursion(fF=parts(decay=decay(n, 0.7), delay=lines), fB=mixing(n))
    return parts(input_gain=gain(n, 1), loop=loop, output_gain=gain(1, n))


FRACTIONAL |= {
    "fractional delays": partial(delays, 40.25, 50.5, 60.9, isint=False),
    "fractional delays, trained": partial(delays, 40.25, 50.5, isint=False, trained=True),
    "fractional delay matrix": partial(dsp.Delay, (2, 2), max_len=300, **DOUBLE),
    "fractional gain delay": partial(gain_delays, dsp.GainDelay, (2, 2), max_len=300, **DOUBLE),
    "fractional delay of less than a sample": partial(delays, 0.5, isint=False),
    "fractional fdn": partial(fractional_fdn, 4),
}
