"""What the gates add to a publish: of a structure that is known, and of one that is new.

The model is a feedback delay network with a dense orthogonal matrix that decays in a second. Needs
the extra ``faust``.

    python benchmarks/gate_time.py [--sizes 4 8 16 32] [--repeats 15]
"""

from __future__ import annotations

import argparse
import select
import statistics
import time
from collections.abc import Callable
from contextlib import closing

import numpy as np

from faustwire import codec
from faustwire.graph import Delay, Gain, Node, Recursion, Series
from faustwire.messages import Hello, Snapshot, Welcome
from faustwire.packed_snapshot import read
from faustwire_bridge.analysis.assessment import assess
from faustwire_bridge.analysis.judgement import judge
from faustwire_bridge.children.compiler import Compiler
from faustwire_bridge.codegen import generate
from faustwire_bridge.core import events, instructions, state_machine
from faustwire_bridge.core.compile_report import Report
from faustwire_bridge.core.sound_limits import Limits

FS = 48_000


def network(size: int, rng: np.random.Generator) -> Node:
    """A mono network of this many lines, with new constants and the same delays each time."""
    samples = np.arange(503.0, 503.0 + 41 * size, 41)
    decay = np.diag(10 ** (-3 * samples / FS))
    orthogonal = np.linalg.qr(rng.normal(size=(size, size)))[0]
    loop = Recursion("loop", Delay("delays", samples), Gain("mixing", orthogonal @ decay))
    ins, outs = Gain("ins", rng.normal(size=(size, 1))), Gain("outs", rng.normal(size=(1, size)))
    return Series("fdn", (ins, loop, outs))


def timed(what: Callable[[], object]) -> float:
    """Milliseconds that a call takes."""
    begun = time.perf_counter()
    what()
    return 1e3 * (time.perf_counter() - begun)


def decided(bridge: state_machine.Core, arrived: events.Arrived) -> None:
    """A call's way through the core and its judge, up to libfaust or the disk."""
    [asked] = bridge.handle(arrived, 0.0)
    assert isinstance(asked, instructions.Judge)  # noqa: S101
    playing, playing_db = asked.playing, asked.playing_db
    judged = judge(asked.data, limits=Limits(), playing=playing, playing_db=playing_db)
    bridge.handle(judged, 0.0)


def compiled(compiler: Compiler, program: str) -> object:
    """The answer to a new program, however long it takes."""
    compiler.ask(program, play=False)
    while (answer := compiler.receive()) is None:
        descriptor = compiler.fileno()
        assert descriptor is not None  # noqa: S101 - it has been asked
        select.select([descriptor], [], [], 0.1)
    return answer


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--sizes", type=int, nargs="+", default=[4, 8, 16, 32])
    parser.add_argument("--repeats", type=int, default=15)
    options = parser.parse_args()
    print("lines  core, known [ms]  of it codegen  of it the sound  compile, new structure [ms]")
    for size in options.sizes:
        rng = np.random.default_rng(size)
        bridge = state_machine.Core(Welcome(1, "here", "/live.dsp"), 0.0)
        bridge.handle(events.Arrived(b"anna", Hello("anna", "1", min_interval=0)), 0.0)
        rows = []
        with closing(Compiler("live")) as compiler:
            compiled(compiler, "process = _,_;")
            for number in range(1, options.repeats + 2):
                graph = network(size, rng)
                snapshot = events.Arrived(
                    b"anna", read(codec.encode(Snapshot(number, number, float(FS), graph)))
                )
                row = [
                    timed(lambda: decided(bridge, snapshot)),  # noqa: B023 - called at once
                    timed(lambda: generate(graph, fs=FS)),  # noqa: B023
                    timed(lambda: assess(graph, fs=FS, limits=Limits(), playing_db=0.0)),  # noqa: B023
                    timed(lambda: compiled(compiler, generate(graph, fs=FS).text)),  # noqa: B023
                ]
                if number == 1:  # the structure is new to the core
                    bridge.handle(events.Compiled(Report()), 0.0)
                else:
                    rows.append(row)
                bridge.handle(events.Written(), 0.0)
        known, code, sound, new = (statistics.median(column) for column in zip(*rows, strict=True))
        print(f"{size:5}{known:18.2f}{code:15.2f}{sound:17.2f}{new:29.1f}", flush=True)


if __name__ == "__main__":
    main()
