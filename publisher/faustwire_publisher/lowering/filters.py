"""Finite impulse responses."""

from __future__ import annotations

from flamo.processor import dsp

from faustwire import graph
from faustwire_publisher.lowering.registry import lowers
from faustwire_publisher.lowering.tensors import values


@lowers(dsp.Filter, dsp.parallelFilter)
def fir(leaf: dsp.Filter, name: str) -> graph.FIR:
    """``leaf.map(leaf.param)``: [taps, n_out, n_in] or [taps, n].

    All of them: that FLAMO's transform cuts what is longer than ``nfft`` is its way of computing.
    """
    return graph.FIR(name, values(leaf.map(leaf.param)))


@lowers(dsp.ScatteringMatrix, dsp.VelvetNoiseMatrix)
def scattering(leaf: dsp.ScatteringMatrix, name: str) -> graph.FIR:
    """Mixing matrices with delays between, multiplied out: [taps, n, n].

    The delays were drawn when the leaf was made; ``map_filter`` keeps them.
    """
    return graph.FIR(name, values(leaf.map_filter(leaf.map(leaf.param))))
