"""Graphs that tests build in one line."""

from __future__ import annotations

import numpy as np

from faustwire.graph import SOS, Delay, Gain, Node, Recursion, Series


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
