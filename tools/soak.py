"""Soak test: sixteen trainings and a bridge, killed and disconnected at random for minutes.

    python tools/soak.py --minutes 10

Real HotReloads reach a real bridge over TCP, most through a proxy that cuts and parts; workers and
bridge are killed with SIGKILL, the bridge is stopped for a while; hostile peers of each kind do
their worst (``soak_hostile``, not with ``--peaceful``); a reader looks at the .dsp as fast as it
can. The last fifth of the time no bridge dies, which is when its memory is watched. Then everything
ends in order, and the counts are printed. Fails on a call without an end, on a snapshot that one
bridge published twice, on a torn file, on a bridge that ended by itself, on anything left behind.
"""

from __future__ import annotations

import argparse
import json
import random
import secrets
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack, suppress
from pathlib import Path
from signal import SIGCONT, SIGKILL, SIGSTOP, SIGTERM
from typing import Any

import file_reader
from bridges import Plugin, alive, eventually
from processes import send_signal
from proxy import Proxy
from soak_counts import Counts, Samples
from soak_parts import WORKERS, Bridge, Hostile, Watcher, Workers

# These live from the first to the last minute, so that their memory can be watched.
OLD_GUARD = 4
PROXIES = 3
# Seconds between two of a kind, on average.
KILL_A_WORKER, KILL_THE_BRIDGE, STOP_THE_BRIDGE = 3.0, 12.0, 20.0
CUT, LOSE_ANSWERS, PART = 3.0, 3.0, 10.0
# The part of the time in which no bridge is killed or stopped.
CALM = 0.2
# Workers' connections come back within their ceiling of a few seconds.
_HEALING_SECONDS = 8.0
_STEP_SECONDS = 0.05
_SAMPLE_SECONDS = 1.0


