"""Soak test: sixteen trainings and a bridge, killed and disconnected at random for minutes.

    python tools/soak.py --minutes 10

Real HotReloads reach a real bridge over TCP, most through a proxy that cuts and parts; workers and
bridge are killed with SIGKILL, the bridge is stopped for a while; a reader looks at the .dsp as
fast as it can. The last fifth of the time no bridge dies, which is when its memory is watched. Then
everything ends in order, and the counts are printed. Fails on a call without an end, on a snapshot
that one bridge published twice, on a torn file, on anything left behind.
"""

from __future__ import annotations

import argparse
import json
import random
import secrets
import socket
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack, suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from signal import SIGCONT, SIGKILL, SIGSTOP, SIGTERM
from typing import Any

import numpy as np
import zmq

import file_reader
import soak_workers
from bridges import Plugin, ServedBridge, alive, eventually, served
from faustwire import codec
from faustwire.endpoint import events_endpoint
from faustwire.messages import Event, State
from processes import children, descriptors, rss_mib, send_signal
from proxy import Proxy
from soak_workers import Account, Role

WORKERS = 16
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


@dataclass
class Counts:
    """Counts of a run."""

    deeds: Counter[str] = field(default_factory=Counter)
    outcomes: Counter[str] = field(default_factory=Counter)
    calls: int = 0
    told: int = 0
    lost: int = 0
    open_when_killed: int = 0
    published: int = 0
    settled: int = 0
    doubled: int = 0
    states: int = 0
    events: int = 0
    unseen_events: int = 0
    still_shown: int = 0
    internal_errors: int = 0
    looks: int = 0
    contents: int = 0
    torn: list[str] = field(default_factory=list)
    leftovers: list[str] = field(default_factory=list)
    disorderly: int = 0

    def problems(self) -> list[str]:
        """Violated expectations, one sentence each."""
        found = {
            f"{self.lost} calls without an end": self.lost,
            f"{self.doubled} snapshots published twice": self.doubled,
            f"torn files: {self.torn}": self.torn,
            f"left behind: {self.leftovers}": self.leftovers,
            f"{self.internal_errors} internal errors": self.internal_errors,
            f"{self.disorderly} workers did not end in order": self.disorderly,
            f"{self.still_shown} workers are shown that have gone": self.still_shown,
            f"{self.unseen_events} events unseen": self.unseen_events,
            "nothing was published": not self.published,
            "the reader saw nothing": not self.contents,
        }
        return [problem for problem, is_so in found.items() if is_so]

    def __str__(self) -> str:
        def listed(counter: Counter[str]) -> str:
            return ", ".join(f"{name} {count}" for name, count in counter.most_common())

        messages = sum(self.outcomes.values()) + self.lost
        verdicts = messages - self.lost - self.outcomes["superseded"]
        return (
            f"  done: {listed(self.deeds)}\n"
            f"  calls {self.calls}, messages handed over {messages}, verdicts {verdicts}, "
            f"superseded {self.outcomes['superseded']}, told at once that there is no bridge "
            f"{self.told}, on their way when their worker was killed {self.open_when_killed}\n"
            f"  how they ended: {listed(self.outcomes)}\n"
            f"  a watcher saw {self.states} states, {self.events} events, missed "
            f"{self.unseen_events}\n"
            f"  published {self.published}, later {self.settled}; lost {self.lost}, doubled "
            f"{self.doubled}, torn "
            f"{len(self.torn)} of {self.contents} contents in {self.looks} looks, left behind "
            f"{len(self.leftovers)}, internal errors {self.internal_errors}"
        )


