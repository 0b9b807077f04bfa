"""How long the plugin is silent, and how much it computes: our programs against adac's.

Both programs are of the same FLAMO feedback delay network, one with absorption filters in the loop
(``parallelSOSFilter``). libfaust compiles them with the plugin's options in turn, so that a change
of the machine's speed hits both; each time in a process of its own, because libfaust gets slower
with each compile in a process (twice as slow after five programs with 32 lines).
Needs the extra ``dev``. With ``--instructions``, valgrind counts those of a compile as well (in
millions, above an empty program's): unlike times, they repeat to the digit on a busy machine.

    python benchmarks/compile_time.py [--sizes 4 8 16 32] [--repeats 15] [--sections 1]

Below the table: a network with a scattering matrix, as the cascade that we write and multiplied
out; FIR filters of growing length, as the chain of short sums that we write and as one
sum.
"""

from __future__ import annotations

import argparse
import itertools
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
import warnings
from collections import OrderedDict
from collections.abc import Callable, Iterator
from typing import Any

import adac
import numpy as np
import torch
from flamo.processor import dsp, system

from faustwire.graph import FIR, Delay, Gain, Node, Recursion, Series
from faustwire_bridge.children.libfaust import compile_program
from faustwire_bridge.codegen import generate
from faustwire_bridge.codegen.builder import balanced
from faustwire_publisher.lowering import lower

FS = 48_000
# Goals by size: how many times faster to compile; how much of adac's cost to run.
COMPILE_GOALS = {
    "dense": {4: 3.5, 8: 2.5, 16: 2.0, 32: 1.5},
    "householder": {4: 3.5, 8: 3.0, 16: 3.0, 32: 4.0},
    "hadamard": {4: 3.0, 8: 3.0, 16: 3.0, 32: 4.0},
}
RUN_GOALS = {
    "dense": {4: 0.78, 8: 0.78, 16: 0.78, 32: 0.78},
    "householder": {32: 0.4},
    "hadamard": {32: 0.4},
}
# Prints the processor seconds of one compile, after a first one that loads what libfaust needs.
_COMPILE = """
import sys, time
from faustwire_bridge.children.libfaust import compile_program
text = sys.stdin.read()
compile_program("process = _,_;")
start = time.process_time()
compile_program(text)
print(time.process_time() - start)
"""
_ONE_COMPILE = """
import sys
from faustwire_bridge.children import cyfaust_wheel
cyfaust_wheel.create_factory(cyfaust_wheel.load(), sys.stdin.read(), "program")
"""


def network(size: int, kind: str, sections: int) -> Any:
    """A feedback delay network, mono, with a random orthogonal or a structured matrix."""
    torch.manual_seed(size)
    common = {"nfft": 2**10, "device": "cpu"}
    # adac reads a delay in units of samples only.
    delays = dsp.parallelDelay(size=(size,), max_len=4000, isint=True, unit=1, fs=FS, **common)
    lengths = torch.tensor([503.0 + 41 * line for line in range(size)])
    delays.assign_value(delays.sample2s(lengths))
    absorption = dsp.parallelSOSFilter(size=(size,), n_sections=sections, **common)
    absorption.assign_value(_absorption(size, sections).reshape(absorption.param.shape))
    if kind == "householder":
        mixing = dsp.HouseholderMatrix(size=(size, size), **common)
    else:
        matrix_type = {"dense": "orthogonal", "hadamard": "hadamard"}[kind]
        mixing = dsp.Matrix(size=(size, size), matrix_type=matrix_type, **common)
    loop = system.Recursion(fF=_named(delays=delays, absorption=absorption), fB=mixing)
    ins, outs = dsp.Gain(size=(size, 1), **common), dsp.Gain(size=(1, size), **common)
    return _named(ins=ins, loop=loop, outs=outs)


def _named(**nodes: Any) -> Any:
    # adac makes identifiers of names; FLAMO's own, "0", "1", would be wires.
    return system.Series(OrderedDict(nodes))


