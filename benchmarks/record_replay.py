"""A training recorded, its bridge killed, and the recording played again in every way.

Two workers train FLAMO feedback delay networks with a real optimiser, and a bridge that records is
killed with SIGKILL while they do. What the plugin was given is hashed from outside, as it is
written; the recording is inspected, replayed at several speeds to fresh bridges and decided again
offline, and each time the programs must be the same ones in the same order.

    python benchmarks/record_replay.py [--steps 2000] [--skip-real-time]
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from faustwire import codec
from faustwire.messages import Event
from faustwire.recording import Recording

sys.path.insert(0, str(Path(__file__).parents[1] / "tools"))

_MIN_INTERVAL = 0.1
_WORKERS = ("left", "right")
_DEADLINE_SECONDS = 600.0


# -- the training -------------------------------------------------------------------------------


def train(name: str, endpoint: str) -> None:
    """Train until killed: six lines, an orthogonal matrix, a flat response as the target."""
    import torch  # noqa: PLC0415  (only the workers need it)

    from faustwire import HotReload  # noqa: PLC0415
    from models import FlatTraining, fdn  # noqa: PLC0415

    torch.set_num_threads(1)
    torch.manual_seed(_WORKERS.index(name))
    model = fdn(6, attenuation=0.8)
    training = FlatTraining(model)
    with HotReload(48000, endpoint=endpoint, worker=name, min_interval=_MIN_INTERVAL) as live:
        for step in range(1, 10**9):
            loss = training.step()
            live.update(model, metrics={"loss": loss})
            if step % 10 == 0:
                print(step, flush=True)


# -- bridges ------------------------------------------------------------------------------------


@dataclass
class Place:
    """A plugin's folder, and where its bridge records to."""

    folder: Path
    hashes: list[str] = field(default_factory=list)

    @property
    def dsp_path(self) -> Path:
        """What the bridge keeps."""
        return self.folder / "live.dsp"

    @property
    def recording(self) -> Path:
        """What it records to."""
        return self.folder / "recording"

    def listen(self, over: threading.Event) -> None:
        """Hash each program that is written, from outside; reloads are 100 ms apart or more."""
        known = 0
        while not over.wait(0.002):
            with suppress(FileNotFoundError):
                status = self.dsp_path.stat()
                if status.st_mtime_ns != known:
                    known = status.st_mtime_ns
                    self.hashes.append(hashlib.sha256(self.dsp_path.read_bytes()).hexdigest())