@dataclass
class Samples:
    """Resources of a process over time: seconds, MiB, open descriptors."""

    at: list[float] = field(default_factory=list)
    mib: list[float] = field(default_factory=list)
    descriptors: list[int] = field(default_factory=list)

    def take(self, pid: int, now: float) -> None:
        """Sample the process, if it runs."""
        mib = rss_mib(pid)
        if mib:
            self.at.append(now)
            self.mib.append(mib)
            self.descriptors.append(descriptors(pid))

    def __str__(self) -> str:
        if len(self.at) < 4:
            return "too short to tell"
        # The first quarter is warming up.
        late = len(self.at) // 4
        slope = float(np.polyfit(self.at[late:], self.mib[late:], 1)[0]) * 60
        return (
            f"{self.mib[0]:.1f} MiB at first, {self.mib[late]:.1f} at a quarter, "
            f"{self.mib[-1]:.1f} in the end, {slope:+.2f} a minute; "
            f"{self.descriptors[late]} descriptors at a quarter, {self.descriptors[-1]} in the end"
        )


class Bridge:
    """``faustwire serve`` on one port, killed and started again."""

    def __init__(self, plugin: Plugin, counts: Counts) -> None:
        self._plugin, self._counts = plugin, counts
        self.endpoint = f"tcp://127.0.0.1:{_free_port()}"
        self._life = ExitStack()
        self._served: ServedBridge | None = None
        self.family: set[int] = set()
        self.start()

    @property
    def pid(self) -> int:
        """Process id of the running bridge."""
        assert self._served is not None
        return self._served.process.pid

    def start(self) -> None:
        """Start a bridge."""
        self._served = self._life.enter_context(
            served(self._plugin, "--log-json", bind=self.endpoint)
        )

    def look(self) -> None:
        """Remember its processes, which must have ended at the end."""
        self.family |= {self.pid, *children(self.pid)}

    def end(self, signal: int) -> None:
        """End the bridge, and count the errors in its log."""
        assert self._served is not None
        self.look()
        send_signal(self.pid, signal)
        self._served.process.wait(20.0)
        published: Counter[tuple[str, int]] = Counter()
        for line in self._served.log().splitlines():
            with suppress(ValueError):
                entry = json.loads(line)
                if entry["event"] == "published":
                    published[entry["worker"], entry["seq"]] += 1
        self._counts.published += published.total()
        self._counts.doubled += sum(count - 1 for count in published.values() if count > 1)
        self._counts.internal_errors += self._served.log().count("internal error")
        self._life.close()
        self._life = ExitStack()


class Watcher:
    """A watcher across restarts of the bridge; counts events that come twice."""

    def __init__(self, endpoint: str, counts: Counts) -> None:
        self.present = 0
        self._counts = counts
        self._context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        self._socket = self._context.socket(zmq.SUB)
        self._socket.subscribe(b"")
        self._socket.connect(events_endpoint(endpoint))
        # By the bridge's process.
        self._last: Counter[int] = Counter()
        self._written: dict[tuple[int, str, int | None], str] = {}

    def close(self) -> None:
        """Stop watching."""
        self._context.destroy(linger=0)

    def look(self) -> None:
        """Read all waiting messages."""
        with suppress(zmq.Again):
            while True:
                state = codec.decode(self._socket.recv(zmq.DONTWAIT))
                assert isinstance(state, State)
                self._counts.states += 1
                self.present = sum(worker.connected for worker in state.workers)
                for event in state.events:
                    self._take(state.pid, event)

    def _take(self, pid: int, event: Event) -> None:
        if event.number <= self._last[pid]:
            return
        self._counts.events += 1
        self._counts.unseen_events += event.number - self._last[pid] - 1
        self._last[pid] = event.number
        if event.kind in ("published", "settled"):
            key = (pid, event.incarnation, event.call)
            self._counts.settled += event.kind == "settled"
            # What was published twice at once stands in the log, too, and is counted there.
            kinds = {event.kind, self._written.get(key, "")}
            self._counts.doubled += "settled" in kinds and key in self._written
            self._written[key] = event.kind