def _absorption(size: int, sections: int) -> torch.Tensor:
    """Gentle lowpass sections, [sections, 6, size], each different."""
    rng = np.random.default_rng(size)
    radius, angle = rng.uniform(0.2, 0.5, (2, sections, size))
    a1, a2 = -2 * radius * np.cos(angle), radius**2
    b = np.stack([np.ones_like(a1), rng.uniform(0.1, 0.3, a1.shape), rng.uniform(0, 0.1, a1.shape)])
    b *= 0.97 * (1 + a1 + a2) / b.sum(axis=0)
    values = np.stack([*b, np.ones_like(a1), a1, a2], axis=1)
    return torch.tensor(values, dtype=torch.float32)


def texts(size: int, kind: str, sections: int) -> tuple[str, str]:
    """(ours, adac's)."""
    model = network(size, kind, sections)
    ours = generate(lower(model), fs=FS, channels=None).text
    return ours, adac.json_to_faust(adac.flamo_to_json(model, FS))


def interleaved(
    measure: Callable[[str], float], pair: tuple[str, str], repeats: int
) -> list[float]:
    """The medians of a measurement of both texts, taken in turn."""
    taken: tuple[list[float], list[float]] = ([], [])
    for _ in range(repeats):
        for text, times in zip(pair, taken, strict=True):
            times.append(measure(text))
    return [statistics.median(times) for times in taken]


def compile_seconds(text: str) -> float:
    """One compile in a fresh process."""
    command = [sys.executable, "-c", _COMPILE]
    done = subprocess.run(command, input=text, text=True, capture_output=True, check=True)
    return float(done.stdout)


def run_seconds(text: str, seconds: float = 0.5) -> float:
    """The processor time that the interpreter takes for some seconds of noise."""
    program = compile_program(text)
    noise = np.random.default_rng(0).normal(size=(program.n_in, round(seconds * FS)))
    start = time.process_time()
    program.render(noise, FS)
    return time.process_time() - start


def instructions(text: str) -> float:
    """The instructions of one compile, Python and the interpreter's start among them."""
    with tempfile.TemporaryDirectory() as folder:
        command = ["valgrind", "--tool=callgrind", f"--callgrind-out-file={folder}/out"]
        command += [sys.executable, "-c", _ONE_COMPILE]
        # Python's own share must not depend on how it hashes names.
        environment = {**os.environ, "PYTHONHASHSEED": "0"}
        done = subprocess.run(
            command, input=text, text=True, capture_output=True, check=True, env=environment
        )
    return float(re.findall(r"Collected : (\d+)", done.stderr)[-1])


