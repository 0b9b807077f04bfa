"""What recording costs, and how quickly one finds what one wants in a long recording.

Prints, of a real training of FLAMO's feedback delay network of 16 lines: the size of a snapshot in
memory, on the wire and on disk; what it costs to write and to read it; and, of a recording of a
million small snapshots of four workers, closed and killed, how long it takes to find a call or a
time, and the memory of a process that does so and then reads it all.

    PYTHONPATH=tools python benchmarks/recording.py [--snapshots 1000000] [--bridge]

With --bridge it also runs real bridges with and without --record, in turns, under a worker that
sends as fast as it is answered: the recording's share is the ratio.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

warnings.filterwarnings("ignore")

import numpy as np  # noqa: E402
import torch  # noqa: E402

from bridges import Plugin, served  # noqa: E402
from faustwire import codec, recording  # noqa: E402
from faustwire.graph import Gain  # noqa: E402
from faustwire.header import read_header  # noqa: E402
from faustwire.messages import Hello, Reason, Snapshot, Verdict  # noqa: E402
from faustwire_bridge.recordings import recorder  # noqa: E402
from faustwire_publisher.lowering import lower  # noqa: E402
from load import Plan, Template, begin, processes, tallies  # noqa: E402
from models import fdn  # noqa: E402
from processes import cpu_seconds  # noqa: E402

FS = 48000.0
SECOND = 10**9
START_NS = 1_795_000_000 * SECOND
LOOK = Path(__file__).with_name("recording_look.py")


def training(lines: int, steps: int) -> Iterator[tuple[Any, bytes]]:
    """The snapshots of a training, each after another step of Adam."""
    torch.manual_seed(0)
    model = fdn(lines)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    impulse = torch.eye(1, 2048).reshape(1, 2048, 1)
    target = torch.randn(1, 2048, 1) * torch.exp(-torch.arange(2048) / 300).reshape(1, 2048, 1)
    for step in range(1, steps + 1):
        loss = torch.nn.functional.mse_loss(model(impulse), target)
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        optimizer.zero_grad()
        metrics = {"loss": float(loss.detach())}
        yield model, codec.encode(Snapshot(step, step, FS, lower(model), metrics=metrics))


def channel(number: int) -> recording.Channel:
    """Where the snapshots of a worker go."""
    name = f"w{number}"
    return recording.of_worker("in", name.encode(), Hello(name, f"{name}-1"), None, ())


def write(target: Path, messages: list[bytes], pace: float) -> tuple[Path, float]:
    """Record messages, this many seconds apart; the file, and microseconds a message."""
    writer = recording.RecordingWriter(target, START_NS, {})
    where = channel(0)
    begun = time.process_time()
    for number, data in enumerate(messages):
        at_ns = START_NS + int(number * pace * SECOND)
        read_header(data)  # As the recorder does.
        writer.write(at_ns, where, data)
    writer.close()
    return writer.path, 1e6 * (time.process_time() - begun) / len(messages)


def of_a_training(folder: Path, lines: int, steps: int) -> None:
    """Sizes, and what a message costs."""
    snapshots = list(training(lines, steps))
    model, messages = snapshots[-1][0], [data for _, data in snapshots]
    trained = 4 * sum(p.numel() for p in model.parameters() if p.requires_grad)
    wire = statistics.mean(map(len, messages))
    print(f"a snapshot of an FDN of {lines} lines, means over {steps} steps of Adam")
    print(f"  its trained parameters, raw float32   {trained:8d} B")
    print(f"  its message on the wire               {wire:8.0f} B  {wire / trained:5.2f} x raw")
    for pace in (0.01, 0.1, 1.0):
        path, cost = write(folder / f"pace-{pace}", messages, pace)
        size = path.stat().st_size / len(messages)
        print(
            f"  on disk, one every {pace:4g} s             {size:8.0f} B"
            f"  {size / trained:5.2f} x raw  {size / wire:4.2f} x wire  {cost:5.1f} us to write"
        )
    print(f"  the recorder's share of a throttled call: {of_a_recorder(folder, messages):.0f} us")
    many = messages * (20_000 // len(messages))
    path, cost = write(folder / "many", many, 0.001)
    begun = time.process_time()
    count = sum(1 for _ in recording.Recording(path))
    reading = time.process_time() - begun
    total = sum(map(len, many)) / 1e6
    assert count == len(many)  # noqa: S101
    print(
        f"  writing {1e6 / cost:8.0f} snapshots/s ({total / (cost * len(many) / 1e6):.0f} MB/s), "
        f"reading {count / reading:8.0f} snapshots/s ({total / reading:.0f} MB/s), of one core"
    )


def of_a_recorder(folder: Path, messages: list[bytes]) -> float:
    """What the bridge's recorder takes for a throttled call, in microseconds."""
    begun_at = recorder.begin(str(folder / "recorder"), dsp_path="/live.dsp", rules={})
    hello = Hello("ann", "1")
    begun_at.arrived(0, b"ann", codec.encode(hello))
    begun_at.identified(b"ann", hello, None)
    verdict = Verdict(1, False, Reason.MIN_INTERVAL)
    answer = codec.encode(verdict)
    cpu = time.process_time()
    for number, data in enumerate(messages):
        begun_at.arrived(number * 10**7, b"ann", data)
        begun_at.sent(number * 10**7, b"ann", answer, verdict)
        begun_at.tick(number * 10**7)
    cpu = time.process_time() - cpu
    begun_at.close()
    return 1e6 * cpu / len(messages)