class Soak:
    """The soak test, in a folder."""

    def __init__(
        self, folder: Path, seed: int, stack: ExitStack, *, hostile: bool, pause: float
    ) -> None:
        self.counts = Counts()
        self.bridge_memory, self.worker_memory = Samples(), Samples()
        self._dice = random.Random(seed)  # noqa: S311 - dice
        self._plugin = Plugin(folder / "plugin")
        self._plugin.folder.mkdir()
        stack.callback(self._plugin.end_bridge)
        self._bridge = Bridge(self._plugin, self.counts)
        self._proxies = [stack.enter_context(Proxy(self._bridge.endpoint)) for _ in range(PROXIES)]
        endpoints = [self._bridge.endpoint, *(proxy.endpoint for proxy in self._proxies)]
        self._watcher = Watcher(self._bridge.endpoint, self.counts)
        stack.callback(self._watcher.close)
        self._workers = Workers(folder, self.counts, endpoints)
        stack.callback(self._workers.close)
        self._hostile = Hostile(self._bridge.endpoint, seed) if hostile else None
        if self._hostile is not None:
            stack.callback(self._hostile.end)
        self._reader = file_reader.start(self._plugin.dsp_path, pause)
        stack.callback(self._reader.kill)

    def run(self, seconds: float) -> None:
        """Run the disturbances, the calm part, and the orderly end."""
        begun = time.monotonic()
        # Workers are there before anything is taken from them.
        eventually(self._plugin.dsp_path.exists, "a first program is published")
        self._storm(begun + seconds * (1 - CALM), calm=False)
        self._workers.calm_since = time.monotonic()
        self._storm(begun + seconds, calm=True)
        if self._hostile is not None:
            self._hostile.end()
        for proxy in self._proxies:
            proxy.heal()
        self._wait(_HEALING_SECONDS)
        self._workers.end()
        self._look_whether_all_have_left()
        self._bridge.end(SIGTERM)
        self._look_for_leftovers()
        self._read_the_reader()

    def _storm(self, end: float, *, calm: bool) -> None:
        deeds: dict[Callable[[], None], float] = {
            self._kill_a_worker: KILL_A_WORKER,
            self._cut: CUT,
            self._lose_answers: LOSE_ANSWERS,
            self._part_or_heal: PART / 2,
        }
        if not calm:
            deeds |= {
                self._kill_the_bridge: KILL_THE_BRIDGE,
                self._stop_the_bridge: STOP_THE_BRIDGE,
            }
        # Each comes in the first half for the first time, then at random.
        now = time.monotonic()
        half = (end - now) / 2
        due = {deed: now + self._dice.uniform(0, min(every, half)) for deed, every in deeds.items()}
        while time.monotonic() < end:
            for deed, every in deeds.items():
                if time.monotonic() >= due[deed]:
                    self.counts.deeds[deed.__name__.strip("_").replace("_", " ")] += 1
                    deed()
                    due[deed] = self._when(every)
            self._wait(_STEP_SECONDS, watches_bridge=calm)

    def _when(self, every: float) -> float:
        return time.monotonic() + self._dice.expovariate(1 / every)

    def _wait(self, seconds: float, *, watches_bridge: bool = True) -> None:
        """Wait, sampling the resources of the running processes."""
        end = time.monotonic() + seconds
        while (now := time.monotonic()) < end:
            self._watcher.look()
            sampled = self.worker_memory.at[-1] if self.worker_memory.at else 0.0
            if now - sampled >= _SAMPLE_SECONDS:
                self.worker_memory.take(self._workers.pid(0), now)
                self._bridge.look()
                if watches_bridge:
                    self.bridge_memory.take(self._bridge.pid, now)
            time.sleep(_STEP_SECONDS)

    # -- what is done to them --------------------------------------------------------------------

    def _kill_a_worker(self) -> None:
        self._workers.kill(self._dice.randrange(OLD_GUARD, WORKERS))

    def _kill_the_bridge(self) -> None:
        self._bridge.end(SIGKILL)
        self._wait_for(self._dice.choice((0.0, 0.5, 3.0)))
        self._bridge.start()

    def _stop_the_bridge(self) -> None:
        send_signal(self._bridge.pid, SIGSTOP)
        self._wait_for(self._dice.uniform(0.2, 4.0))
        send_signal(self._bridge.pid, SIGCONT)

    def _wait_for(self, seconds: float) -> None:
        time.sleep(seconds)

    def _cut(self) -> None:
        self._dice.choice(self._proxies).cut()

    def _lose_answers(self) -> None:
        """Verdicts are on their way when the connection breaks: what was done must not be again."""
        proxy = self._dice.choice(self._proxies)
        proxy.down = "lost"
        self._wait(self._dice.uniform(0.1, 0.6), watches_bridge=False)
        proxy.cut()
        proxy.heal()

    def _part_or_heal(self) -> None:
        proxy = self._dice.choice(self._proxies)
        if proxy.up == "passes":
            proxy.part()
        else:
            proxy.heal()

    # -- what is left of them --------------------------------------------------------------------

    def _look_whether_all_have_left(self) -> None:
        def nobody() -> bool:
            self._watcher.look()
            return not self._watcher.present

        with suppress(AssertionError):
            eventually(nobody, "nobody is shown as present", 10.0)
        self.counts.still_shown = self._watcher.present

    def _look_for_leftovers(self) -> None:
        everybody = self._bridge.family | self._workers.all_pids
        with suppress(AssertionError):
            eventually(lambda: not any(map(alive, everybody)), "all are gone", 10.0)
        place = self._plugin.place
        files = [*self._plugin.folder.iterdir(), *place.directory.glob(f"{place.key}*")]
        kept = {self._plugin.dsp_path, self._plugin.config_path}
        self.counts.leftovers = [str(file) for file in files if file not in kept]
        self.counts.leftovers += [f"process {pid}" for pid in everybody if alive(pid)]

    def _read_the_reader(self) -> None:
        told, _ = self._reader.communicate("")
        report: dict[str, Any] = json.loads(told)
        self.counts.looks, self.counts.contents = report["looks"], report["contents"]
        self.counts.torn = report["broken"]


def soak(seconds: float, seed: int, *, hostile: bool = False, pause: float = 0.0) -> Soak:
    """Run the soak test in a temporary folder, among hostile peers or not.

    Args:
        seconds: until the orderly end.
        seed: of what is killed and cut.
        hostile: whether there are hostile peers.
        pause: of the reader, seconds after each hundred looks.
    """
    with tempfile.TemporaryDirectory() as name, ExitStack() as stack:
        made = Soak(Path(name), seed, stack, hostile=hostile, pause=pause)
        made.run(seconds)
        return made


def main() -> None:
    """Run the soak test and print the counts."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--seed", type=int, help="of what is killed and cut; default: a new one")
    parser.add_argument("--peaceful", action="store_true", help="without hostile peers")
    options = parser.parse_args()
    seed = secrets.randbelow(2**32) if options.seed is None else options.seed
    sys.stdout.write(f"{WORKERS} workers for {options.minutes:g} minutes, seed {seed}\n")
    sys.stdout.flush()
    made = soak(options.minutes * 60, seed, hostile=not options.peaceful)
    sys.stdout.write(
        f"{made.counts}\n  bridge, in the calm: {made.bridge_memory}\n"
        f"  a worker, all the time: {made.worker_memory}\n"
    )
    if problems := made.counts.problems():
        sys.exit("; ".join(problems))


if __name__ == "__main__":
    main()
