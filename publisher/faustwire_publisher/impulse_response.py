"""The impulse response of what was published, for loggers and plots: no libfaust, no torch."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from faustwire.graph import Node, channels, nodes_in
from faustwire_publisher.lowering.transfer import transfer

# What rings longer than asked for folds back so much quieter; and rounding grows by as much.
_DAMPING_DB = 140.0
# Complex numbers of a matrix a frequency that are in memory at once: 32 MiB.
_BLOCK_VALUES = 2**21


def impulse_response(graph: Node, samples: int) -> NDArray[np.float64]:
    """The response of a graph to an impulse at each input, one at a time.

    It is sampled in frequency, outside of the unit circle, so that loops that ring longer than
    that do not fold back; fractional delays are ideal ones.

    Args:
        graph: one that ``faustwire.validation.check`` accepts.
        samples: its length.

    Returns:
        [samples, inputs * outputs], the outputs for the first input first.
    """
    n_in, n_out = channels(graph)
    length = 1 << (samples - 1).bit_length()
    growth = 10 ** (_DAMPING_DB / 20 / length)
    frequencies = np.arange(length // 2 + 1)
    delay = np.exp(-2j * np.pi * frequencies / length) / growth
    widest = max(max(channels(node)) for node in nodes_in(graph))
    block = max(1, _BLOCK_VALUES // widest**2)
    with np.errstate(all="ignore"):  # a mode that hits a frequency; what is not finite is seen
        spectrum = np.concatenate(
            [transfer(graph, delay[at : at + block]) for at in range(0, len(delay), block)]
        )
    response = np.fft.irfft(spectrum, n=length, axis=0)[:samples]
    response *= growth ** np.arange(samples)[:, None, None]
    return np.ascontiguousarray(response.swapaxes(1, 2).reshape(samples, n_in * n_out))
