"""Fractional delays: an FIR interpolator outside loops, an allpass inside.

Errors are |H(f) − exp(−2πi·f·m/fs)|, magnitude and phase in one, for f up to fs/4:

- Outside loops, a least-squares FIR filter. Delays from 12 samples on: −110 dB (−95 dB up to
  0.35 fs), never above unity gain. Shorter ones have less past to look at: −90 dB from 4 samples,
  −80 dB from 0.9 samples on (at a gain of at most 12 dB near fs/2), −55 dB below that (16 dB): no
  causal filter does much better without a larger gain near fs/2.
- Inside loops an allpass, whose gain is one at every frequency: −120 dB from 9 samples on, and from
  17 samples on, where its order is 16, −100 dB up to 3/8 fs. Each sample less costs an order: below
  9 samples −105, −90, −75, −60, −50, −35, −20 dB. Below one sample, first order: −20 dB.

The FIR design is the general least-squares method of T. I. Laakso et al., "Splitting the unit
delay", IEEE Signal Processing Magazine 13(1), 1996; the allpass the equation-error method of
M. Lang and T. I. Laakso, "Simple and robust method for the design of allpass filters using
least-squares phase error criterion", IEEE Trans. Circuits and Systems II 41(1), 1994.
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from faustwire_bridge.codegen.builder import Place, ProgramBuilder, balanced, delayed

TAPS = 24
# A longer history lets the interpolator sit around the point it interpolates.
_CENTRED_FROM = TAPS / 2
# (shortest delay, weight outside the band): more weight there is less gain near fs/2 and less
# accuracy below fs/4.
_OUTSIDE_WEIGHTS = ((4.0, 1e-12), (0.9, 1e-10), (0.0, 1e-8))
# Twice the compile of order 8, which is −34 dB at 3/8 fs: that moves the modes of a loop up there.
MAX_ORDER = 16


def write_fractional(samples: float, operand: str, builder: ProgramBuilder, place: Place) -> str:
    """An operand some samples ago, not a whole number of them.

    Args:
        samples: the delay.
        operand: the name of what is delayed.
        builder: gets the definitions and loop variables.
        place: where the delay stands; inside loops it is an allpass.

    Returns:
        The name of the delayed signal.
    """
    if place.in_loop:
        return _write_allpass(samples, operand, builder)
    first, taps = interpolator(samples)
    terms = [f"{tap!r}*{delayed(operand, first + k, builder)}" for k, tap in enumerate(taps)]
    return builder.define("q", balanced(terms))


def _write_allpass(samples: float, operand: str, builder: ProgramBuilder) -> str:
    """Solve y = x@(M+N) + Σ a_k (x@(M+N−k) − y@k), with x and y read from loop variables."""
    steps, coefficients = allpass(samples)
    order = len(coefficients)
    name = builder.name("q")
    past = builder.previous(name)
    terms = [delayed(operand, steps + order, builder, in_loop=True)]
    for k, coefficient in enumerate(coefficients, start=1):
        source = delayed(operand, steps + order - k, builder, in_loop=True)
        terms.append(f"{coefficient!r}*({source}-{past}{f'@{k - 1}' if k > 1 else ''})")
    builder.definitions.append(f"{name} = {balanced(terms)};")
    return name


@lru_cache(maxsize=4096)
def interpolator(samples: float) -> tuple[int, tuple[float, ...]]:
    """The FIR filter that delays by a fraction.

    Args:
        samples: the delay.

    Returns:
        (delay of the first tap in whole samples, [taps]).
    """
    first = max(0, math.floor(samples - _CENTRED_FROM + 1))
    # As a part of fs/2: wider, the more there is on both sides of the point.
    band = 0.5 + 0.2 * min(max((samples - 4) / (_CENTRED_FROM - 4), 0.0), 1.0)
    weight = next(weight for shortest, weight in _OUTSIDE_WEIGHTS if samples >= shortest)
    taps = np.arange(TAPS)
    wanted = taps - (samples - first)
    target = (1 - weight) * band * np.sinc(band * wanted) + weight * np.sinc(wanted)
    solved = np.linalg.solve(_gram(band, weight), target)
    return first, tuple(solved.tolist())


@lru_cache(maxsize=256)
def _gram(band: float, weight: float) -> NDArray[np.float64]:
    distance = np.subtract.outer(np.arange(TAPS), np.arange(TAPS))
    gram: NDArray[np.float64] = (1 - weight) * band * np.sinc(band * distance)
    return gram + weight * np.eye(TAPS)


@lru_cache(maxsize=4096)
def allpass(samples: float) -> tuple[int, tuple[float, ...]]:
    """The allpass filter that delays by a fraction, behind whole samples of delay.

    Args:
        samples: the delay; from 1 on, at least one of it is whole, so that it cuts a loop.

    Returns:
        (whole samples of delay, [order] the denominator's coefficients without the leading 1).
    """
    order = min(MAX_ORDER, max(1, math.floor(samples - 0.25)))
    # An order is most accurate for a delay from 0.75 below itself to 0.25 above.
    steps = max(math.floor(samples - order + 0.75), int(samples >= 1))
    grid, weights = _grid(order)
    half_error = (order - (samples - steps)) * grid / 2
    sines = np.sin(np.outer(grid, np.arange(1, order + 1)) - half_error[:, None])
    solved: Any = np.linalg.lstsq(
        sines * weights[:, None], np.sin(half_error) * weights, rcond=None
    )
    return steps, tuple(solved[0].tolist())


@lru_cache(maxsize=MAX_ORDER)
def _grid(order: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Where an allpass is fitted, in radians a sample, and how much each point counts.

    Up to 0.275 fs in full, or to 0.375 fs where the order suffices for that; the rest only keeps
    the poles away from the circle.
    """
    spare = max(order - MAX_ORDER // 2, 0) / (MAX_ORDER // 2)
    count = 96 if spare else 48
    grid = (np.arange(count) + 0.5) * np.pi / count
    return grid, np.where((0.55 + 0.2 * spare) * np.pi > grid, 1.0, 1e-7)
