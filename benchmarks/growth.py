"""How the cost of a publish grows with the number of lines: judging, searching, compiling.

Feedback delay networks with a dense orthogonal matrix and a lowpass in each line. Processor time in
milliseconds, medians, so that a busy machine gives the same figures; `exponent` is the slope from
the size before, on logarithmic scales.

- publish: decode, write in Faust and assess a snapshot like the last one, by bounds where they
  suffice.
- verdict: assess it by exact searches alone, as for a model that bounds leave open.
- compile: libfaust, with the plugin's options. Needs the extra ``faust``.

    python benchmarks/growth.py [--sizes 4 8 16 32 64 128] [--compile-up-to 64]
"""

from __future__ import annotations

import argparse
import math
import os
import statistics
import time
from collections.abc import Callable, Iterator
from functools import partial
from itertools import pairwise

# As in the processes that judge; before numpy is loaded.
os.environ["OPENBLAS_NUM_THREADS"] = "1"

import numpy as np

from faustwire import codec
from faustwire.graph import SOS, Delay, Gain, Node, Recursion, Series
from faustwire.messages import Snapshot
from faustwire_bridge.analysis.assessment import assess
from faustwire_bridge.analysis.judge_memory import Memory
from faustwire_bridge.analysis.judgement import judge
from faustwire_bridge.children.libfaust import compile_program
from faustwire_bridge.codegen import generate
from faustwire_bridge.core.sound_limits import Limits

FS = 48_000.0
# Large models are louder: 128 lines reach 40 dB at first.
LIMITS = Limits(max_jump_db=60.0)
COLUMNS = ("publish", "verdict", "compile")


def networks(lines: int) -> Iterator[Node]:
    """One network after the other, each a small step from the last."""
    random = np.random.default_rng(lines)
    samples = random.choice(np.arange(200, 2000), lines, replace=False).astype(float)
    lowpass = np.tile(np.array([0.45, 0.4, 0, 1, -0.1, 0])[None, :, None], (1, 1, lines))
    ends = random.standard_normal((2, lines)) / math.sqrt(lines)
    matrix = random.standard_normal((lines, lines))
    while True:
        matrix += 1e-3 * random.standard_normal((lines, lines))
        mixing = Gain("mixing", np.linalg.qr(matrix)[0])
        back = Series("back", (SOS("absorption", lowpass), mixing))
        loop = Recursion("loop", Delay("delays", samples), back)
        yield Series("fdn", (Gain("in", ends[:1].T), loop, Gain("out", ends[1:])))


def median_ms(calls: list[Callable[[], object]]) -> float:
    """Processor time of a call, after one that warms up."""
    calls[0]()
    taken = []
    for call in calls[1:]:
        start = time.process_time()
        call()
        taken.append(time.process_time() - start)
    return 1e3 * statistics.median(taken)


def costs(lines: int, repeats: int, *, compiles: bool) -> dict[str, float]:
    """Milliseconds of each kind, at one size."""
    made = networks(lines)
    graphs = [next(made) for _ in range(repeats + 1)]
    memory = Memory()
    alone = partial(judge, limits=LIMITS, playing=None, playing_db=None, memory=memory)
    packed = [codec.encode(Snapshot(1, 1, FS, graph)) for graph in graphs]
    judging: list[Callable[[], object]] = [
        partial(alone, data, played=before) for before, data in pairwise([packed[0], *packed])
    ]
    searching: list[Callable[[], object]] = [
        partial(assess, graph, fs=FS, limits=LIMITS, playing_db=None, bounds=False)
        for graph in graphs[:4]
    ]
    found = {"publish": median_ms(judging), "verdict": median_ms(searching)}
    if compiles:
        texts = [generate(graph, fs=FS).text for graph in graphs[:2]]
        found["compile"] = median_ms([partial(compile_program, text) for text in texts])
    return found


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--sizes", type=int, nargs="+", default=[4, 8, 16, 32, 64, 128])
    parser.add_argument("--repeats", type=int, default=20)
    parser.add_argument("--compile-up-to", type=int, default=64, help="lines; seconds beyond")
    options = parser.parse_args()
    print("lines" + "".join(f"{name + ' ms':>14}{'exponent':>10}" for name in COLUMNS))
    last: tuple[int, dict[str, float]] | None = None
    for lines in options.sizes:
        found = costs(lines, options.repeats, compiles=lines <= options.compile_up_to)
        cells = []
        for name in COLUMNS:
            cells.append(f"{found[name]:>14.2f}" if name in found else f"{'–':>14}")
            slope = ""
            if last is not None and name in found:
                slope = f"{math.log(found[name] / last[1][name], lines / last[0]):.2f}"
            cells.append(f"{slope:>10}")
        print(f"{lines:>5}" + "".join(cells), flush=True)
        last = lines, found


if __name__ == "__main__":
    main()
