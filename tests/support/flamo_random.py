"""Random FLAMO models: containers in containers, of leaves of every kind, with awkward names."""

from __future__ import annotations

import warnings
from collections import OrderedDict
from itertools import pairwise
from random import Random
from typing import Any

import torch
from flamo.processor import dsp, system

from flamo_models import DOUBLE, delays, gain, given_sos, matrix_sos, mixing

# Keywords of Faust, operators, other scripts, and names that become alike as identifiers.
NAMES = ("process", "letrec", "Füße", "混響", "a b", "a_b", "a-b", "_", "x0", "1st", "*", "import")


def random_model(seed: int) -> system.Series:
    """A model of 1 to 3 channels in and out; the same seed gives the same values."""
    torch.manual_seed(seed)
    draw = Random(seed)  # noqa: S311
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return _series(draw, draw.randint(1, 3), draw.randint(1, 3), depth=3)


def _series(draw: Random, n_in: int, n_out: int, depth: int) -> system.Series:
    widths = [n_in, *(draw.randint(1, 3) for _ in range(draw.randint(0, 2))), n_out]
    names = draw.sample(NAMES, len(NAMES))
    return system.Series(
        OrderedDict((names.pop(), _block(draw, into, out, depth)) for into, out in pairwise(widths))
    )


def _block(draw: Random, n_in: int, n_out: int, depth: int) -> Any:
    kind = draw.choice(("leaf", "leaf", "parallel", "recursion")) if depth else "leaf"
    if kind == "leaf":
        return _leaf(draw, n_in, n_out)
    if kind == "recursion":
        into = _series(draw, n_in, n_out, depth - 1)
        late = delays(*(draw.randint(1, 60) for _ in range(n_out)))
        loop = system.Series(OrderedDict(block=into, late=late))
        back = gain(n_in, n_out)
        back.assign_value(back.param.detach() * 0.7 / (_peak(loop) * _peak(back)))
        return system.Recursion(fF=loop, fB=back)
    split = draw.randint(0, n_out - 1)
    if split:  # concatenated
        sizes, together = (split, n_out - split), False
    else:
        sizes, together = (n_out, n_out), True
    branches = [_series(draw, n_in, size, depth - 1) for size in sizes]
    return system.Parallel(brA=branches[0], brB=branches[1], sum_output=together)


def _peak(module: Any) -> float:
    """The largest gain from all inputs together to all outputs, over frequency."""
    n_in, bins = module.input_channels, DOUBLE["nfft"] // 2 + 1
    impulses = torch.eye(n_in, dtype=torch.complex128)[:, None].expand(n_in, bins, n_in)
    with torch.no_grad():
        return float(torch.linalg.matrix_norm(module(impulses).permute(1, 2, 0), 2).max())


def _leaf(draw: Random, n_in: int, n_out: int) -> Any:
    options: dict[str, Any] = dict(DOUBLE)
    leaves = [
        lambda: gain(n_out, n_in),
        lambda: dsp.Delay((n_out, n_in), max_len=90, isint=True, **options),
        lambda: dsp.GainDelay((n_out, n_in), max_len=90, isint=True, **options),
        lambda: dsp.Filter((5, n_out, n_in), **options),
        lambda: dsp.SVF((n_out, n_in), n_sections=2, **options),
        lambda: dsp.PEQ((n_out, n_in), n_bands=3, **options),
        lambda: matrix_sos(n_out, n_in, 1),
    ]
    if n_in == n_out:
        leaves += [
            lambda: dsp.parallelGain((n_in,), **options),
            lambda: dsp.HouseholderMatrix((n_in, n_in), **options),
            lambda: delays(*(draw.randint(0, 80) for _ in range(n_in))),
            lambda: dsp.parallelFilter((7, n_in), **options),
            lambda: dsp.parallelBiquad((n_in,), n_sections=2, **options),
            lambda: dsp.parallelGEQ((n_in,), **options),
            lambda: given_sos(n_in, 2),
            lambda: mixing(n_in),
        ]
    return draw.choice(leaves)()