class Workers:
    """The training processes, one in each slot."""

    def __init__(self, folder: Path, counts: Counts, endpoints: list[str]) -> None:
        self._folder, self._counts, self._endpoints = folder, counts, endpoints
        self._pids: dict[int, int] = {}
        self.all_pids: set[int] = set()
        self._nursery = subprocess.Popen(
            [sys.executable, soak_workers.__file__],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for slot in range(WORKERS):
            self.start(slot)

    def start(self, slot: int) -> None:
        """Start a training in a slot."""
        assert self._nursery.stdin is not None
        assert self._nursery.stdout is not None
        file = self._file(slot)
        file.unlink(missing_ok=True)
        endpoint = self._endpoints[slot % len(self._endpoints)]
        role = Role(slot, endpoint, str(file), wait=slot // 4 % 2 == 0, settle=slot % 3 == 0)
        self._nursery.stdin.write(json.dumps(asdict(role)) + "\n")
        self._nursery.stdin.flush()
        self._pids[slot] = int(self._nursery.stdout.readline())
        self.all_pids.add(self._pids[slot])

    def _file(self, slot: int) -> Path:
        return self._folder / f"account-{slot}.json"

    def kill(self, slot: int) -> None:
        """Kill the training in a slot with SIGKILL, and start another."""
        send_signal(self._pids[slot], SIGKILL)
        eventually(lambda: not alive(self._pids[slot]), "a killed worker is gone")
        with suppress(FileNotFoundError):
            account = self._take_in(slot)
            self._counts.open_when_killed += account.open
        self.start(slot)

    def pid(self, slot: int) -> int:
        """Process id of the training in a slot."""
        return self._pids[slot]

    def end(self) -> None:
        """End all trainings in order, and add up their accounts."""
        for pid in self._pids.values():
            send_signal(pid, SIGTERM)
        for pid in self._pids.values():
            eventually(lambda pid=pid: not alive(pid), "a worker ends", 60.0)  # type: ignore[misc]
        for slot in self._pids:
            account = self._take_in(slot)
            self._counts.lost += account.open
            self._counts.disorderly += not account.ended

    def _take_in(self, slot: int) -> Account:
        account = Account(**json.loads(self._file(slot).read_text()))
        self._counts.calls += account.calls
        self._counts.told += account.told
        self._counts.outcomes.update(account.outcomes)
        return account

    def close(self) -> None:
        """Kill the remaining processes."""
        for pid in self._pids.values():
            send_signal(pid, SIGKILL)
        self._nursery.kill()
        self._nursery.communicate()


class Soak:
    """The soak test, in a folder."""

    def __init__(self, folder: Path, seed: int, stack: ExitStack) -> None:
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
        self._reader = subprocess.Popen(
            ["nice", "-n", "19", sys.executable, file_reader.__file__, str(self._plugin.dsp_path)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        stack.callback(self._reader.kill)

    def run(self, seconds: float) -> None:
        """Run the disturbances, the calm part, and the orderly end."""
        begun = time.monotonic()
        # Workers are there before anything is taken from them.
        eventually(self._plugin.dsp_path.exists, "a first program is published")
        self._storm(begun + seconds * (1 - CALM), calm=False)
        self._storm(begun + seconds, calm=True)
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


def _free_port() -> int:
    """A free port whose successor, for events, is free as well."""
    for _ in range(100):
        with socket.socket() as one, socket.socket() as next_one:
            one.bind(("127.0.0.1", 0))
            port = int(one.getsockname()[1])
            with suppress(OSError, OverflowError):
                next_one.bind(("127.0.0.1", port + 1))
                return port
    raise RuntimeError("no two free ports")


def soak(seconds: float, seed: int) -> Soak:
    """Run the soak test in a temporary folder."""
    with tempfile.TemporaryDirectory() as name, ExitStack() as stack:
        made = Soak(Path(name), seed, stack)
        made.run(seconds)
        return made


def main() -> None:
    """Run the soak test and print the counts."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--seed", type=int, help="of what is killed and cut; default: a new one")
    options = parser.parse_args()
    seed = secrets.randbelow(2**32) if options.seed is None else options.seed
    sys.stdout.write(f"{WORKERS} workers for {options.minutes:g} minutes, seed {seed}\n")
    sys.stdout.flush()
    made = soak(options.minutes * 60, seed)
    sys.stdout.write(
        f"{made.counts}\n  bridge, in the calm: {made.bridge_memory}\n"
        f"  a worker, all the time: {made.worker_memory}\n"
    )
    if problems := made.counts.problems():
        sys.exit("; ".join(problems))


if __name__ == "__main__":
    main()
