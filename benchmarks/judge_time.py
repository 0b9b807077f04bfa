"""What judging a graph costs before it is written: stability and loudness, medians.

Each graph is a feedback delay network with 1 input and 1 output, delays of 200 to 2000 samples and
a random orthogonal matrix. "common": absorption below one at every frequency, which bounds settle;
"equalised": the same with a ten-band equaliser a line; "lossless": no absorption; "undecided":
some lines amplify, so that modes are counted on a circle; "exact": the common
one, its slowest mode found.

    python benchmarks/judge_time.py [--sizes 4 8 16 32] [--repeats 15]
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable, Iterator
from functools import partial

import numpy as np

from faustwire.graph import SOS, Array, Delay, Gain, Node, Recursion, Series
from faustwire_bridge.analysis.peak_gain import measure
from faustwire_bridge.analysis.stability import classify

FS = 48_000
# The common case at 16 lines should take no longer.
GOAL_MS = 5.0


def network(lines: int, sections: Array, gain: float = 1.0) -> Node:
    """A network; ``sections`` [sections, 6, lines] stand in its loop."""
    random = np.random.default_rng(lines)
    matrix, _ = np.linalg.qr(random.standard_normal((lines, lines)))
    delays = random.choice(np.arange(200, 2000), lines, replace=False).astype(float)
    feedback = Series("feedback", (SOS("absorption", sections), Gain("matrix", gain * matrix)))
    ends = random.standard_normal((2, lines))
    loop = Recursion("loop", Delay("delays", delays), feedback)
    return Series("fdn", (Gain("in", ends[:1].T), loop, Gain("out", ends[1:])))


def absorption(lines: int) -> Array:
    """A gentle lowpass: [1, 6, lines]."""
    return np.tile(np.array([0.45, 0.4, 0.0, 1.0, -0.1, 0.0])[None, :, None], (1, 1, lines))


def equaliser(lines: int, *, depth_db: float = 1.0) -> Array:
    """Ten octaves of peaks and dips (Audio EQ Cookbook): [10, 6, lines]."""
    random = np.random.default_rng(lines)
    gain = 10 ** (random.uniform(-depth_db, depth_db, (10, lines)) / 40)
    angle = 2 * np.pi * 31.25 * 2 ** np.arange(10.0)[:, None] / FS
    alpha = np.sin(angle) / (2 * 1.4)
    b = [1 + alpha * gain, -2 * np.cos(angle) + 0 * gain, 1 - alpha * gain]
    a = [1 + alpha / gain, -2 * np.cos(angle) + 0 * gain, 1 - alpha / gain]
    return np.stack([*b, *a], axis=1) / a[0][:, None]


def graphs(lines: int) -> dict[str, Node]:
    """The cases, by name."""
    pass_through = np.tile(np.array([1.0, 0, 0, 1, 0, 0])[None, :, None], (1, 1, lines))
    alternating = absorption(lines)
    # Louder than one in half of the lines, up to some kHz.
    alternating[:, :3] *= np.where(np.arange(lines) % 2, 1.18, 0.8)
    return {
        "common": network(lines, absorption(lines)),
        "equalised": network(lines, equaliser(lines), gain=0.6),
        "lossless": network(lines, pass_through),
        "undecided": network(lines, alternating),
    }


def median_ms(run: Callable[[], object], repeats: int) -> float:
    """Of some runs after one that warms up."""
    run()
    taken = []
    for _ in range(repeats):
        start = time.perf_counter()
        run()
        taken.append(time.perf_counter() - start)
    return 1e3 * statistics.median(taken)


def rows(sizes: list[int], repeats: int) -> Iterator[str]:
    """The table, a line at a time."""
    yield f"{'case':<12}{'N':>3} {'stability ms':>13} {'loudness ms':>12}   verdict"
    for lines in sizes:
        cases = graphs(lines)
        for name, graph in cases.items():
            few = 3 if name == "undecided" else repeats
            judged = classify(graph, fs=FS)
            spent = median_ms(partial(classify, graph, fs=FS), few)
            loud = median_ms(partial(measure, graph, fs=FS), repeats)
            yield f"{name:<12}{lines:>3} {spent:>13.2f} {loud:>12.2f}   {judged.detail}"
        exactly = partial(classify, cases["common"], fs=FS, exact_decay=True)
        judged, spent = exactly(), median_ms(exactly, 3)
        yield f"{'exact':<12}{lines:>3} {spent:>13.2f} {'':>12}   {judged.detail}"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sizes", type=int, nargs="+", default=[4, 8, 16, 32])
    parser.add_argument("--repeats", type=int, default=15)
    options = parser.parse_args()
    print(f"medians; goal: common, N = 16, stability in {GOAL_MS:g} ms")
    for row in rows(options.sizes, options.repeats):
        print(row, flush=True)


if __name__ == "__main__":
    main()