def rows(sizes: list[int], sections: int, repeats: int) -> Iterator[str]:
    """The table of times, a line at a time."""
    yield (
        f"{'matrix':<12}{'N':>3}  {'compile ms':>18}  {'ratio':>6} {'goal':>6}   "
        f"{'run':>4} {'goal':>4}"
    )
    for kind, size in itertools.product(COMPILE_GOALS, sizes):
        pair = texts(size, kind, sections)
        ours, theirs = interleaved(compile_seconds, pair, repeats)
        ours_run, theirs_run = interleaved(run_seconds, pair, max(3, repeats // 3))
        goal, run_goal = (
            goals[kind].get(size, float("nan")) for goals in (COMPILE_GOALS, RUN_GOALS)
        )
        yield (
            f"{kind:<12}{size:>3}  {1e3 * ours:>7.1f} / {1e3 * theirs:>6.1f}  "
            f"{theirs / ours:>5.2f}x {goal:>5.1f}x   {ours_run / theirs_run:.2f} {run_goal:.2f}"
        )


def instruction_rows(sizes: list[int], sections: int) -> Iterator[str]:
    """The table of instructions, a line at a time."""
    yield f"{'matrix':<12}{'N':>3}  {'million instructions':>22}  {'ratio':>6} {'goal':>6}"
    empty = instructions("process = _,_;")
    for kind, size in itertools.product(COMPILE_GOALS, sizes):
        ours, theirs = (instructions(text) - empty for text in texts(size, kind, sections))
        goal = COMPILE_GOALS[kind].get(size, float("nan"))
        yield (
            f"{kind:<12}{size:>3}  {ours / 1e6:>9.1f} / {theirs / 1e6:>10.1f}  "
            f"{theirs / ours:>5.2f}x {goal:>5.1f}x"
        )


def scattering_row(size: int, repeats: int) -> str:
    """A network whose feedback matrix is a scattering matrix: as a cascade, and multiplied out."""
    torch.manual_seed(size)
    none = torch.zeros(size)
    mixing = dsp.ScatteringMatrix((4, size, size), sparsity=3, m_L=none, m_R=none, device="cpu")
    cascade = lower(mixing)
    taps = mixing.map_filter(mixing.map(mixing.param)).detach().numpy()
    pair = [
        generate(_loop(size, feedback), fs=FS, channels=None).text
        for feedback in (cascade, FIR("taps", taps))
    ]
    ours, theirs = interleaved(compile_seconds, (pair[0], pair[1]), repeats)
    ours_run, theirs_run = interleaved(run_seconds, (pair[0], pair[1]), repeats)
    return (
        f"scattering FDN, {size} lines: {len(pair[0]) / 1e3:.1f} / {len(pair[1]) / 1e3:.1f} kB, "
        f"compile {1e3 * ours:.1f} / {1e3 * theirs:.1f} ms ({theirs / ours:.2f}x), "
        f"run {ours_run / theirs_run:.2f} of it multiplied out"
    )


def _loop(size: int, feedback: Node) -> Node:
    delays = Delay("delays", np.array([503.0 + 41 * line for line in range(size)]))
    ins, outs = Gain("in", np.ones((size, 1))), Gain("out", np.ones((1, size)))
    return Series("fdn", (ins, Recursion("loop", delays, feedback), outs))


def fir_rows(taps: list[int], repeats: int) -> Iterator[str]:
    """FIR filters of growing length, a line each: a chain of short sums against one sum."""
    yield f"{'FIR taps':<15}  {'compile ms, chain / one sum':>28}  {'ratio':>6}   run, of one sum's"
    for count in taps:
        values = np.random.default_rng(count).normal(size=(count, 1)) / count
        chain = generate(FIR("fir", values), fs=FS, channels=None).text
        terms = [f"{value!r}*x@{step}" for step, value in enumerate(values[:, 0].tolist())]
        pair = (chain, f"process(x) = {balanced(terms)};")
        ours, theirs = interleaved(compile_seconds, pair, repeats)
        ours_run, theirs_run = interleaved(run_seconds, pair, repeats)
        yield (
            f"{count:<15}  {1e3 * ours:>13.1f} / {1e3 * theirs:>12.1f}  {theirs / ours:>5.2f}x   "
            f"{ours_run / theirs_run:.2f}"
        )


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sizes", type=int, nargs="+", default=[4, 8, 16, 32])
    parser.add_argument("--sections", type=int, default=1, help="absorption sections a line")
    parser.add_argument("--taps", type=int, nargs="*", default=[500, 2_000, 8_000])
    parser.add_argument("--repeats", type=int, default=15)
    parser.add_argument("--instructions", action="store_true", help="count them, with valgrind")
    options = parser.parse_args()
    # flamo talks while it wires a model.
    warnings.simplefilter("ignore")
    print("ours / adac's, medians; run: the cost of ours to run, as a part of adac's")
    for row in rows(options.sizes, options.sections, options.repeats):
        print(row, flush=True)
    if options.instructions:
        for row in instruction_rows(options.sizes, options.sections):
            print(row, flush=True)
    print(scattering_row(4, max(1, options.repeats // 5)), flush=True)
    for row in fir_rows(options.taps, max(1, options.repeats // 5)):
        print(row, flush=True)


if __name__ == "__main__":
    main()
