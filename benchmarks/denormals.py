"""What programs cost once their input has fallen silent, beside what they cost while it plays.

Filters decay into numbers so small (below 1.2e-38 in single precision) that processors may compute
with them slowly. Each program runs in the interpreter, in single precision as in the plugin: half a
second of noise and then silence, against noise all through. The goal: at most twice.

    python benchmarks/denormals.py [--seconds 3] [--repeats 5]
"""

from __future__ import annotations

import argparse
import time

import numpy as np

from faustwire.graph import SOS, Array, Delay, Gain, Node, Recursion, Series
from faustwire_bridge.children.libfaust import CompiledProgram, compile_program
from faustwire_bridge.codegen import generate
from graphs import cascade, difference, equaliser, mid_and_side

FS = 48_000


def network(size: int, gain: float) -> Node:
    """A feedback delay network, a low-pass section in each line, that is silent within seconds."""
    rng = np.random.default_rng(size)
    mixing = gain * np.linalg.qr(rng.normal(size=(size, size)))[0]
    section = np.array([0.25, 0.5, 0.25, 1.0, -0.3, 0.3])[None, :, None]
    lines = Delay("delays", np.array([100.0 + 17 * line for line in range(size)]))
    path = Series("path", (lines, SOS("absorption", np.repeat(section, size, axis=2))))
    return Series(
        "network",
        (
            Gain("in", np.ones((size, 2))),
            Recursion("loop", path, Gain("mix", mixing)),
            Gain("out", np.ones((2, size))),
        ),
    )


MODELS: dict[str, Node] = {
    "equaliser, 10 bands": equaliser(2),
    "mid and side, equaliser": Series("", (mid_and_side(), equaliser(2))),
    # These take away a constant.
    "highpasses": cascade([0.98, -1.96, 0.98, 1.0, -1.96, 0.961], channels=2),
    "difference, equaliser": Series("", (difference(2), equaliser(2))),
    "FDN, 4 lines": network(4, 0.7),
    "FDN, 8 lines": network(8, 0.7),
    "FDN, 16 lines": network(16, 0.6),
}


def render_seconds(program: CompiledProgram, signal: Array) -> float:
    """The processor time of playing a signal."""
    start = time.process_time()
    program.render(signal, FS)
    return time.process_time() - start


def row(name: str, graph: Node, seconds: float, repeats: int) -> str:
    """A line of the table; the least of some repeats, since other work only ever adds."""
    program = compile_program(generate(graph, fs=FS, channels=None).text)
    noise = np.random.default_rng(0).normal(size=(program.n_in, round((0.5 + seconds) * FS)))
    silence = noise.copy()
    silence[:, FS // 2 :] = 0.0
    times = [
        (render_seconds(program, noise), render_seconds(program, silence)) for _ in range(repeats)
    ]
    busy, quiet = map(min, zip(*times, strict=True))
    left = abs(program.render(silence, FS)[:, -FS // 10 :]).max()
    return f"{name:<24}{1e3 * busy:>8.0f} ms{1e3 * quiet:>8.0f} ms{quiet / busy:>8.2f}{left:>12.0e}"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=3.0, help="of silence")
    parser.add_argument("--repeats", type=int, default=5)
    options = parser.parse_args()
    print(f"{'':<24}{'noise':>11}{'silence':>11}{'ratio':>8}{'output left':>12}   goal: 2.00")
    for name, graph in MODELS.items():
        print(row(name, graph, options.seconds, options.repeats), flush=True)


if __name__ == "__main__":
    main()
