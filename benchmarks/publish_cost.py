"""What a publish costs in processor time, beside adac: in the training, in the bridge, in stages.

For the networks of ``update_time.py``, each publish a new program with the same structure. Unlike
the times of calls these figures hold on a busy machine, too. They leave out what no processor is
busy with: waking up the other process and back, twice some 50 us on an idle machine.

    python benchmarks/publish_cost.py [--lines 4 8 16 32] [--rounds 60] [--profile 16]

With ``--profile`` the twenty functions that take most of judging a snapshot are printed, for one
number of lines.
"""

from __future__ import annotations

import argparse
import cProfile
import os
import pstats
import statistics
import tempfile
import time
import warnings
from collections.abc import Callable, Sequence
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

warnings.filterwarnings("ignore")
# As in the processes that judge; before numpy is loaded.
os.environ["OPENBLAS_NUM_THREADS"] = "1"

import adac  # noqa: E402
import torch  # noqa: E402
from rich.console import Console  # noqa: E402
from rich.table import Table  # noqa: E402
from update_time import FDN, FS  # noqa: E402

from faustwire import HotReload, codec, packed_snapshot  # noqa: E402
from faustwire.atomic_file import ReplacedFile  # noqa: E402
from faustwire.messages import Reason, Snapshot, Verdict  # noqa: E402
from faustwire_bridge.analysis.judge_memory import Memory  # noqa: E402
from faustwire_bridge.analysis.judgement import judge_at_hand  # noqa: E402
from faustwire_bridge.codegen import WrittenLeaves, generate  # noqa: E402
from faustwire_bridge.core.sound_limits import Limits  # noqa: E402
from faustwire_publisher.lowering import lower_with_remarks  # noqa: E402
from processes import children, cpu_seconds  # noqa: E402

WARM_UP = 12


def median_ms(calls: Sequence[Callable[[], object]]) -> float:
    """Processor time of each of some calls in this process."""
    taken = []
    for call in calls:
        start = time.process_time()
        call()
        taken.append(time.process_time() - start)
    return 1e3 * statistics.median(taken)


def whole(lines: int, rounds: int) -> dict[str, float]:
    """Milliseconds a publish takes of each process, ours and adac's in turn."""
    fdn = FDN(lines, filters=True)
    spent = {"adac": 0.0, "training": 0.0}
    # The bridge of the network before may not have left yet.
    others = set(children(os.getpid()))
    with tempfile.TemporaryDirectory() as folder:

        def paths(stem: str) -> dict[str, Any]:
            return {"dsp_path": f"{folder}/{stem}.dsp", "config_path": f"{folder}/{stem}.txt"}

        theirs = adac.HotReload(FS, min_interval=0, **paths("adac"))
        with HotReload(FS, min_interval=0, timeout=60, **paths("ours")) as ours:
            for name, live in [("adac", theirs), ("training", ours)] * WARM_UP:
                fdn.step()
                if not live.update(fdn.model):
                    raise SystemExit(f"{name} published nothing: {getattr(live, 'last', None)}")
            [bridge] = set(children(os.getpid())) - others
            before = _cpu(bridge)
            for _ in range(rounds):
                for name, live in (("adac", theirs), ("training", ours)):
                    fdn.step()
                    start = time.process_time()
                    live.update(fdn.model)
                    spent[name] += time.process_time() - start
            spent["bridge"] = _cpu(bridge) - before
    return {name: 1e3 * seconds / rounds for name, seconds in spent.items()}


def _cpu(pid: int) -> float:
    return cpu_seconds(pid) + sum(_cpu(child) for child in children(pid))


def snapshots(lines: int, rounds: int) -> list[bytes]:
    """Encoded snapshots of a network that is trained."""
    fdn, seen = FDN(lines, filters=True), []
    for _ in range(rounds):
        fdn.step()
        graph = lower_with_remarks(fdn.model, FS).graph
        seen.append(codec.encode(Snapshot(1, 1, float(FS), graph)))
    return seen