@contextmanager
def bridge(place: Place, *options: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """A bridge that records; yields its process and its endpoint."""
    place.folder.mkdir()
    command = [sys.executable, "-m", "faustwire_bridge", "serve", "--print-ready"]
    command += ["--bind", "tcp://127.0.0.1:0", "--record", str(place.recording)]
    command += ["--dsp-path", str(place.dsp_path), "--config-path", str(place.folder / "config")]
    process = subprocess.Popen(
        [*command, "--log-level", "error", *options], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None  # noqa: S101
    try:
        yield process, json.loads(process.stdout.readline())["endpoints"][0]
    finally:
        process.terminate()
        process.wait()
        process.stdout.close()


def programs(recording: Path) -> list[str]:
    """SHA-256 of each program that a bridge wrote, by the events that it recorded."""
    items = Recording(recording).items(topics={"event"})
    events = (codec.decode(item.data) for item in items)
    return [event.program for event in events if isinstance(event, Event) and event.program]


# -- the proof ----------------------------------------------------------------------------------


def record(place: Place, steps: int) -> float:
    """Train, record, and kill the bridge in the middle of it; returns for how long it was."""
    over = threading.Event()
    ear = threading.Thread(target=place.listen, args=(over,))
    with bridge(place) as (process, endpoint):
        ear.start()
        begun = time.monotonic()
        workers = [
            subprocess.Popen(
                [sys.executable, __file__, "--train", name, "--endpoint", endpoint],
                stdout=subprocess.PIPE,
                text=True,
            )
            for name in _WORKERS
        ]
        for worker in workers:
            _wait_for_step(worker, steps)
        # So that the second that a kill costs comes after them.
        time.sleep(1.5)
        os.kill(process.pid, signal.SIGKILL)
        for worker in workers:
            worker.kill()
            worker.wait()
        time.sleep(0.1)
        over.set()
        ear.join()
    return time.monotonic() - begun


def _wait_for_step(worker: subprocess.Popen[str], steps: int) -> None:
    assert worker.stdout is not None  # noqa: S101
    for line in worker.stdout:
        if int(line) >= steps:
            # Read on, so that it is not held up.
            threading.Thread(target=worker.stdout.read, daemon=True).start()
            return
    raise SystemExit("a worker has ended by itself")


def faustwire(*arguments: str | Path) -> dict[str, Any]:
    """Run a command and read the JSON that it prints."""
    command = [sys.executable, "-m", "faustwire_bridge", *map(str, arguments), "--json"]
    ended = subprocess.run(
        command, stdout=subprocess.PIPE, text=True, check=False, timeout=_DEADLINE_SECONDS
    )
    found: dict[str, Any] = json.loads(ended.stdout)
    return found


def replayed(
    recording: Path, place: Place, *options: str
) -> tuple[list[str], dict[str, Any], float]:
    """The programs that a fresh bridge writes in a replay, what it was, and its seconds."""
    with bridge(place) as (_, endpoint):
        begun = time.monotonic()
        summary = faustwire("replay", recording, "--endpoint", endpoint, *options)
        seconds = time.monotonic() - begun
    return programs(place.recording), summary, seconds


def prove(folder: Path, steps: int, *, real_time: bool) -> bool:
    """Print the figures; returns whether every sequence was the same."""
    live = Place(folder / "live")
    lasted = record(live, steps)
    found = faustwire("inspect", live.recording)
    recorded = programs(live.recording)
    kept = recorded == live.hashes[: len(recorded)]
    print(
        f"live: {lasted:.0f} s, {len(live.hashes)} programs written; killed by SIGKILL\n"
        f"recording: {found['size'] / 2**20:.1f} MiB, {len(recorded)} of these programs "
        f"({'the same' if kept else 'NOT the same'}), the last second is lost"
    )
    for worker in found["workers"]:
        print(
            f"  {worker['worker']}: {worker['snapshots']} snapshots up to call "
            f"{worker['newest_call']}, {worker['published']} published, "
            f"{worker['data_bytes'] / worker['snapshots']:.0f} bytes each"
        )
    print(f"  damage: {'; '.join(found['damage']) or 'none'}")
    fine = [kept, len(live.hashes) - len(recorded) <= 1.0 / _MIN_INTERVAL + 1]
    speeds = {"20×": ["--speed", "20"], "as fast as possible": ["--as-fast-as-possible"]}
    if real_time:
        speeds = {"1×": ["--speed", "1"], **speeds}
    for number, (name, options) in enumerate(speeds.items()):
        place = Place(folder / f"again-{number}")
        again, summary, seconds = replayed(
            live.recording, place, "--follow-verdicts", "--force", *options
        )
        fine.append(again == recorded)
        print(
            f"replayed {name}, following verdicts: {seconds:.1f} s, {summary['sent']} states, "
            f"{len(again)} programs: {'the same' if again == recorded else 'NOT the same'}"
        )
    begun = time.monotonic()
    outcome = faustwire("replay", live.recording, "--offline", folder / "offline")
    seconds = time.monotonic() - begun
    fine += [outcome["programs"] == recorded, not outcome["differing"]]
    print(
        f"offline: {seconds:.1f} s, {outcome['verdicts']} verdicts, {outcome['differing']} differ, "
        f"{len(outcome['programs'])} programs: {'the same' if fine[-2] else 'NOT the same'}"
    )
    for name, options in speeds.items():
        if name == "1×":
            continue
        place = Place(folder / f"free-{len(options)}")
        again, summary, seconds = replayed(live.recording, place, *options)
        print(
            f"replayed {name}, decided anew: {seconds:.1f} s, {summary['sent']} states "
            f"({summary['sent'] / seconds:.0f} a second), {len(again)} programs; "
            f"{summary['reasons']}"
        )
    return all(fine)


def main() -> None:
    """Parse the arguments and prove it."""
    parser = argparse.ArgumentParser(description="A training, recorded and played again.")
    parser.add_argument("--steps", type=int, default=2000, help="at least this many a worker")
    parser.add_argument(
        "--skip-real-time", action="store_true", help="without the replay that takes as long"
    )
    parser.add_argument("--train", choices=_WORKERS, help=argparse.SUPPRESS)
    parser.add_argument("--endpoint", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.train:
        train(options.train, options.endpoint)
        return
    with tempfile.TemporaryDirectory(prefix="faustwire-replay-") as folder:
        if not prove(Path(folder), options.steps, real_time=not options.skip_real_time):
            raise SystemExit("not the same")


if __name__ == "__main__":
    main()
