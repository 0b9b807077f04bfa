"""Graphs that tests build in one line."""

from __future__ import annotations

import numpy as np

from faustwire.graph import FIR, SOS, Delay, Gain, Node, Recursion, Series


def gain(value: float) -> Gain:
    """A one-channel gain; another value makes another program."""
    return Gain("gain", np.array([[value]]))


def fdn(lines: int = 4, *, seed: int = 0) -> Node:
    """A feedback delay network with an absorption filter in its loop; one in, one out."""
    random = np.random.default_rng(seed)
    matrix, _ = np.linalg.qr(random.standard_normal((lines, lines)))
    delays = random.choice(np.arange(200, 2000), lines, replace=False)
    sections = np.tile(np.array([0.45, 0.4, 0.0, 1.0, -0.1, 0.0])[None, :, None], (1, 1, lines))
    feedback = Series("feedback", (SOS("absorption", sections), Gain("matrix", matrix)))
    return Series(
        "fdn",
        (
            Gain("input_gain", random.standard_normal((lines, 1))),
            Recursion("loop", Delay("delays", delays), feedback),
            Gain("output_gain", random.standard_normal((1, lines))),
        ),
    )


def equaliser(channels: int = 1, *, fs: float = 48_000.0) -> SOS:
    """Ten octave bands from 31 Hz on, each raised by 6 dB, the same in each channel."""
    angle = 2 * np.pi * 31.25 * 2.0 ** np.arange(10) / fs
    gain, width = 10 ** (6 / 40), np.sin(angle) / 2.8
    middle = -2 * np.cos(angle)
    high, low = width * gain, width / gain
    rows = np.stack([1 + high, middle, 1 - high, 1 + low, middle, 1 - low], axis=1)
    return SOS("equaliser", np.repeat((rows / rows[:, 3:4])[:, :, None], channels, axis=2))


def cascade(section: list[float], *, sections: int = 3, channels: int = 1) -> SOS:
    """The same section several times over, in each channel."""
    return SOS("cascade", np.tile(np.array(section)[None, :, None], (sections, 1, channels)))


def difference(channels: int = 1) -> FIR:
    """Each sample less the one before it, in each channel."""
    return FIR("difference", np.array([1.0, -1.0])[:, None, None] * np.eye(channels))


def mid_and_side() -> Gain:
    """The sum and the difference of two channels."""
    return Gain("mid_and_side", np.array([[1.0, 1.0], [1.0, -1.0]]))