def judging(seen: Sequence[bytes]) -> list[Callable[[], object]]:
    """Calls that judge each snapshot after the one before it, and remember."""
    alone = partial(judge_at_hand, limits=Limits(), playing=None, playing_db=None, memory=Memory())
    return [partial(alone, after, played=before) for before, after in pairwise(seen)]


def least_judging_ms(lines: int, rounds: int) -> float:
    """The least processor time of judging, the same snapshots three times over."""
    return min(median_ms([judge]) for judge in judging(snapshots(lines, rounds)) * 3)


def judging_after_steps_ms(lines: int, rounds: int) -> float:
    """Processor time of judging with a step of a training before each: caches are cold then."""
    fdn, taken = FDN(lines, filters=True), []
    for judge in judging(snapshots(lines, rounds)):
        fdn.step()
        taken.append(median_ms([judge]))
    return statistics.median(taken)


def stages(lines: int, rounds: int) -> dict[str, float]:
    """Milliseconds of each stage, in this process."""
    fdn = FDN(lines, filters=True)
    data = snapshots(lines, rounds + 1)
    sent = [codec.decode(one) for one in data]
    graphs = [message.graph for message in sent if isinstance(message, Snapshot)]
    written = WrittenLeaves()
    verdict = Verdict(1, published=True, reason=Reason.PUBLISHED, margin_db=1.0, rt60_seconds=1.0)
    text = generate(graphs[0], fs=FS).text.encode()
    with tempfile.TemporaryDirectory() as folder:
        file = ReplacedFile(Path(folder) / "live.dsp", "key")
        found = {
            "lower": median_ms([partial(lower_with_remarks, fdn.model, FS)] * rounds),
            "encode": median_ms([partial(codec.encode, message) for message in sent]),
            "read header": median_ms([partial(packed_snapshot.read, one) for one in data]),
            "decode": median_ms([partial(codec.decode, one) for one in data]),
            "write in Faust": median_ms(
                [partial(generate, graph, fs=FS, written=written) for graph in graphs]
            ),
            # All of judging, of which decoding and writing were two.
            "judge": median_ms(judging(data)),
            "file": median_ms([partial(file.write, text)] * rounds),
            "verdict": median_ms([lambda: codec.decode(codec.encode(verdict))] * rounds),
        }
    judged = found.pop("judge")
    found["assess"] = judged - found["decode"] - found["write in Faust"]
    found["least of judging"] = least_judging_ms(lines, rounds)
    found["after a step"] = judging_after_steps_ms(lines, rounds)
    return found


def profile(lines: int, rounds: int) -> None:
    """Print what takes most of judging."""
    calls = judging(snapshots(lines, rounds))
    profiler = cProfile.Profile(time.thread_time)
    profiler.enable()
    for judge in calls:
        judge()
    profiler.disable()
    pstats.Stats(profiler).strip_dirs().sort_stats("tottime").print_stats(20)


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--lines", type=int, nargs="*", default=[4, 8, 16, 32])
    parser.add_argument("--rounds", type=int, default=60)
    parser.add_argument("--profile", type=int, help="of this number of lines")
    options = parser.parse_args()
    torch.set_num_threads(1)
    if options.profile:
        profile(options.profile, options.rounds)
        return
    table = Table(title="processor time of a publish, ms; ratio = all of ours / adac's")
    for column in ("lines", "adac", "training", "bridge", "ratio"):
        table.add_column(column, justify="right")
    in_stages = Table(title="stages of it, ms")
    for number, lines in enumerate(options.lines):
        cost, stage = whole(lines, options.rounds), stages(lines, options.rounds)
        ratio = (cost["training"] + cost["bridge"]) / cost["adac"]
        cells = [cost["adac"], cost["training"], cost["bridge"], ratio]
        table.add_row(str(lines), *(f"{cell:.2f}" for cell in cells))
        if not number:
            for column in ("lines", *stage):
                in_stages.add_column(column, justify="right")
        in_stages.add_row(str(lines), *(f"{cell:.2f}" for cell in stage.values()))
    Console(width=110).print(table, in_stages)


if __name__ == "__main__":
    main()