def long_recording(target: Path, count: int) -> Path:
    """A million small snapshots of four workers, a millisecond apart."""
    message = codec.encode(Snapshot(1, 1, FS, Gain("gain", np.array([[0.5]]))))
    plain = target.with_suffix(".message")
    plain.write_bytes(message)
    template = Template(message)
    rotation = recording.Rotation(max_bytes=2**40, max_seconds=1e9)
    writer = recording.RecordingWriter(target, START_NS, {}, rotation=rotation)
    channels = [channel(number) for number in range(4)]
    random = np.random.default_rng(0).random(count)
    begun = time.perf_counter()
    for number in range(count):
        data = template.message(number // 4 + 1, random[number])
        writer.write(START_NS + number * SECOND // 1000, channels[number % 4], data)
    writer.close()
    seconds = time.perf_counter() - begun
    size = writer.path.stat().st_size
    print(
        f"a recording of {count} snapshots of {len(data)} B: {size / 1e6:.0f} MB in one file, "
        f"written in {seconds:.1f} s"
    )
    return writer.path


def without_end(path: Path) -> Path:
    """The same as a killed bridge would have left it: without its index."""
    cut = path.with_name("killed.mcap")
    shutil.copy(path, cut)
    data = path.read_bytes()[-28:]
    os.truncate(cut, int.from_bytes(data[:8], "little") - 13)
    return cut


def of_a_long_recording(folder: Path, count: int) -> None:
    """How quickly a call or a time is found, and what it takes of memory."""
    path = long_recording(folder / "long", count)
    for name, file in (("closed", path), ("killed", without_end(path))):
        command = [sys.executable, str(LOOK), str(file), str(count)]
        done = subprocess.run(command, check=True, capture_output=True, text=True)
        found = json.loads(done.stdout)
        print(
            f"  {name}: opened and the first call found in {found['first']:.1f} ms; then a call in "
            f"{found['find']:.1f} ms (at most {found['find_most']:.1f}), a time in "
            f"{found['seek']:.1f} ms (at most {found['seek_most']:.1f});\n"
            f"          read at {found['read']:.0f} snapshots/s; memory {found['rss_begin']:.0f} "
            f"MB before it was opened, at most {found['rss_end']:.0f} MB while it was read"
        )


def of_a_bridge(folder: Path, lines: int, rounds: int) -> None:
    """Verdicts a second, with and without a recording, in turns."""
    snapshot = folder / "snapshot.msgpack"
    snapshot.write_bytes(codec.encode(Snapshot(1, 1, FS, lower(fdn(lines)))))
    print(f"a bridge under one worker at full speed, an FDN of {lines} lines, {rounds} rounds")
    for kind, min_interval in {"throttled": 3600.0, "published": 0.0}.items():
        pairs = []
        for number in range(rounds):
            plain = bridge_round(folder / f"{kind}-{number}", snapshot, min_interval)
            target = folder / f"{kind}-{number}-run"
            record = ("--record", str(target))
            recorded = bridge_round(
                folder / f"{kind}-{number}-recorded", snapshot, min_interval, *record
            )
            shutil.rmtree(target)
            pairs.append((*plain, *recorded))
        rate, cpu, recorded_rate, recorded_cpu = map(statistics.median, zip(*pairs, strict=True))
        ratios = sorted(pair[2] / pair[0] for pair in pairs)
        shares = sorted(pair[3] / pair[1] for pair in pairs)
        print(
            f"  {kind}: {rate:.0f} verdicts/s without, {recorded_rate:.0f} with; ratio "
            f"{statistics.median(ratios):.2f} ({ratios[0]:.2f} to {ratios[-1]:.2f}); the bridge's "
            f"processor time a verdict {cpu:.0f} us, {recorded_cpu:.0f} us; ratio "
            f"{statistics.median(shares):.2f} ({shares[0]:.2f} to {shares[-1]:.2f})"
        )


def bridge_round(
    folder: Path, snapshot: Path, min_interval: float, *arguments: str, seconds: float = 3.0
) -> tuple[float, float]:
    """Verdicts a second, and microseconds of the bridge's processor time for each."""
    folder.mkdir()
    with served(Plugin(folder), *arguments) as bridge:
        plan = Plan(bridge.endpoint, str(snapshot), seconds=seconds, min_interval=min_interval)
        with processes([plan]) as running:
            cpu = cpu_seconds(bridge.process.pid)
            begin(running)
            (tally,) = tallies(running)
            cpu = cpu_seconds(bridge.process.pid) - cpu
    return tally.answered[0] / seconds, 1e6 * cpu / tally.answered[0]


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--snapshots", type=int, default=1_000_000, help="of the long recording")
    parser.add_argument("--lines", type=int, default=16)
    parser.add_argument("--steps", type=int, default=200)
    parser.add_argument("--bridge", action="store_true", help="with and without --record as well")
    parser.add_argument("--rounds", type=int, default=5, help="of bridges")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        of_a_training(folder, options.lines, options.steps)
        of_a_long_recording(folder, options.snapshots)
        if options.bridge:
            of_a_bridge(folder, options.lines, options.rounds)


if __name__ == "__main__":
    main()
