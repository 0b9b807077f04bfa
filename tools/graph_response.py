"""Impulse and frequency responses of a graph in plain numpy: the oracle for lowering and codegen.

It knows nothing of Faust and of sample-by-sample order. Every node is its transfer matrix H(z),
containers are matrix algebra, and a response comes out of an inverse FFT over a circle |z| = r > 1:
there, what a finite FFT would fold back is damped by r^-L first, so long tails and even growing
responses come out to rounding.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from faustwire.graph import (
    FIR,
    SOS,
    Delay,
    DiagonalGain,
    Gain,
    Householder,
    Node,
    Parallel,
    Recursion,
    Series,
    channels,
    leaves,
)

Response = NDArray[np.float64]
Spectrum = NDArray[np.complexfloating[Any, Any]]

# What an FFT of LENGTHENING times the samples folds back is damped to this; rounding errors at the
# last sample are raised by its LENGTHENING-th root.
_FOLDED_BACK = 1e-13
_LENGTHENING = 6
# Bounds the memory: points x channels x channels complex numbers a node.
_POINTS_AT_A_TIME = 1024


@dataclass(frozen=True)
class _Points:
    """Points z = r·exp(2πi·turns), with exact powers of whole exponents where turns = k/length."""

    log_radius: float
    numerators: NDArray[np.float64]
    length: float

    def power(self, exponent: ArrayLike) -> Spectrum:
        """z^-exponent: [points, *exponent.shape]."""
        exponents = np.asarray(exponent, dtype=np.float64)
        shape = (-1,) + (1,) * exponents.ndim
        # k·m reduced before it becomes an angle: 2π·k·m/L alone loses digits with every decade.
        turns = np.mod(self.numerators.reshape(shape) * exponents, self.length) / self.length
        power: Spectrum = np.exp(-self.log_radius * exponents - 2j * np.pi * turns)
        return power

    def one_minus_inverse(self) -> Spectrum:
        """1 - 1/z, to full relative precision near z = 1."""
        angle = 2 * np.pi * self.numerators / self.length
        difference: Spectrum = -np.expm1(-self.log_radius - 1j * angle)
        return difference


def impulse_response(graph: Node, samples: int) -> Response:
    """Impulse responses of a graph whose delays are whole.

    Args:
        graph: any valid graph; delays within 1e-6 of a whole number count as whole.
        samples: how long, from the impulse on.

    Returns:
        [n_out, n_in, samples], float64, to about -250 dB of the largest value.

    Raises:
        ValueError: a fractional delay (an ideal one starts before the impulse); compare
            ``frequency_response`` instead.
    """
    if has_fractional_delays(graph):
        raise ValueError("fractional delays have no causal response: use frequency_response")
    length = _LENGTHENING * samples
    length += length % 2
    log_radius = -np.log(_FOLDED_BACK) / length
    n_in, n_out = channels(graph)
    spectrum = np.empty((length // 2 + 1, n_out, n_in), dtype=np.complex128)
    for start in range(0, length // 2 + 1, _POINTS_AT_A_TIME):
        stop = min(start + _POINTS_AT_A_TIME, length // 2 + 1)
        points = _Points(log_radius, np.arange(start, stop, dtype=np.float64), length)
        spectrum[start:stop] = _transfer(graph, points)
    damped = np.fft.irfft(spectrum, n=length, axis=0)[:samples]
    response = damped * np.exp(log_radius * np.arange(samples))[:, None, None]
    return np.ascontiguousarray(np.moveaxis(response, 0, -1))


def frequency_response(graph: Node, frequencies: ArrayLike, fs: float) -> Spectrum:
    """H(e^jω) of a stable graph; a fractional delay is the ideal shifted sinc.

    Args:
        graph: any valid graph.
        frequencies: [points], in Hz.
        fs: sampling rate in Hz.

    Returns:
        [points, n_out, n_in].
    """
    points = _Points(0.0, np.asarray(frequencies, dtype=np.float64), fs)
    return _transfer(graph, points)


def has_fractional_delays(graph: Node) -> bool:
    """Whether some delay is further than 1e-6 from a whole number of samples."""
    return any(
        np.abs(leaf.samples - np.rint(leaf.samples)).max() > 1e-6
        for leaf in leaves(graph)
        if isinstance(leaf, Delay)
    )


def relative_db(response: Response, reference: Response) -> float:
    """The largest deviation relative to the largest value of the reference, in dB."""
    difference = float(np.abs(response - reference).max())
    scale = float(np.abs(reference).max()) or 1.0
    return 20 * float(np.log10(max(difference / scale, 1e-20)))


def _transfer(node: Node, points: _Points) -> Spectrum:
    """H at the points: [points or 1, n_out, n_in]."""
    match node:
        case Series():
            transfer = _transfer(node.nodes[0], points)
            for child in node.nodes[1:]:
                transfer = _transfer(child, points) @ transfer
            return transfer
        case Parallel():
            return _joined(node, points)
        case Recursion():
            forward = _transfer(node.forward, points)
            loop = forward @ _transfer(node.feedback, points)
            closed: Spectrum = np.linalg.solve(np.eye(loop.shape[-1]) - loop, forward)
            return closed
        case Gain() | DiagonalGain() | Householder():
            return _matrix(node)[None].astype(np.complex128)
        case Delay(samples=values) | FIR(taps=values) | SOS(sections=values):
            entries = _entries(node, points)
            lead = {"delay": 0, "fir": 1, "sos": 2}[node.type]
            return (
                entries if values.ndim == lead + 2 else entries[:, :, None] * np.eye(len(values.T))
            )


def _matrix(node: Gain | DiagonalGain | Householder) -> Response:
    match node:
        case Gain():
            return node.matrix
        case DiagonalGain():
            return np.diag(node.gains)
        case Householder():
            return np.eye(len(node.vector)) - 2 * np.outer(node.vector, node.vector)


def _entries(node: Delay | FIR | SOS, points: _Points) -> Spectrum:
    """Per channel or per matrix entry: [points, n] or [points, n_out, n_in]."""
    match node:
        case Delay():
            whole = np.rint(node.samples)
            samples = np.where(np.abs(node.samples - whole) <= 1e-6, whole, node.samples)
            return points.power(samples) * (1.0 if node.gains is None else node.gains)
        case FIR():
            powers = points.power(np.arange(node.taps.shape[0]))
            filtered: Spectrum = np.tensordot(powers, node.taps, axes=1)
            return filtered
        case SOS():
            return _sections(node.sections, points)


def _joined(node: Parallel, points: _Points) -> Spectrum:
    branches = [_transfer(child, points) for child in node.nodes]
    if node.join == "sum":
        total = branches[0]
        for branch in branches[1:]:
            total = total + branch
        return total
    longest = max(len(branch) for branch in branches)
    widened = [np.broadcast_to(branch, (longest, *branch.shape[1:])) for branch in branches]
    return np.concatenate(widened, axis=1)


def _sections(sections: Response, points: _Points) -> Spectrum:
    """The product of the sections: [points, ...channels]."""
    b0, b1, b2, a0, a1, a2 = np.moveaxis(sections, 1, 0)
    one_minus = points.one_minus_inverse().reshape((-1,) + (1,) * b0.ndim)
    ratio = _quadratic(b0, b1, b2, one_minus) / _quadratic(a0, a1, a2, one_minus)
    product: Spectrum = ratio.prod(axis=1)
    return product


def _quadratic(c0: Response, c1: Response, c2: Response, one_minus: Spectrum) -> Spectrum:
    """c0 + c1/z + c2/z², around z = 1, where the coefficients of low filters cancel."""
    value: Spectrum = (c0 + c1 + c2) - (c1 + 2 * c2) * one_minus + c2 * one_minus**2
    return value
